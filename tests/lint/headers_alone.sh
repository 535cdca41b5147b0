#!/bin/sh
# headers_alone.sh HEADER...: each header compiles by itself.
cc=${CC:-gcc} bad=0
for h in "$@"; do
	case $h in
	platform/systrap/stub/*|sentry/loader/vdso/*) set -- -ffreestanding -mgeneral-regs-only ;;
	*) set -- ;;
	esac
	printf '#include "%s"\n' "$h" |
		$cc -std=gnu17 -D_GNU_SOURCE -I. $(pkg-config --cflags-only-I libnl-3.0 dbus-1 2>/dev/null) -Wall -Wextra -Werror "$@" -fsyntax-only -x c - || { echo "$h: does not compile alone"; bad=1; }
done
exit $bad
