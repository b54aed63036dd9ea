#!/usr/bin/env bash
# Measures what docs/performance.md shows and puts it there: after each line "<!-- COMMAND -->" comes what that printed, up to
# "<!-- end -->". On a busy machine figures are worth little. Needs root.
set -euo pipefail
cd "$(dirname "$0")/../.."
page=docs/performance.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT
skipping=false
while IFS= read -r line; do
  if [[ $line == "<!-- end -->" ]]; then skipping=false; fi
  $skipping || printf '%s\n' "$line" >>"$new"
  if [[ $line =~ ^'<!-- '(tests/bench/.*)' -->'$ ]]; then
    read -ra command <<<"${BASH_REMATCH[1]}"
    "${command[@]}" </dev/null >>"$new"
    skipping=true
  fi
done <"$page"
cat "$new" >"$page"
