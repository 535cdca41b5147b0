#!/bin/bash
# programs.sh CSANDBOX [NAME...]: the command lines of programs.list, natively and in the sandbox, compared.
# ROOTFS_EXTRA is a directory laid over that root; a runsc of this machine is added as a static Go program.
# PLATFORMS (default systrap; ptrace; gvisor-PLATFORM runs runsc instead), ROOTFS_TAR (default build/rootfs.tar; MAKE_ROOTFS=1 makes it), KEEP=1 keeps outputs.
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1"); shift
tar=${ROOTFS_TAR:-build/rootfs.tar} base=$PWD/build/programs-root
passed=0 failed=0 skipped=0
finish() { echo "programs: $passed passed, $failed failed, $skipped skipped"; [ "$failed" = 0 ]; exit; }

[ -f "$tar" ] || [ -z "$MAKE_ROOTFS" ] || tests/integration/mkrootfs.sh "$tar"
if [ "$(id -u)" != 0 ] || [ ! -f "$tar" ]; then
	echo "skip programs: needs root and $tar (ROOTFS_TAR, or MAKE_ROOTFS=1)"
	skipped=1
	finish
fi
tests/lib/unpack.sh "$tar" "$base" || exit 1

# Programs list their descriptors: natively, too, they have no others.
for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || [ "$fd" = 255 ] || eval "exec $fd>&-"; done

work=$(mktemp -d)
unmount() { umount "$1/root" 2>/dev/null; umount "$1" 2>/dev/null; }
cleanup() { for d in "$work"/*/; do [ "$d" = "$work/extra/" ] || unmount "${d%/}"; done; [ -n "$KEEP" ] || rm -rf "$work"; }
trap cleanup EXIT
[ -z "$KEEP" ] || echo "outputs in $work"

mkdir -p "$work/extra/usr/local/bin"
cp "$(command -v runsc)" "$work/extra/usr/local/bin/" 2>/dev/null
lower=${ROOTFS_EXTRA:+$(realpath "$ROOTFS_EXTRA"):}$work/extra:$base

# A fresh root over the base, and the command in it.
prepare() {     # dir script
	mkdir -p "$1" && mount -t tmpfs tmpfs "$1" || exit 1
	mkdir -p "$1"/{root,up,wk}
	mount -t overlay overlay -o "lowerdir=$lower,upperdir=$1/up,workdir=$1/wk" "$1/root" || exit 1
	cp "$2" "$1/root/script"
}

native() {      # script: stdout and exit code to its files
	local d=$work/native
	prepare "$d" "$1"
	timeout -k 5 "${LIMIT:-300}" unshare -m -p -f -i -u -n --kill-child bash -c '
		mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
		mount --bind "$1/dev/pts/ptmx" "$1/dev/ptmx"; mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"; mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
		mount -t sysfs -o ro sys "$1/sys"; ulimit -n 1024
		cd "$1" && exec chroot "$1" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=xterm \
			bash -c "cd /tmp && exec bash /script"' - "$d/root" </dev/null >"$1.native" 2>"$1.native.err"
	echo "exit $?" >>"$1.native"
	unmount "$d"
}

sandboxed() {   # script platform
	local d=$work/$2 id=p-$$-$RANDOM cli
	prepare "$d" "$1"
	mkdir -p "$d/b"
	BUNDLE_ROOT=$d/root BUNDLE_CWD=/tmp tests/lib/bundle.py "$d/b" bash /script
	case $2 in gvisor-*) cli=runsc ;; *) cli=$bin ;; esac
	timeout -k 5 "$((${LIMIT:-300} * 2))" "$cli" --root "$work/state" --platform "${2#gvisor-}" --network=none run --bundle "$d/b" "$id" \
		</dev/null >"$1.$2" 2>"$1.$2.err"
	echo "exit $?" >>"$1.$2"
	"$cli" --root "$work/state" delete --force "$id" >/dev/null 2>&1
	unmount "$d"
}

# Cut the list into one script a block.
awk -v dir="$work" '/^### / { f = dir "/" $2; next } f { print >f }' tests/integration/programs.list
for name in $(sed -n 's/^### //p' tests/integration/programs.list); do
	s=$work/$name
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	native "$s"
	if missing=$(grep -hom1 '[^ :]*: command not found' "$s.native.err" "$s.native"); then
		echo "skip $name: ${missing%%:*} is not in the root file system"; skipped=$((skipped + 1)); continue
	fi
	for platform in ${PLATFORMS:-systrap}; do
		if [ "$platform" = native ]; then       # is the list deterministic?
			cp "$s" "$s-2"; native "$s-2"; mv "$s-2.native" "$s.native2"; mv "$s-2.native.err" "$s.native2.err"; platform=native2
		else
			sandboxed "$s" "$platform"
		fi
		if cmp -s "$s.native" "$s.$platform"; then
			echo "ok $name $platform"
			passed=$((passed + 1))
		else
			echo "not ok $name $platform"
			diff "$s.native" "$s.$platform" | head -${DIFF_LINES:-10} | sed 's/^/	/'
			tail -${ERR_LINES:-3} "$s.$platform.err" | sed 's/^/	stderr: /'
			failed=$((failed + 1))
		fi
	done
done
finish
