#!/bin/sh
# run_unit.sh PROGRAM...: run the cmocka programs; the output of those that fail is shown, and one line at the end.
passed=0 failed=0 bad=""
export TSAN_OPTIONS="suppressions=$(dirname "$0")/unit/tsan.supp:${TSAN_OPTIONS:-}"
for t in "$@"; do
	if out=$(timeout 120 "$t" 2>&1); then
		n=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
		passed=$((passed + n))
	else
		printf '%s\n' "$out"
		echo "FAILED: $t"
		failed=$((failed + 1)) bad="$bad $t"
		passed=$((passed + $(printf '%s\n' "$out" | grep -c '^\[       OK \]')))
	fi
done
echo "unit: $passed passed, $failed programs failed$bad"
[ "$failed" = 0 ]
