#!/bin/bash
# posture.sh CSANDBOX: read back from /proc what every process of a running sandbox may do on the host.
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") passed=0 failed=0
w=$(mktemp -d); chmod 755 "$w"; id=posture-$$
trap '"$bin" --root "$w/state" delete --force "$id" >/dev/null 2>&1; rm -rf "$w"' EXIT
tests/lib/busybox_root.sh "$w/rootfs"
tests/lib/bundle.py "$w" /bin/sh -c 'sleep 300 & sleep 300'
check() { if "${@:2}"; then echo "ok $1"; passed=$((passed + 1)); else echo "not ok $1"; failed=$((failed + 1)); fi; }
field() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status" 2>/dev/null; }
differs() { [ "$(readlink "/proc/$1/ns/$2")" != "$(readlink "/proc/self/ns/$2")" ]; }

"$bin" --root "$w/state" --network=none run --detach --bundle "$w" "$id" >"$w/log" 2>&1 </dev/null
for _ in $(seq 50); do "$bin" --root "$w/state" state "$id" 2>/dev/null | grep -q running && break; sleep 0.1; done
check "the sandbox runs" grep -q running <("$bin" --root "$w/state" state "$id")
pid=$("$bin" --root "$w/state" state "$id" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
# The sentry and its stubs share the pid namespace of the shown pid; the gofer is known by the root that it serves.
mine() { [ "$(readlink "/proc/$1/ns/pid")" = "$(readlink "/proc/$pid/ns/pid")" ] || grep -qF "$w" "/proc/$1/mountinfo" 2>/dev/null || ls -l "/proc/$1/fd" 2>/dev/null | grep -qF "$w"; }
all=$(for p in /proc/[0-9]*; do p=${p#/proc/}; differs "$p" pid 2>/dev/null && mine "$p" 2>/dev/null && echo "$p"; done)
check "there are processes" test -n "$all"
for p in $all; do
	[ -n "$(field "$p" Seccomp)" ] || continue
	n="$(cat "/proc/$p/comm" 2>/dev/null) ($p)"
	check "$n: filtered" test "$(field "$p" Seccomp)" = 2
	check "$n: no_new_privs" test "$(field "$p" NoNewPrivs)" = 1
	# The gofer serves files of all owners: CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID MKNOD SETFCAP, no more.
	may=0; case $n in gofer*) may=$((0x8800001f)) ;; esac
	check "$n: no capability beyond its task" test $((0x$(field "$p" CapEff) & ~may)) = 0
	for t in /proc/"$p"/task/*; do
		[ "$(awk '$1 == "Seccomp:" { print $2 }' "$t/status" 2>/dev/null || echo 2)" = 2 ] || { echo "not ok $n: thread ${t##*/} is not filtered"; failed=$((failed + 1)); }
	done
done
check "the shown pid exists" test -d "/proc/$pid"
check "own mount namespace" differs "$pid" mnt
check "own network namespace" differs "$pid" net
"$bin" --root "$w/state" kill "$id" KILL >/dev/null 2>&1
sleep 1
"$bin" --root "$w/state" delete --force "$id" >/dev/null 2>&1
left=$(for p in $all; do [ -d "/proc/$p" ] && [ "$(field "$p" State)" != Z ] && echo "$p"; done)
check "nothing is left after delete" test -z "$left"
echo "posture: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
