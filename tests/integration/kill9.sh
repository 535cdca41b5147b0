#!/bin/bash
# kill9.sh CSANDBOX: SIGKILL a random process of a sandbox at a random moment, ROUNDS times (20): after delete no
# process, mount or state is left, and the command line never hangs.
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") passed=0 failed=0 rounds=${ROUNDS:-20}
w=$(mktemp -d); chmod 755 "$w"
trap 'rm -rf "$w"' EXIT
tests/lib/busybox_root.sh "$w/rootfs"
tests/lib/bundle.py "$w" /bin/sh -c 'while :; do (ls -lR / >/dev/null 2>&1 & sleep 0.05; wait); done'
mounts=$(wc -l </proc/self/mounts)
# Processes that belong to this run: they name its directory, or descend from one that does.
ours() {
	local p all="" more
	for p in $(pgrep -f "$w/state"); do [ "$p" = $$ ] || all="$all $p"; done
	more=$all
	while [ -n "$more" ]; do more=$(for p in $more; do pgrep -P "$p"; done); all="$all $more"; done
	for p in $all; do [ -d "/proc/$p" ] && [ "$(awk '/^State/ { print $2 }' "/proc/$p/status" 2>/dev/null)" != Z ] && echo "$p"; done | sort -u
}

for i in $(seq "$rounds"); do
	id=k-$$-$i
	timeout 60 "$bin" --root "$w/state" --network=none run --bundle "$w" "$id" >/dev/null 2>&1 </dev/null & run=$!
	sleep "0.$((RANDOM % 900 + 50))"
	before=$(ours)
	victim=$(echo "$before" | grep -vx "$run" | shuf -n 1)
	[ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null
	sleep 0.3
	timeout 30 "$bin" --root "$w/state" delete --force "$id" >/dev/null 2>&1; rc=$?
	{ wait "$run"; } 2>/dev/null
	for _ in $(seq 50); do
		left=$(for p in $before; do [ -d "/proc/$p" ] && [ "$(awk '/^State/ { print $2 }' "/proc/$p/status" 2>/dev/null)" != Z ] && echo "$p"; done)
		[ -n "$left" ] || break
		sleep 0.1
	done
	if [ -z "$left" ] && [ "$rc" != 124 ] && [ "$(wc -l </proc/self/mounts)" = "$mounts" ] && ! ls "$w/state/$id" >/dev/null 2>&1; then
		passed=$((passed + 1))
	else
		echo "not ok round $i: killed $victim; left: ${left:-no process}, delete exit $rc, mounts $(wc -l </proc/self/mounts) of $mounts"
		for p in $left; do ps -o pid,ppid,stat,args -p "$p" | tail -1; kill -KILL "$p" 2>/dev/null; done
		failed=$((failed + 1))
	fi
done
echo "kill9: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
