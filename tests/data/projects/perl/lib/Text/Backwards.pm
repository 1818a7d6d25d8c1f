package Text::Backwards;

use strict;
use warnings;

sub backwards { return join ' ', reverse split ' ', shift }

1;
