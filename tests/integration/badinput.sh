#!/bin/bash
# badinput.sh CSANDBOX: hostile bundles, roots, programs and resources: an exact errno, or a message that names what
# failed; never a hang, and nothing left.
here=$(dirname "$(realpath "$0")")
[ "$(id -u)" = 0 ] || { echo "skip badinput: needs root"; echo "badinput: 0 passed, 0 failed, 1 skipped"; exit 0; }
w=$(mktemp -d)
trap 'for m in $(awk -v w="$w/" "index(\$2, w) == 1 { print \$2 }" /proc/self/mounts); do umount -l "$m"; done; rm -rf "$w"' EXIT
chmod 755 "$w"
mkdir "$w/b"
"$here/../lib/busybox_root.sh" "$w/b/rootfs"
python3 "$here/../lib/bundle.py" "$w/b" /bin/true
python3 "$here/badinput.py" "$(realpath "$1")" "$w"
