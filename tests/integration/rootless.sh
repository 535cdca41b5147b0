#!/bin/bash
# rootless.sh CSANDBOX: without root of the host: as a plain user (`run` and `do`), and as root of a user namespace that the user made,
# where rootless engines start us: with state in XDG_RUNTIME_DIR, exec, and the links of a network namespace that belongs to
# that user namespace.  Needs root, to become somebody else.
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0 skipped=0 user=64321
w=$(mktemp -d); chmod 755 "$w"
trap 'rm -rf "$w"' EXIT
cp "$1" "$w/csandbox"; chmod 755 "$w/csandbox"
mkdir -m 700 "$w/run"
tests/lib/busybox_root.sh "$w/rootfs"
chown -R $user:$user "$w/run" "$w/rootfs"
check() {       # what got want
	if [ "$2" = "$3" ]; then echo "ok $1"; passed=$((passed + 1)); else echo "not ok $1: \"$2\", not \"$3\""; failed=$((failed + 1)); fi
}
as_user() ( cd "$w" && timeout -k 1 60 setpriv --reuid=$user --regid=$user --clear-groups env USER=tenant PATH="$PATH" XDG_RUNTIME_DIR="$w/run" w="$w" "$@" )
bundle() { tests/lib/bundle.py "$w" "$@"; chmod 644 "$w/config.json"; }
finish() { echo "rootless: $passed passed, $failed failed, $skipped skipped"; [ $failed = 0 ]; exit; }
if ! as_user unshare -Urn true 2>/dev/null; then
	for t in "a plain user" "root of a user namespace" "its network"; do
		echo "skip $t: users may make no user namespace here"; skipped=$((skipped + 1))
	done
	finish
fi

plain() {
	bundle sh -c 'id -u; echo new >/made; exit 3'
	check "run as a plain user" "$(as_user "$w/csandbox" run --bundle "$w" plain 2>&1; echo $?)" "0
3"
	check "what it makes is the user's" "$(stat -c '%u %g' "$w/rootfs/made")" "$user $user"
	check "do as a plain user" "$(as_user "$w/csandbox" "do" sh -c 'id -u; exit 4' 2>&1; echo $?)" "0
4"
}

# In one user namespace.
commands() {
	cs=$w/csandbox
	$cs run --detach --bundle "$w" c >/dev/null 2>&1 </dev/null || echo "run: $?"
	$cs list -q
	ls "$XDG_RUNTIME_DIR/csandbox"
	$cs exec c sh -c 'id -u; exit 5' </dev/null
	echo $?
	$cs kill c KILL
	$cs delete --force c
	ls "$XDG_RUNTIME_DIR/csandbox"
}
# And two network namespaces in it, joined by a veth pair: the sandbox has one's link, Linux is at the other.
joined() {
	exec 3< <(exec unshare -n sh -c 'echo $$; exec sleep 100')
	read -r -u 3 ns
	trap 'kill $ns' EXIT
	ip link add v0 type veth peer name v1 netns "$ns" || exit
	ip addr add 10.79.0.1/24 dev v0; ip link set v0 up
	nsenter -t "$ns" -n sh -c 'ip addr add 10.79.0.2/24 dev v1; ip link set v1 up'
	sed "s/@NS@/$ns/" "$w/b/joined.json" >"$w/b/config.json"
	"$w/csandbox" run --bundle "$w/b" c 2>&1 | grep -o '1 packets received'
	ip addr show dev v0 | grep -o 10.79.0.1
}
export -f commands joined

plain
bundle sleep 100
check "run, list, exec, delete as root of a user namespace" "$(as_user unshare -Urn bash --norc -c commands 2>&1 | tr '\n' ' ')" "c c 0 5 "
mkdir "$w/b"; ln -s ../rootfs "$w/b/rootfs"
BUNDLE_NETNS=/proc/@NS@/ns/net tests/lib/bundle.py "$w/b" ping -c 1 -W 20 10.79.0.1
mv "$w/b/config.json" "$w/b/joined.json"; chmod 644 "$w/b/joined.json"; chown $user "$w/b"
check "the links of its network namespace" "$(as_user unshare -Urn bash --norc -c joined 2>&1 | tr '\n' ' ')" "1 packets received 10.79.0.1 "
finish
