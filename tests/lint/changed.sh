#!/bin/sh
# changed.sh: for files that differ from main, headers compile alone and sources compile with clang as well.
git rev-parse -q --verify main >/dev/null 2>&1 || exit 0
files=$( { git diff --name-only --diff-filter=d main; git ls-files -o --exclude-standard; } | sort -u)
dirs='^(platform|sentry|gofer|netstack|runsc-cli|syscall-tables|tests/lib)/'
headers=$(printf '%s\n' "$files" | grep -E "$dirs.*\.h\$")
sources=$(printf '%s\n' "$files" | grep -E "$dirs.*\.c\$")
bad=0
# shellcheck disable=SC2086
[ -z "$headers" ] || tests/lint/headers_alone.sh $headers || bad=1
if command -v clang >/dev/null 2>&1; then
	for f in $sources; do
		case $f in
		platform/systrap/stub/*|sentry/loader/vdso/*) o="-ffreestanding -mgeneral-regs-only" ;;
		*) o="" ;;
		esac
		# shellcheck disable=SC2086
		clang -std=gnu17 -D_GNU_SOURCE -I. $(pkg-config --cflags-only-I libnl-3.0 dbus-1 2>/dev/null) -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
			-Werror $o -fsyntax-only "$f" || { echo "$f: clang refuses it"; bad=1; }
	done
fi
exit $bad
