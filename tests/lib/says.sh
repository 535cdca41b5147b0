# says.sh - sourced by tests that ask a container engine: what it says is told as ok, not ok or, without one (engine=0), skip.
# The caller has engine, passed, failed and skipped.  shellcheck shell=bash
# name, pattern, command...: its output (both streams, and "rc=" its status) matches
says() {
	local name=$1 pat=$2 o
	shift 2
	if [ $engine = 0 ]; then
		skipped=$((skipped + 1)); echo "skip $name"; return
	fi
	o=$("$@" 2>&1; echo "rc=$?")
	if grep -qE -- "$pat" <<<"$o"; then
		passed=$((passed + 1)); echo "ok $name"
	else
		failed=$((failed + 1)); echo "not ok $name: $(tr '\n' ' ' <<<"$o" | cut -c1-300)"
	fi
}
# set-up that is no test
also() { [ $engine = 0 ] || "$@" >/dev/null 2>&1; }
