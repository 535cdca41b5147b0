# says.sh - sourced by tests that ask a container engine: what it says is told as ok, not ok or, without one (engine=0), skip.
# The caller has engine, passed, failed, skipped, and w, a directory.  shellcheck shell=bash
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
# pattern, command: what it says on a terminal of its own.  Once the pattern was seen a line is typed, for which the program waits: engines
# (podman with any runtime, one time in thirty on a busy machine) lose the last words of a terminal that ends at once.
converse() {
	local l
	rm -f "$w/keys"; mkfifo "$w/keys"
	script -qec "$2" /dev/null <"$w/keys" | {
		exec 9>"$w/keys"
		while IFS= read -r l; do echo "$l"; [[ $l =~ $1 ]] && echo >&9; done
	}
}
# times, command...: until it succeeds, a fifth of a second apart
until_ok() {
	local i=$1
	shift
	while ! "$@" >/dev/null 2>&1; do
		i=$((i - 1)); [ $i -gt 0 ] || return 1
		sleep 0.2
	done
}
# set-up that is no test
also() { [ $engine = 0 ] || "$@" >/dev/null 2>&1; }
