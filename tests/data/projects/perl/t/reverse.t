use strict;
use warnings;
use Text::Backwards;

die "not backwards\n" unless Text::Backwards::backwards('a b c') eq 'c b a';
