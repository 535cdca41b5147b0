#!/bin/bash
# run.sh CSANDBOX: operations (micro.c), real programs (tree.sh) and whole sandboxes, natively, in csandbox (systrap,
# ptrace) and in the peers that are installed (runsc; runc and crun for start-up), side by side in one run.
#   CPUS=0         pin everything to one core               LOAD=1      a busy loop runs beside (on the same cores)
#   REPEATS=3      whole rounds, the kinds taking turns; medians of them are shown
#   ROWS="stat"    only these rows                          KINDS=...   only these, e.g. "native csandbox-systrap runsc"
#   ROOTFS_TAR=F   a Debian root file system with find, tar, gcc, python3: a tar file, or a directory (in which
#                  /var/tmp/bench is written); without it those rows are skipped
cd "$(dirname "$0")/../.." || exit 1
set -o pipefail
here=tests/bench
bin=$(realpath "$1"); lib=$PWD/tests/lib
[ "$(id -u)" = 0 ] || { echo "bench: needs root"; exit 1; }
# crun refuses a machine with both cgroup versions mounted.
if [ -z "$BENCH_NS" ]; then BENCH_NS=1 exec unshare -m "$0" "$bin"; fi
[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified
# In memory, so that no disk is measured (this mount namespace is ours).
w=$(mktemp -d); mount -t tmpfs -o mode=755 bench "$w" || exit 1; burner=
trap '[ -z "$burner" ] || kill $burner; umount -l "$w"; rmdir "$w"' EXIT
for p in micro timed; do ${CC:-gcc} -O2 -static -pthread -D_GNU_SOURCE -o "$w/$p" $here/$p.c || exit 1; done
export BUNDLE_HOST_CAPS=1
pin() { if [ -n "$CPUS" ]; then taskset -c "$CPUS" "$@"; else "$@"; fi; }
wanted() { [ -z "$ROWS" ] || case " $ROWS " in *" $1 "*) ;; *) false ;; esac; }
pick() {        # of these rows, those that are wanted
	for r in "$@"; do if wanted "$r"; then echo "$r"; fi; done
}

# ---- bundles and runtimes ----

busybox_bundle() {      # name args...
	local b=$w/$1; shift
	[ -d "$b" ] || { mkdir -p "$b"; "$lib/busybox_root.sh" "$b/rootfs"; cp "$w/micro" "$b/rootfs/bin/micro"; }
	"$lib/bundle.py" "$b" "$@"
	echo "$b"
}

debian_bundle() {       # name args...
	local b=$w/d-$1; shift
	mkdir -p "$b"
	BUNDLE_ROOT=$debian "$lib/bundle.py" "$b" "$@"
	echo "$b"
}

# through: writes go to the root file system; overlay: they stay in the sandbox.
runner() {      # runtime through|overlay id bundle
	local o
	case $1 in
	csandbox-*)
		[ "$2" = overlay ] && o=--overlay=memory || o=
		pin "$bin" --root "$w/state-$1" --platform "${1#csandbox-}" --network=none $o run --bundle "$4" "$3" ;;
	runsc)
		[ "$2" = overlay ] && o=root:memory || o=none
		pin runsc --root "$w/state-$1" --network=none --overlay2=$o run --bundle "$4" "$3" ;;
	*) pin "$1" --root "$w/state-$1" run --bundle "$4" "$3" ;;
	esac
}

log() { cat >>"$w/rows-$1" 2>/dev/null; }
failed() { echo "# $1 failed: $(tail -1 "$w/err")"; }

# ---- rows ----

micro_rows="getpid getppid pread-4k stat open-close pipe pipe-ping-pong futex-wake page-touch mmap-64k fork fork-exec thread signal"
tree_rows="find tar untar gcc python3"

micro() {       # runtime: in its /tmp
	local rows; rows=$(pick $micro_rows); [ -n "$rows" ] || return
	if [ "$1" = native ]; then pin "$w/micro" /tmp/micro-$$ $rows
	else runner "$1" through "m-$$" "$(busybox_bundle "$1" /bin/micro /tmp/micro $rows)"; fi 2>"$w/err" | log "$1" || failed "$1"
}

