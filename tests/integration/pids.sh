#!/bin/bash
# pids.sh CSANDBOX: limits on the number of tasks.  The guest has exactly as many as config.json or `update` say, counted
# by the sentry; and whatever the host's own pids limit cuts off (here a control group that also
# holds the launcher), the guest's fork fails with EAGAIN, or the start fails with a message, and all of it ends.
# PLATFORMS: "systrap ptrace".
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") passed=0 failed=0 skipped=0 platform=systrap
w=$(mktemp -d); chmod 755 "$w"; id=pids-$$
cg=$(awk '$3 == "cgroup" && $4 ~ /(^|,)pids(,|$)/ { print $2; exit }' /proc/mounts)
[ -n "$cg" ] || cg=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
cg=$cg/$id
cleanup() {
	"$bin" --root "$w/state" delete --force "$id" >/dev/null 2>&1
	rmdir "$cg" 2>/dev/null
	rm -rf "$w"
}
trap cleanup EXIT
tests/lib/busybox_root.sh "$w/rootfs"
ok() { echo "ok $platform $1"; passed=$((passed + 1)); }
check() {       # what got want
	if [ "$2" = "$3" ]; then ok "$1"; else echo "not ok $platform $1: \"$2\", not \"$3\""; failed=$((failed + 1)); fi
}
sandbox() { timeout -k 1 60 "$bin" --root "$w/state" --platform "$platform" --network=none "$@"; }

# A shell counts how many children it can have before fork fails, which ends it.
count='i=0; while :; do sleep 20 >/dev/null 2>&1 & i=$((i + 1)); echo $i; done'
limits='{"linux":{"resources":{"pids":{"limit":8}}}}'

exact() {
	BUNDLE_ADD=$limits tests/lib/bundle.py "$w" sh -c "$count"
	check "the first process and seven more" "$(sandbox run --bundle "$w" "$id" 2>&1 | tail -2 | tr '\n' ' ')" \
		"7 sh: can't fork: Resource temporarily unavailable "
	# shellcheck disable=SC2016
	BUNDLE_ADD=$limits tests/lib/bundle.py "$w" sh -c 'mount -t cgroup2 c /mnt
		read a </mnt/pids.max; read b </mnt/pids.current; sleep 9 & read c </mnt/pids.current; echo $a $b $c'
	check "what the guest's cgroup shows" "$(sandbox run --bundle "$w" "$id" 2>&1)" "8 1 2"
}

more() { sandbox exec "$id" sh -c "$count" 2>/dev/null </dev/null | tail -1; }

updated() {
	local run
	BUNDLE_ADD=$limits tests/lib/bundle.py "$w" sleep 60
	sandbox run --bundle "$w" "$id" >/dev/null 2>&1 </dev/null & run=$!
	for _ in $(seq 100); do "$bin" --root "$w/state" state "$id" 2>/dev/null | grep -q running && break; sleep 0.1; done
	check "exec'd processes count too" "$(more)" 6
	check "and leave no zombie, although the first process never waits" \
		"$(sandbox exec "$id" sh -c 'exec grep -l zombie /proc/[0-9]*/status' 2>/dev/null | wc -w)" 0
	sandbox update --pids-limit 12 "$id"
	check "update raises the limit" "$(more)" 4
	sandbox update --pids-limit 9 "$id"
	sandbox exec "$id" true 2>/dev/null; check "update lowers it below what there is" $? 255
	sandbox update --pids-limit -1 "$id"
	sandbox exec "$id" true 2>/dev/null; check "update takes it away" $? 0
	sandbox kill "$id" KILL
	{ wait "$run"; } 2>/dev/null
}

# Beneath a host limit of its own.
beneath() {     # limit
	local rc
	echo "$1" >"$cg/pids.max"
	# shellcheck disable=SC2031
	(echo "$BASHPID" >"$cg/cgroup.procs"; sandbox run --bundle "$w" "$id") >"$w/out" 2>&1 </dev/null
	rc=$?
	for _ in $(seq 50); do [ -n "$(cat "$cg/cgroup.procs")" ] && sleep 0.1; done
	if [ "$1" = 300 ]; then
		check "room for all" "$rc $(cat "$w/out")" "0 all"
	elif [ "$rc" = 0 ] || [ "$rc" = 124 ] || [ "$rc" = 137 ] || [ -n "$(cat "$cg/cgroup.procs")" ] || ! [ -s "$w/out" ]; then
		echo "not ok $platform a host limit of $1: exit $rc, $(wc -l <"$cg/cgroup.procs") left: $(head -c 200 "$w/out")"
		failed=$((failed + 1))
	else
		ok "a host limit of $1: $(grep -o -m1 'time=.*level=error.*\|.*fork.*' "$w/out" | head -c 100)"
	fi
	sandbox delete --force "$id" 2>/dev/null
}

starved() {
	tests/lib/bundle.py "$w" sh -c 'for i in $(seq 1 60); do sleep 1 & done; echo all; wait'
	if ! mkdir "$cg" 2>/dev/null || ! [ -e "$cg/pids.max" ]; then
		echo "skip $platform: no control group with a pids limit can be made here"
		skipped=$((skipped + 1))
		return
	fi
	for limit in 6 8 10 12 14 16 18 20 22 24 26 28 30 33 36 40 50 60 300; do beneath "$limit"; done
	rmdir "$cg"
}

for platform in ${PLATFORMS:-systrap ptrace}; do exact; updated; starved; done
echo "pids: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
