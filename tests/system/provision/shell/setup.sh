#!/bin/bash
set -eu
echo "to stdout: $1"
echo "to stderr: $GREETING" >&2
echo "$GREETING" > /etc/greeting
