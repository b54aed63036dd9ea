#!/bin/sh
# A tool as small as one can be: writes a file, tells what it did.
set -eu
echo "working in $PWD"
status=ok
started=$(date +%s.%N)
if ! cmp -s greeting /etc/greeting; then
  status=changed
  [ "$MAYFLY_MODE" = check ] || cp greeting /etc/greeting
fi
printf '{"task": "greeting", "status": "%s", "where": "%s/greeting:1", "started": %s, "ended": %s}\n' \
  "$status" "$PWD" "$started" "$(date +%s.%N)" >> "$MAYFLY_RESULTS"
