#!/bin/bash
# storm.sh CSANDBOX: system calls with arguments drawn by lot (storm.c), by children of the first process, as root.  The
# sandbox must outlive them: the first process ends as it wants to, and nothing is left.  Nothing of this runs natively.
# ROUNDS (300), CALLS (2000) of each, SEED (1), PLATFORMS (systrap ptrace).
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") passed=0 failed=0 skipped=0
w=$(mktemp -d); trap 'rm -rf "$w"' EXIT
finish() { echo "storm: $passed passed, $failed failed, $skipped skipped"; [ "$failed" = 0 ]; exit; }
if [ "$(id -u)" != 0 ]; then echo "skip storm: needs root"; skipped=1; finish; fi

chmod 755 "$w"
tests/lib/busybox_root.sh "$w/rootfs"
${CC:-cc} -O1 -Wall -Wextra -Werror -static -o "$w/rootfs/bin/storm" tests/integration/storm.c || { failed=1; finish; }
limits='{"linux":{"resources":{"memory":{"limit":2000000000},"pids":{"limit":1000}}}}'
BUNDLE_ADD=$limits tests/lib/bundle.py "$w" /bin/storm "${ROUNDS:-300}" "${CALLS:-2000}" "${SEED:-1}"
for platform in ${PLATFORMS:-systrap ptrace}; do
	timeout -k 1 300 "$bin" --root "$w/state" --platform "$platform" --overlay=memory --network=none --log "$w/log" \
		run --bundle "$w" "storm-$$" >"$w/out" 2>&1
	r=$?
	if [ $r = 0 ] && tail -c 40 "$w/out" | grep -aq "survived ${ROUNDS:-300}" && ! grep -q 'level=error' "$w/log"; then
		echo "ok storm $platform"; passed=$((passed + 1))
	else
		echo "not ok storm $platform: status $r, seed ${SEED:-1}"; failed=$((failed + 1))
		tail -c 300 "$w/out" | tr -cd '[:print:]\n'; grep level=error "$w/log" | tail -5
	fi
done
finish
