#!/bin/sh
# Makes the first page, and becomes what it was asked for.
set -e
if [ "$1" = httpd ] && [ ! -e /srv/pages/index.html ]; then
    echo "welcome, ${VISITOR:-stranger}" > /srv/pages/index.html
fi
exec "$@"
