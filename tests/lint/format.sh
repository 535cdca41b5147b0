#!/bin/sh
# format.sh: clang-format the C files that differ from main.
command -v clang-format >/dev/null || { echo "make deps first"; exit 1; }
{ git diff --name-only --diff-filter=d main; git ls-files -o --exclude-standard; } | grep '\.[ch]$' | sort -u |
	xargs -r clang-format -i
