#!/bin/bash
# sysctl.sh CSANDBOX: settings of /proc/sys that a test must not change on the host, so there is no native run to compare with:
# what can be written takes effect, what cannot says so. PLATFORMS: "systrap".
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") passed=0 failed=0
w=$(mktemp -d); chmod 755 "$w"
trap 'rm -rf "$w"' EXIT
tests/lib/busybox_root.sh "$w/rootfs"
inside() {
	tests/lib/bundle.py "$w" sh -c "cd /tmp; $1"
	timeout -k 1 60 "$bin" --root "$w/state" --platform "$platform" --network=none run --bundle "$w" "sysctl-$$" 2>/dev/null
}
check() {       # what command want
	local got
	got=$(inside "$2")
	if [ "$got" = "$3" ]; then
		echo "ok $platform $1"; passed=$((passed + 1))
	else
		echo "not ok $platform $1: \"$got\", not \"$3\""; failed=$((failed + 1))
	fi
}
# shellcheck disable=SC2016
all() {
	check "core files are called as the pattern says" \
		'ulimit -c unlimited; mkdir d; echo "/tmp/d/%e-%p-%s-%h-%%-%u%q" >/proc/sys/kernel/core_pattern
		sh -c "kill -SEGV \$\$" & p=$!; wait $p 2>/dev/null; ls d | sed s/$p/PID/' "sh-PID-11-sandbox-%-0"
	check "%E is the program's file" \
		'ulimit -c unlimited; echo "/tmp/%E" >/proc/sys/kernel/core_pattern; sh -c "kill -SEGV \$\$"; ls | grep -c "^!bin!"' 1
	check "a number is added on request" \
		'ulimit -c unlimited; echo 1 >/proc/sys/kernel/core_uses_pid; sh -c "kill -SEGV \$\$" & p=$!; wait $p 2>/dev/null
		ls | sed s/$p/PID/' "core.PID"
	check "nothing is piped to a program" \
		'echo "|/bin/cat" 2>/dev/null >/proc/sys/kernel/core_pattern || cat /proc/sys/kernel/core_pattern' "core"
	check "limits of inotify" \
		'cd /proc/sys/fs/inotify; echo 7 >max_user_instances; echo 0x10 >max_user_watches; cat max_user_instances max_user_watches
		echo 9999999999 2>/dev/null >max_user_watches || echo no' "$(printf '7\n16\nno')"
	check "quotas of keys" 'cd /proc/sys/kernel/keys; echo 3 >gc_delay; echo 201 >maxkeys; cat gc_delay maxkeys' "$(printf '3\n201')"
	check "constants stay" 'echo 5 2>/dev/null >/proc/sys/kernel/pid_max || echo no' no
}
for platform in ${PLATFORMS:-systrap}; do all; done
echo "sysctl: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
