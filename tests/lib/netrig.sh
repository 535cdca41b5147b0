# netrig.sh: sourced by network tests and benchmarks; needs root, ip and a root file system in $base.
#
# rig_up RUNTIME makes two network namespaces joined by a veth pair: side a holds a container of RUNTIME
# (csandbox, runc, runsc: $rt_cmd), side b is Linux, in namespaces of its own; both have programs from $base,
# each through an overlay.  Nothing outside those namespaces is touched; rig_down removes all of it.
#   box CMD...   runs in the container (exec)          peer CMD...  runs at side b
# Addresses: container 10.77.0.1, fd77::1; peer 10.77.0.2, fd77::2; the peer also has 10.78.0.1 behind it.
rig_dir=$(mktemp -d)
chmod 755 "$rig_dir"
rig_n=0

rig_root() {    # dir: a fresh root over $base
	mkdir -p "$1"
	mount -t tmpfs tmpfs "$1" && mkdir -p "$1"/{root,up,wk} || return 1
	mount -t overlay overlay -o "lowerdir=$base,upperdir=$1/up,workdir=$1/wk" "$1/root" || return 1
	cp -L /etc/hosts "$1/root/etc/hosts" 2>/dev/null
	echo "nameserver 10.77.0.2" >"$1/root/etc/resolv.conf"
}

# With BADWIRE="SEED DROP DUP REORDER" a third namespace stands between, with badwire.py in it.
rig_veth() {    # a b: namespaces, links, addresses
	local n
	ip netns add "$1" && ip netns add "$2" || return 1
	if [ -n "$BADWIRE" ]; then
		ip netns add "$1w" || return 1
		ip link add va netns "$1" type veth peer name wa netns "$1w" || return 1
		ip link add vb netns "$2" type veth peer name wb netns "$1w" || return 1
		for n in wa wb; do ip netns exec "$1w" sh -c "echo 1 >/proc/sys/net/ipv6/conf/$n/disable_ipv6"; ip -n "$1w" link set $n up; done
		# shellcheck disable=SC2086
		ip netns exec "$1w" tests/lib/badwire.py wa wb $BADWIRE &
		rig_wire=$!
	else
		ip link add va netns "$1" type veth peer name vb netns "$2" || return 1
	fi
	for n in "$1 va 1" "$2 vb 2"; do
		set -- $n
		ip netns exec "$1" sh -c "echo 0 >/proc/sys/net/ipv6/conf/$2/accept_dad" 2>/dev/null
		ip -n "$1" link set lo up
		ip -n "$1" addr add 10.77.0.$3/24 brd + dev "$2"
		ip -n "$1" addr add fd77::$3/64 dev "$2" nodad
		ip -n "$1" link set "$2" up
	done
	ip -n "$1" addr add 10.78.0.1/32 dev lo
	ip -n "$1" addr add fd78::1/128 dev lo
}

rig_up() {      # runtime
	rig_rt=$1 rig_n=$((rig_n + 1))
	rig_a=nr$$a$rig_n rig_b=nr$$b$rig_n rig_id=nr-$$-$rig_n
	local d=$rig_dir/$rig_n i
	rig_veth "$rig_a" "$rig_b" || return 1
	ip -n "$rig_a" route add default via 10.77.0.2
	ip -n "$rig_a" -6 route add default via fd77::2
	sleep 1         # duplicate address detection of the link-local addresses
	rig_root "$d/a" && rig_root "$d/b" || return 1
	ip netns exec "$rig_b" unshare -m -p -f --kill-child sh -c '
		mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
		mount --bind "$1/dev/pts/ptmx" "$1/dev/ptmx"; mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"; mount -t sysfs -o ro sys "$1/sys"; exec sleep 100000' \
		- "$d/b/root" </dev/null >/dev/null 2>&1 &
	rig_unshare=$!
	for i in $(seq 50); do rig_peer=$(pgrep -P "$rig_unshare" -x sleep) && break; sleep 0.1; done
	mkdir -p "$rig_acct/$rig_id-peer" 2>/dev/null
	mkdir -p "$d/bundle"
	BUNDLE_HOST_CAPS=1 BUNDLE_CGROUP=/$rig_id BUNDLE_ROOT=$d/a/root BUNDLE_NETNS=/run/netns/$rig_a tests/lib/bundle.py "$d/bundle" sleep 100000 || return 1
	case $rig_rt in
	csandbox) rt_cmd="$bin --root $rig_dir/state-csandbox ${BOX_FLAGS}" ;;
	runsc)  # takes a namespace that shows net.core.rmem_default for the host's; newer kernels show it in all
		printf '#!/bin/sh\nexec unshare -m sh -c '\''mount --make-rprivate /; mount -t tmpfs none /proc/sys/net; exec runsc "$@"'\'' - "$@"\n' >"$rig_dir/runsc"
		chmod +x "$rig_dir/runsc"
		rt_cmd="$rig_dir/runsc --root $rig_dir/state-runsc" ;;
	*) rt_cmd="$rig_rt --root $rig_dir/state-$rig_rt" ;;
	esac
	$rt_cmd run --detach --bundle "$d/bundle" "$rig_id" </dev/null >"$rig_dir/log" 2>&1 || { cat "$rig_dir/log"; return 1; }
}

box() { $rt_cmd exec "$rig_id" "$@"; }
# Every command at side b is charged to a cgroup of its own, so that rig_cpu can tell.
rig_acct=/sys/fs/cgroup/cpuacct
peer() { rig_charge nsenter -t "$rig_peer" -m -p -n chroot "$rig_dir/$rig_n/b/root" env -i PATH="$PATH" HOME=/root LANG=C.UTF-8 "$@"; }

rig_charge() { sh -c 'echo $$ >"$0/cgroup.procs" 2>/dev/null; exec "$@"' "$rig_acct/$rig_id-peer" "$@"; }

# Seconds of CPU that the container and the peer have used so far; nothing without cgroup v1's cpuacct.
rig_cpu() { cat "$rig_acct/$rig_id/cpuacct.usage" "$rig_acct/$rig_id-peer/cpuacct.usage" 2>/dev/null | awk '{ printf "%.6f ", $1 / 1e9 }'; }

rig_down() {
	local d=$rig_dir/$rig_n
	[ -n "$rig_id" ] || return 0
	$rt_cmd delete --force "$rig_id" >/dev/null 2>&1 || { $rt_cmd kill "$rig_id" KILL; sleep 1; $rt_cmd delete --force "$rig_id"; } >/dev/null 2>&1
	[ -z "$rig_unshare" ] || kill -KILL "$rig_unshare" 2>/dev/null
	wait "$rig_unshare" 2>/dev/null
	[ -z "$rig_wire" ] || kill "$rig_wire" 2>/dev/null
	rig_wire=
	ip netns del "${rig_a}w" 2>/dev/null
	ip netns del "$rig_a" 2>/dev/null
	ip netns del "$rig_b" 2>/dev/null
	rmdir "$rig_acct/$rig_id-peer" 2>/dev/null
	umount -l "$d/a/root" "$d/a" "$d/b/root" "$d/b" 2>/dev/null
	rig_id=
}

rig_done() { rig_down; rm -rf "$rig_dir"; }
