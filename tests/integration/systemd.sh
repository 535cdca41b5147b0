#!/bin/bash
# systemd.sh CSANDBOX: --systemd-cgroup on a host that systemd runs, with the unified hierarchy: the container's group is a scope, which
# has the limits, keeps them when systemd reloads, takes new ones, and is gone after delete.  Skipped, by name, elsewhere.
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") passed=0 failed=0 skipped=0 id=systemd-$$
w=$(mktemp -d); chmod 755 "$w"
cleanup() { "$bin" --root "$w/state" delete --force "$id" >/dev/null 2>&1; rm -rf "$w"; }
trap cleanup EXIT
# shellcheck disable=SC2034
engine=1
{ [ -d /run/systemd/system ] && [ -S /run/systemd/private ] && [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; } || engine=0
. tests/lib/says.sh
unit=t-$id.scope
also tests/lib/busybox_root.sh "$w/rootfs"
bundle() { BUNDLE_ADD='{"linux": {"resources": {"memory": {"limit": 67108864}, "cpu": {"shares": 512}}}}' BUNDLE_CGROUP=$1 tests/lib/bundle.py "$w" sleep 100; }
sandbox() { timeout -k 1 60 "$bin" --root "$w/state" --systemd-cgroup --network=none "$@"; }
group() { sed -n 's/^0:://p' "/proc/$(sandbox state "$id" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')/cgroup"; }
told() { systemctl show -p "$1" --value "$unit"; }
file() { cat "/sys/fs/cgroup$(group)/$1"; }
reloaded() { systemctl daemon-reload && file memory.max; }
updated() { sandbox update --memory 134217728 "$id" && told MemoryMax && file memory.max; }
gone() {
	sandbox delete --force "$id"
	echo "$(systemctl is-active "$unit") $([ -d "/sys/fs/cgroup/system.slice/$unit" ] && echo left || echo gone)"
}

also bundle /a/b
says "a path is refused" 'SLICE:PREFIX:NAME' sandbox run --bundle "$w" "$id"
also bundle "system.slice:t:$id"
also sandbox run --detach --bundle "$w" "$id"
says "it runs in its scope" "^/system.slice/$unit\$" group
says "which systemd knows" '^active$' systemctl is-active "$unit"
says "and may be divided" '^yes$' told Delegate
says "with its limits" '^67108864$' told MemoryMax
says "as weights" '^20$' told CPUWeight
says "in force" '^67108864$' file memory.max
says "after a reload, too" '^67108864$' reloaded
says "update tells both" '134217728' updated
says "delete leaves nothing" '^(inactive|unknown) gone$' gone
echo "systemd: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
