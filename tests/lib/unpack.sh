#!/bin/bash
# unpack.sh TAR DIR: DIR holds what is in TAR, and nothing of another one; unpacked only if it is not so yet.  DIR.done tells which it was.
which="$(realpath "$1") $(stat -c '%s %y' "$1")" || exit 1
[ "$(cat "$2.done" 2>/dev/null)" = "$which" ] && exit 0
rm -rf "$2" "$2.done"
mkdir -p "$2" && tar -C "$2" -xf "$1" && echo "$which" >"$2.done"
