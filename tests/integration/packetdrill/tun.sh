#!/bin/bash
# packetdrill itself, unmodified, inside a sandbox: its socket calls are the sentry's, its packets go through the
# sandbox's /dev/net/tun.  usage: tun.sh CSANDBOX PACKETDRILL GTESTS [-6] [SCRIPT...]: GTESTS is packetdrill's gtests
# directory, SCRIPTs are below GTESTS/net/tcp (all of them).  RUNTIME=runc: Linux in the same place (give it /dev/net/tun).
# Time is real, so on a busy machine scripts fail that pass on a quiet one: TOLERANCE (µs) says how late is late.
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
[ "$(id -u)" = 0 ] && [ -x "$pd" ] && [ -d "$base/usr/bin" ] || { echo "SKIP packetdrill over TUN: needs root, packetdrill, $base"; exit 0; }
. tests/lib/netrig.sh
trap rig_done EXIT
rig_up "${RUNTIME:-csandbox}" || exit 1
root=$rig_dir/$rig_n/a/root/root
cp -r "$gtests" "$root/gtests" && cp "$pd" "$root/packetdrill" && cp -r tests/integration/packetdrill/shim-tun "$root/shim" || exit 1
[ $# -gt 0 ] || mapfile -t scripts < <(cd "$gtests/net/tcp" && find . -name '*.pkt' ! -name "*$not" | sed 's,^\./,,' | sort)
[ $# = 0 ] || scripts=("$@")
$rt_cmd exec "$rig_id" sh -c 'mkdir -p /dev/net; [ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200' </dev/null
passed=0
for s in "${scripts[@]}"; do
	if timeout -k 1 90 $rt_cmd exec "$rig_id" unshare -n sh -c 'ip link set lo up; PATH=/root/shim:$PATH; export PATH; cd "/root/gtests/net/tcp/$(dirname "$1")" && shift &&
		exec timeout -k 1 60 "$@"' sh "$s" /root/packetdrill --send_omit_free --tolerance_usecs="${TOLERANCE:-20000}" $args "$(basename "$s")" \
		</dev/null >"$rig_dir/out" 2>&1; then
		echo "PASS $s"; passed=$((passed + 1))
	else
		echo "FAIL $s $(grep -v '^sysctl: ' "$rig_dir/out" | tail -3 | tr '\n' '|')"
	fi
done
echo "packetdrill over TUN: $passed of ${#scripts[@]} scripts pass in the sandbox"
