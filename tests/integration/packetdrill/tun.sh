#!/bin/bash
# packetdrill itself, unmodified, inside a sandbox: its socket calls are the sentry's, its packets go through the
# sandbox's /dev/net/tun.  usage: tun.sh CSANDBOX PACKETDRILL GTESTS [-6] [SCRIPT...]: GTESTS is packetdrill's gtests
# directory, SCRIPTs are below GTESTS/net/tcp (all of them).  RUNTIME=runc: Linux in the same place (give it /dev/net/tun);
# RUNTIME=native: Linux, in a network namespace of its own for each script.
# Time is real, so on a busy machine scripts fail that pass on a quiet one: TOLERANCE (µs) says how late is late, TRIES how
# often a script may be tried.  NATIVE=FILE, the output of a native run: of those that pass there how many pass is told in the end.
# Programs come from PROGRAMS_ROOT (default build/programs-root).  By hand; needs root.
cd "$(dirname "$0")/../../.." || exit 1
bin=$(realpath "$1") pd=$(realpath "$2") gtests=$(realpath "$3") base=${PROGRAMS_ROOT:-$PWD/build/programs-root}
shift 3
args='--ip_version=ipv4 --local_ip=192.168.0.1 --gateway_ip=192.168.0.1 --netmask_ip=255.255.0.0 --remote_ip=192.0.2.1
	-D TFO_COOKIE=3021b9d889017eeb -D CODE=host_unreachable -D CMSG_LEVEL_IP=SOL_IP -D CMSG_TYPE_RECVERR=IP_RECVERR' not=-v6.pkt
if [ "$1" = -6 ]; then
	args='--ip_version=ipv6 --mtu=1520 --local_ip=fd3d:0a0b:17d6::1 --gateway_ip=fd3d:0a0b:17d6:8888::1 --remote_ip=fd3d:fa7b:d17d::1
		-D TFO_COOKIE=c1d1e9742a47a9bc -D CMSG_LEVEL_IP=SOL_IPV6 -D CMSG_TYPE_RECVERR=IPV6_RECVERR' not=-v4.pkt
	shift
fi
rt=${RUNTIME:-csandbox}
[ "$(id -u)" = 0 ] && [ -x "$pd" ] && { [ "$rt" = native ] || [ -d "$base/usr/bin" ]; } || { echo "SKIP packetdrill over TUN: needs root, packetdrill, $base"; exit 0; }
. tests/lib/netrig.sh
trap rig_done EXIT
if [ "$rt" = native ]; then
	mkdir "$rig_dir/shim"
	command -v ifconfig >/dev/null || cp tests/integration/packetdrill/shim-tun/ifconfig "$rig_dir/shim"
	where="unshare -n" shim=$rig_dir/shim tcp=$gtests/net/tcp
else
	rig_up "$rt" || exit 1
	root=$rig_dir/$rig_n/a/root/root
	cp -r "$gtests" "$root/gtests" && cp "$pd" "$root/packetdrill" && cp -r tests/integration/packetdrill/shim-tun "$root/shim" || exit 1
	where="$rt_cmd exec $rig_id unshare -n" shim=/root/shim tcp=/root/gtests/net/tcp pd=/root/packetdrill
	$rt_cmd exec "$rig_id" sh -c 'mkdir -p /dev/net; [ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200' </dev/null
fi
[ $# -gt 0 ] || mapfile -t scripts < <(cd "$gtests/net/tcp" && find . -name '*.pkt' ! -name "*$not" | sed 's,^\./,,' | sort)
[ $# = 0 ] || scripts=("$@")

attempt() {     # script
	timeout -k 1 90 $where sh -c 'ip link set lo up; PATH=$1:$PATH; export PATH; cd "$2/$(dirname "$3")" && shift 3 && exec timeout -k 1 60 "$@"' \
		sh "$shim" "$tcp" "$1" "$pd" --send_omit_free --tolerance_usecs="${TOLERANCE:-20000}" $args "$(basename "$1")" \
		</dev/null >"$rig_dir/out" 2>&1
}

passed=0 both=0 native=0
for s in "${scripts[@]}"; do
	ok=FAIL
	for _ in $(seq "${TRIES:-1}"); do attempt "$s" && ok=PASS && break; done
	[ $ok = PASS ] && why= || why=$(grep -v '^sysctl: ' "$rig_dir/out" | tail -3 | tr '\n' '|')
	echo "$ok $s $why"
	[ $ok = FAIL ] || passed=$((passed + 1))
	[ -n "$NATIVE" ] && grep -q "^PASS $s\\( \\|$\\)" "$NATIVE" || continue
	native=$((native + 1))
	[ $ok = FAIL ] || both=$((both + 1))
done
echo "packetdrill over TUN: $passed of ${#scripts[@]} scripts pass in the ${rt/csandbox/sandbox}"
[ -z "$NATIVE" ] || echo "packetdrill over TUN: of the $native that pass natively $both"
