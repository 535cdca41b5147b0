#!/bin/bash
# idle.sh CSANDBOX: a sandbox whose program sleeps costs at most 4 MiB (PSS of all its processes, the program's own pages
# among them) and one wake-up a second.
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") passed=0 failed=0
w=$(mktemp -d); chmod 755 "$w"; id=idle-$$
trap '"$bin" --root "$w/state" delete --force "$id" >/dev/null 2>&1; rm -rf "$w"' EXIT
tests/lib/busybox_root.sh "$w/rootfs"
tests/lib/bundle.py "$w" /bin/sleep 300
at_most() {     # what is limit
	if awk "BEGIN { exit !(\"$2\" != \"\" && $2 + 0 <= $3) }"; then echo "ok $1: $2 (at most $3)"; passed=$((passed + 1))
	else echo "not ok $1: $2, more than $3"; failed=$((failed + 1)); fi
}
"$bin" --root "$w/state" --network=none run --bundle "$w" "$id" >/dev/null 2>&1 </dev/null & run=$!
for _ in $(seq 100); do "$bin" --root "$w/state" state "$id" 2>/dev/null | grep -q running && break; sleep 0.1; done
sleep 3
rows=$(tests/bench/idle.py "$run" "$w/state")
at_most "context switches a second" "$(echo "$rows" | awk '/wakeups/ { print $2 }')" 1
at_most "KiB of memory" "$(echo "$rows" | awk '/pss/ { print $2 }')" 4096
"$bin" --root "$w/state" kill "$id" KILL >/dev/null 2>&1
{ wait "$run"; } 2>/dev/null
echo "idle: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
