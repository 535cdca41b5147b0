#!/bin/sh
# deps.sh [--check]: install every build and test dependency from Debian; --check only tells what is missing.
set -eu
build="gcc make pkg-config binutils libc6-dev linux-libc-dev libseccomp-dev libcap-dev libjson-c-dev libnl-3-dev
libnl-route-3-dev libbpf-dev libelf-dev zlib1g-dev busybox-static"
tests="clang clang-format libcmocka-dev python3 gawk git curl gcovr"
missing=""
for p in $build $tests; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "missing packages:$missing"
[ "${1:-}" != --check ] || exit 1
[ "$(id -u)" = 0 ] || { echo "deps: needs root (apt-get install)"; exit 1; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing
