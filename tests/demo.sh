#!/bin/bash
# demo.sh CSANDBOX: a shell in a sandbox on a busybox root file system looks around.
set -e
here=$(dirname "$(realpath "$0")")
bin=$(realpath "$1")
b=$(mktemp -d); id=demo-$$
trap '"$bin" --root "$b/state" delete --force "$id" >/dev/null 2>&1; rm -rf "$b"' EXIT
chmod 755 "$b"
"$here/lib/busybox_root.sh" "$b/rootfs"
script='echo "+ uname -a"; uname -a; echo "+ id"; id; echo "+ ps"; ps; echo "+ ls -l /"; ls -l /'
python3 "$here/lib/bundle.py" "$b" /bin/sh -c "$script"
"$bin" --root "$b/state" --network=none run --bundle "$b" "$id"
