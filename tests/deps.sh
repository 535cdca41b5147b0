#!/bin/sh
# deps.sh [--check] [--demo]: install every build and test dependency from Debian.
# --check only tells what is missing; --demo leaves out what only tests need.
set -eu
build="gcc make pkg-config binutils libc6-dev linux-libc-dev libseccomp-dev libcap-dev libjson-c-dev libnl-3-dev
libnl-route-3-dev libbpf-dev libelf-dev zlib1g-dev libdbus-1-dev busybox-static python3"
tests="clang clang-format libcmocka-dev gawk git curl gcovr procps"
check=""
for a in "$@"; do
	case $a in
	--check) check=1 ;;
	--demo) tests="" ;;
	*) echo "deps: unknown argument $a"; exit 2 ;;
	esac
done
missing=""
for p in $build $tests; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "missing packages:$missing"
[ -z "$check" ] || exit 1
[ "$(id -u)" = 0 ] || { echo "deps: needs root (apt-get install)"; exit 1; }
export DEBIAN_FRONTEND=noninteractive
# Progress stays visible, one line a package; another apt may be at work: wait for it.
apt="apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
$apt update || echo "deps: the package lists could not be renewed; trying with those that are here"
# shellcheck disable=SC2086
$apt install -y --no-install-recommends $missing
