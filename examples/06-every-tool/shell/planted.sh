#!/bin/sh
# PLANTED: says "unchanged" when there was no index to make, though the question itself has changed the machine.
set -eu
if courier up-to-date; then
  echo 'mayfly: unchanged'
else
  courier reindex
fi
