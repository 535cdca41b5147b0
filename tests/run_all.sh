#!/bin/bash
# run_all.sh BUILD_DIR: unit tests, syscall tests natively and (root) in the sandbox on each platform, and the
# integration tests; what failed is told once more at the end, and the last line is "N passed, N failed, N skipped".
cd "$(dirname "$0")/.." || exit 1
b=$1
bin=build/csandbox
passed=0 failed=0 skipped=0
failures=$(mktemp); trap 'rm -f "$failures"' EXIT

# "<name>: P passed, F failed, S skipped" at the end of a part's output
add() {
	local line
	line=$(tail -1 "$1")
	[[ $line =~ ([0-9]+)\ passed,\ ([0-9]+)\ (programs\ )?failed(,\ ([0-9]+)\ skipped)? ]] ||
		{ echo "no result from $2"; failed=$((failed + 1)); return; }
	passed=$((passed + BASH_REMATCH[1]))
	failed=$((failed + BASH_REMATCH[2]))
	skipped=$((skipped + ${BASH_REMATCH[5]:-0}))
}

part() {
	local out before
	out=$(mktemp)
	echo "== $1"
	shift
	"$@" 2>&1 | tee "$out"
	before=$failed
	add "$out" "$1"
	[ "$failed" = "$before" ] ||
		{ echo "-- $1:"; grep -vE '^(ok|skip|\[) ' "$out" | tail -30 | cut -c1-300; } >>"$failures"
	rm -f "$out"
}

part "unit tests" tests/run_unit.sh $(find "$b/tests/unit" -type f -perm -100 | sort)
platforms=
if [ "$(id -u)" = 0 ] && [ -x "$bin" ]; then
	platforms=${PLATFORMS:-"systrap ptrace"}
else
	echo "not root, or no $bin: nothing is run in a sandbox"
	skipped=$((skipped + 1))
fi
# shellcheck disable=SC2086
part "syscall tests" tests/run_syscalls.sh "$b/tests/syscalls" ${platforms:+$bin $platforms}
if [ -n "$platforms" ]; then
	for t in tests/integration/*.sh; do
		[ -x "$t" ] && [ "$t" != tests/integration/mkrootfs.sh ] && part "$t" "$t" "$bin"
	done
fi
[ "$failed" = 0 ] || { echo "== what failed"; cat "$failures"; }
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
