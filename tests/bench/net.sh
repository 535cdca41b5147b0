#!/bin/bash
# net.sh CSANDBOX: network rows, side by side in one run: runc (Linux' own stack), csandbox and, when it is installed, gVisor.
# Each container stands at one end of a veth pair, Linux at the other (tests/lib/netrig.sh).  Programs come from
# ROOTFS_TAR (default build/rootfs.tar) or PROGRAMS_ROOT.  Medians of ROUNDS (3) rounds, the kinds taking turns; SECONDS_ROW
# (3) a row; KINDS, ROWS choose; IDLE is the number of idle connections (10000, as far as ulimit -n allows).
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") tar=${ROOTFS_TAR:-build/rootfs.tar} base=${PROGRAMS_ROOT:-$PWD/build/programs-root}
secs=${SECONDS_ROW:-3}
[ "$(id -u)" = 0 ] || { echo "skip bench net: needs root"; exit 0; }
if [ -z "$PROGRAMS_ROOT" ]; then
	[ -f "$tar" ] || { echo "skip bench net: needs $tar"; exit 0; }
	tests/lib/unpack.sh "$tar" "$base" || exit 1
fi
. tests/lib/netrig.sh
trap rig_done EXIT
${CC:-gcc} -O2 -static -D_GNU_SOURCE -o "$rig_dir/net" tests/bench/net.c || exit 1
kinds=${KINDS:-runc csandbox runsc}
b() { timeout -k 1 "${LIMIT:-60}" $rt_cmd exec "$rig_id" "$@"; }
p() { rig_charge timeout -k 1 "${LIMIT:-60}" nsenter -t "$rig_peer" -m -p -n chroot "$rig_dir/$rig_n/b/root" env -i PATH="$PATH" HOME=/root "$@"; }
want() { [ -z "$ROWS" ] || [[ " $ROWS " == *" $1 "* ]]; }
row() { [ -z "$2" ] || echo "$1 $rig_rt $2" >>"$rig_dir/rows"; }

iperf() {       # row side host port options: Gbit/s, and seconds of CPU a GB of the container and of both ends
	local name=$1 side=$2 host=$3 port=$4 a z
	shift 4
	want "$name" || return
	a=$(rig_cpu)
	$side iperf3 -J -c "$host" -p "$port" -t "$secs" "$@" >"$rig_dir/json" 2>/dev/null
	z=$(rig_cpu)
	echo "$a $z" | python3 -c '
import json, sys
name, kind, path = sys.argv[1:]
f = [float(x) for x in sys.stdin.read().split()]
try:
    r = json.load(open(path))["end"]["sum_received"]
except (KeyError, ValueError):
    sys.exit()
print(f"{name}:Gbit/s", kind, r["bits_per_second"] / 1e9)
if len(f) == 4 and r["bytes"]:
    g = r["bytes"] / 1e9
    print(f"{name}:cpu-s/GB", kind, (f[2] - f[0]) / g)
    print(f"{name}:cpu-s/GB-both-ends", kind, (f[2] - f[0] + f[3] - f[1]) / g)
' "$name" "$rig_rt" "$rig_dir/json" >>"$rig_dir/rows"
}

# redis-benchmark stops by count only: first find out how many fill the time.
redis_timed() {
	local name=$1 side=$2 host=$3 n=2000 r
	shift 3
	want "$name" || return
	r=$($side redis-benchmark -h "$host" --csv -t get -n $n "$@" 2>/dev/null | sed -n 's/^"GET","\([0-9]*\).*/\1/p')
	[ -n "$r" ] && [ "$r" -gt 0 ] || return
	row "$name:requests/s" "$($side redis-benchmark -h "$host" --csv -t get -n $((r * secs)) "$@" 2>/dev/null | sed -n 's/^"GET","\([0-9.]*\).*/\1/p')"
}

