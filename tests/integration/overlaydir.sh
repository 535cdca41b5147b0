#!/bin/bash
# overlaydir.sh CSANDBOX: --overlay=dir=PATH: what is written stays in PATH, in the format of Linux's overlay (the
# host mounts it and compares), the root is untouched, errors are clear, and kills at OVERLAY_KILLS (8) random moments leave
# a tree that is whole.  Root needed.
here=$(dirname "$(realpath "$0")")
bin=$(realpath "$1")
[ "$(id -u)" = 0 ] || { echo "skip overlaydir: needs root"; echo "overlaydir: 0 passed, 0 failed, 1 skipped"; exit 0; }
# A file system that can be an upper layer: an overlay (a container's root) cannot.
for d in "${TMPDIR:-/var/tmp}" /dev/shm; do
	w=$(mktemp -d -p "$d") || continue
	mknod "$w/p" c 0 0 2>/dev/null && python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.a", b"b")' "$w" 2>/dev/null && break
	rm -rf "$w"; w=
done
[ "$w" ] || { echo "skip overlaydir: no file system for an upper layer here"; echo "overlaydir: 0 passed, 0 failed, 1 skipped"; exit 0; }
rm "$w/p"
cleanup() {
	for c in "$w"/state/*; do [ -d "$c" ] && timeout 20 "$bin" --root "$w/state" delete --force "${c##*/}"; done
	rm -rf "$w"
}
trap cleanup EXIT
chmod 755 "$w"
mkdir "$w/b"
"$here/../lib/busybox_root.sh" "$w/b/rootfs"
python3 "$here/overlaydir.py" "$bin" "$w" "${OVERLAY_KILLS:-8}"
