#!/bin/sh
# In the place of `ssh HOST WORD...`: the words are joined by spaces, and the shell of the other side takes them apart.
shift
exec "$MAYFLY_ENTER" /bin/sh -c "$*"
