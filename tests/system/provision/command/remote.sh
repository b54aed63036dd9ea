#!/bin/sh
# On the host, as a tool that enters by ssh would: exit code 3 means "changed".
set -eu
user=$("$MAYFLY_ENTER" --user daemon -- id -un)
echo "as $user"
"$MAYFLY_ENTER" test -e /etc/remote && exit 0
"$MAYFLY_ENTER" touch /etc/remote
exit 3
