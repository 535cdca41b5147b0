#!/bin/bash
# run_syscalls.sh DIR [CSANDBOX PLATFORM...]: run the syscall tests of DIR natively; with a csandbox
# binary, also in the sandbox on each platform, and compare each test's line.  Differences that
# tests/syscalls/known.txt explains are counted as skipped, by name, and so is what this host's own kernel does not
# pass: it is the oracle, and then there is none.  A program that dies natively has failed.  The last line is
# "syscalls: N passed, N failed, N skipped".
dir=$(realpath "$1"); shift
bin=${1:+$(realpath "$1")}; shift
passed=0 failed=0 skipped=0
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
run_in="$(dirname "$0")/lib/run_in.sh"
known="$(dirname "$0")/syscalls/known.txt"

# A known difference: its reason, or nothing.
reason() { awk -v p="$1" -v n="$2" '($1 == p || $1 == "all") && $2 == n { $1 = $2 = ""; print; exit }' "$known"; }

count() {       # file: lines of the harness
	passed=$((passed + $(grep -c '^ok ' "$1")))
	skipped=$((skipped + $(grep -cE '^(skip|not ok) ' "$1")))
}

for t in "$dir"/*; do
	[ -x "$t" ] && [ -f "$t" ] || continue
	case $t in *.d) continue ;; esac
	[ -z "$ONLY" ] || [[ $(basename "$t") =~ ^($ONLY)$ ]] || continue
	n=$work/$(basename "$t").native
	timeout -k 2 120 "$t" >"$n" 2>"$n.err" </dev/null; rc=$?
	if grep -q '^not ok' "$n" || [ "$rc" -gt 1 ]; then
		sed "s|^|native $(basename "$t"): |" "$n.err"
		sed -n "s|^not ok \(.*\)|skip native \1: this host does not pass it|p" "$n"
		[ "$rc" -gt 1 ] && { echo "native $(basename "$t"): exit $rc"; failed=$((failed + 1)); }
	fi
	count "$n"
	for platform in "$@"; do
		s=$work/$(basename "$t").$platform
		timeout -k 2 ${LIMIT:-120} "$run_in" "$bin" "$platform" "$t" >"$s" 2>"$s.err" </dev/null; rc=$?
		while read -r line; do
			name=${line##* }
			case $line in "not ok"* | skip*) skipped=$((skipped + 1)); continue ;; esac
			if grep -qx "ok $name" "$s"; then
				passed=$((passed + 1))
			elif why=$(reason "$platform" "$name"); [ -n "$why" ]; then
				skipped=$((skipped + 1))
				echo "skip $platform $name:$why"
			else
				failed=$((failed + 1))
				got=$(grep -m1 -x -E "(not ok|skip) $name" "$s")
				echo "$platform $(basename "$t"): native \"$line\", here \"${got:-nothing (exit $rc)}\""
				bad=1
			fi
		done <"$n"
		[ -z "$bad" ] || { sed "s|^|	|" "$s.err" | head -${ERR_LINES:-12}; bad=; }
	done
done
echo "syscalls: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
