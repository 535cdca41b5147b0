#!/bin/bash
# run_in.sh CSANDBOX PLATFORM PROGRAM [ARG...]: run a static program in a fresh sandbox whose root holds
# busybox and the program, as root of the sandbox with all capabilities; its exit code is the result.
# Tests work in $RUN_IN_TMP of the sandbox: /tmp (a tmpfs, the default) or /root (the gofer's files).
set -e
here=$(dirname "$(realpath "$0")")
bin=$1 platform=$2 prog=$3; shift 3
b=$(mktemp -d); id=t-$$-$RANDOM
cleanup() { "$bin" --root "$b/state" delete --force "$id" >/dev/null 2>&1; rm -rf "$b"; }
trap cleanup EXIT
chmod 755 "$b"
mkdir -p "$b/rootfs"/{bin,dev,proc,sys,tmp,etc,root}
chmod 1777 "$b/rootfs/tmp"
cp /bin/busybox "$b/rootfs/bin/busybox"; ln -s busybox "$b/rootfs/bin/sh"
cp "$prog" "$b/rootfs/bin/prog"
echo 'root:x:0:0:root:/root:/bin/sh' >"$b/rootfs/etc/passwd"
BUNDLE_ENV="TMPDIR=${RUN_IN_TMP:-/tmp}" python3 "$here/bundle.py" "$b" /bin/prog "$@"
set +e
"$bin" --root "$b/state" --platform "$platform" --network=none run --bundle "$b" "$id"