create() {      # runtime: create+write+unlink in the root file system
	local m
	wanted create-write-unlink || return
	if [ "$1" = native ]; then
		pin "$w/micro" "$w/micro-dir" create-write-unlink | sed p | sed '1s/unlink/unlink-through/; 2s/unlink/unlink-overlay/'
	else
		for m in through overlay; do
			runner "$1" $m "c-$$" "$(busybox_bundle "$1" /bin/micro /root/micro create-write-unlink)" | sed "s/unlink/unlink-$m/"
		done
	fi 2>"$w/err" | log "$1" || failed "$1"
}

tree() {        # runtime: real programs
	local rows; rows=$(pick $tree_rows); [ -n "$rows" ] || return
	if [ "$1" = native ]; then
		pin unshare -m -p -f -n bash -c 'mount -t proc proc "$1/proc"; mount -t tmpfs tmpfs "$1/tmp"; mount --rbind /dev "$1/dev"
			exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$@"' - "$debian" /bench/tree.sh /bench/timed $rows
	else
		runner "$1" through "t-$$" "$(debian_bundle "$1" /bench/tree.sh /bench/timed $rows)"
	fi 2>"$w/err" | log "$1" || failed "$1"
	wanted untar && [ "$1" != native ] || return
	runner "$1" overlay "u-$$" "$(debian_bundle "$1" /bench/tree.sh /bench/timed untar)" 2>"$w/err" |
		sed s/untar/untar-overlay/ | log "$1" || failed "$1"
}

startup() {     # runtime: run /bin/true
	local b t0 i
	wanted run-true && [ "$1" != native ] || return
	b=$(busybox_bundle "$1" /bin/true)
	for i in 0 1 2 3 4 5; do
		t0=$(date +%s%N); runner "$1" through "s-$$-$i" "$b" >/dev/null 2>"$w/err" || { failed "$1"; return; }
		[ $i = 0 ] || echo "run-true $(($(date +%s%N) - t0))"
	done | log "$1"
}

# KiB of PSS and context switches a second of all processes of an idle sandbox, with nothing else of its kind running.
idle() {        # runtime
	local id=i-$$ b
	wanted idle && [ "$1" != native ] || return
	b=$(busybox_bundle "$1" /bin/sleep 60)
	runner "$1" through "$id" "$b" >/dev/null 2>&1 &
	sleep 3
	$here/idle.py $! "$w/state-$1" | log "$1"
	case $1 in
	csandbox-*) "$bin" --root "$w/state-$1" kill "$id" KILL ;;
	*) "$1" --root "$w/state-$1" kill "$id" KILL ;;
	esac >/dev/null 2>&1
	wait $!
}

kinds="native csandbox-systrap csandbox-ptrace" peers=
for k in runsc runc crun; do command -v $k >/dev/null && peers="$peers $k"; done
kinds=${KINDS:-$kinds$peers}
echo "# $(nproc) cores; CPUS=${CPUS:-all} LOAD=${LOAD:-0} REPEATS=${REPEATS:-3}; load $(cut -d' ' -f1 /proc/loadavg)"
if [ -z "$ROOTFS_TAR" ]; then
	for r in $(pick $tree_rows); do echo "# $r skipped: ROOTFS_TAR is not set"; done
elif [ -d "$ROOTFS_TAR" ]; then
	debian=$(realpath "$ROOTFS_TAR")
else
	debian=$w/debian; mkdir "$debian" && tar -xf "$ROOTFS_TAR" -C "$debian" || exit 1
fi
if [ -n "$debian" ]; then mkdir -p "$debian/bench"; cp "$w/timed" $here/tree.sh "$debian/bench"; fi
if [ "$LOAD" = 1 ]; then
	{ [ -z "$CPUS" ] || taskset -cp "$CPUS" $BASHPID >/dev/null; exec sh -c 'while :; do :; done'; } & burner=$!
fi
for i in $(seq "${REPEATS:-3}"); do
	for k in $kinds; do
		case $k in runc | crun) ;; *) micro "$k"; create "$k"; [ -z "$debian" ] || tree "$k" ;; esac
		startup "$k"
		[ "$i" != 1 ] || idle "$k"
	done
done
$here/report.py "$w" $kinds
