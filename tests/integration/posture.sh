#!/bin/bash
# posture.sh CSANDBOX [PLATFORM]: read back from the kernel what every process of a running sandbox may do on the host.
here=$(dirname "$(realpath "$0")")
[ "$(id -u)" = 0 ] || { echo "skip posture: needs root"; echo "posture: 0 passed, 0 failed, 1 skipped"; exit 0; }
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
chmod 755 "$w"
"$here/../lib/busybox_root.sh" "$w/rootfs"
BUNDLE_ADD='{"process": {"oomScoreAdj": 300}}' python3 "$here/../lib/bundle.py" "$w" /bin/sh -c 'sleep 300 & (while :; do :; done) & sleep 300'
python3 "$here/posture.py" "$1" "$w" "${@:2}"