pss() { local i; for i in $(cat "$rig_acct/$rig_id/cgroup.procs" 2>/dev/null); do cat "/proc/$i/smaps_rollup" 2>/dev/null; done | awk '/^Pss:/ { k += $2 } END { print k + 0 }'; }
slab() { awk '/^Slab:/ { print $2 }' /proc/meminfo; }
idle_memory() { # KiB a connection that does nothing: of the container's processes, or (runc) of the kernel, both ends halved
	local n=${IDLE:-10000} a z fifo=$rig_dir/hold pid
	want idle || return
	n=$((n < $(ulimit -Hn) - 100 ? n : $(ulimit -Hn) - 100))
	rm -f "$fifo"; mkfifo "$fifo"
	case $rig_rt in runc) a=$(slab) ;; *) a=$(pss) ;; esac
	p /net hold 10.77.0.1 7000 "$n" <"$fifo" >"$rig_dir/held" 2>&1 &
	pid=$!
	exec 8>"$fifo"
	for _ in $(seq 600); do grep -q . "$rig_dir/held" && break; sleep 0.1; done
	sleep 1
	case $rig_rt in runc) z=$(slab); z=$(((z - a) / 2 + a)) ;; *) z=$(pss) ;; esac
	grep -q ready "$rig_dir/held" && row idle:KiB/connection "$(awk -v a="$a" -v z="$z" -v n="$n" 'BEGIN { printf "%.3f", (z - a) / n }')"
	exec 8>&-
	wait "$pid"
}

round() {       # kind
	rig_up "$1" || { echo "# $1 does not start"; rig_down; return; }
	cp "$rig_dir/net" "$rig_dir/$rig_n/a/root/net"; cp "$rig_dir/net" "$rig_dir/$rig_n/b/root/net"
	p iperf3 -s -D >/dev/null 2>&1
	b iperf3 -s -D -p 5300 >/dev/null 2>&1
	b sh -c 'redis-server --save "" --protected-mode no --daemonize yes; mkdir -p /srv/www; head -c 1024 /dev/zero >/srv/www/k; chmod -R a+rX /srv
		echo "daemon on; pid /tmp/n; error_log /dev/null; worker_processes 1; events { worker_connections 512; } http { access_log off; server { listen 80; root /srv/www; } }" >/tmp/nginx.conf
		nginx -c /tmp/nginx.conf; /net serve 7000 >/dev/null 2>&1 </dev/null &' >/dev/null 2>&1
	sleep 1
	iperf veth-out b 10.77.0.2 5201
	iperf veth-in b 10.77.0.2 5201 -R
	iperf veth-out-64 b 10.77.0.2 5201 -P 64
	iperf veth-in-64 b 10.77.0.2 5201 -P 64 -R
	iperf loopback b 127.0.0.1 5300
	want pingpong && row pingpong:us "$(p /net pingpong 10.77.0.1 7000 "$secs")"
	want pingpong-self && row pingpong-self:us "$(b /net pingpong 127.0.0.1 7000 "$secs")"
	want connect && row connect:1/s "$(p /net connect 10.77.0.1 7000 "$secs")"
	redis_timed redis-P1 p 10.77.0.1
	redis_timed redis-P16 p 10.77.0.1 -P 16
	redis_timed redis-P1-self b 127.0.0.1
	want nginx && row nginx:requests/s "$(p wrk -t 1 -c 32 -d "$secs" http://10.77.0.1/k 2>/dev/null | awk '/Requests\/sec/ { print $2 }')"
	idle_memory
	rig_down
}

: >"$rig_dir/rows"
for _ in $(seq "${ROUNDS:-3}"); do
	for k in $kinds; do command -v "$k" >/dev/null || [ "$k" = csandbox ] || continue; round "$k"; done
done
# shellcheck disable=SC2086
python3 - "$rig_dir/rows" $kinds <<'PY'
import statistics
import sys

kinds, rows = sys.argv[2:], {}
for line in open(sys.argv[1]):
    name, kind, value = line.split()
    rows.setdefault(name, {}).setdefault(kind, []).append(float(value))
print(f"{'(ratio: 2 is twice as good as the first)':38}" + "".join(f"{k:>22}" for k in kinds))
for name, by_kind in rows.items():
    less_is_more = not name.endswith("/s")
    mid = {k: statistics.median(v) for k, v in by_kind.items()}
    first, text = mid.get(kinds[0]), f"{name:38}"
    for k in kinds:
        v = mid.get(k)
        if v is None:
            text += f"{'-':>22}"
            continue
        ratio = (first / v if less_is_more else v / first) if first and v else 0
        text += f"{v:>13.2f}" + (f" ({ratio:5.2f})" if k != kinds[0] and ratio else "        ")
    print(text)
PY
