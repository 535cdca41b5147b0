#!/bin/bash
# soak.sh CSANDBOX [MINUTES]: mixed traffic for 30 minutes between a sandbox and Linux over a veth pair, and the memory of
# the sentry while it goes on: it must not grow.  By hand, on a machine that may be busy (it runs niced).  Programs come
# from ROOTFS_TAR (default build/rootfs.tar) or PROGRAMS_ROOT.
#
# A cycle is ROUNDS (4) rounds of traffic and then DRAIN (65) seconds of silence, in which TIME_WAITs end.  What is resident while
# traffic goes on depends on how many connections a round makes, so on the load of the machine; what is left after the silence
# does not.  A row a cycle: minute, resident KiB before and after the silence, KiB and number of objects in use after it (tests/lib/arena.py; 0 0
# without gdb), rounds done, rounds with a failure.  The verdict is about the silences: the first cycle is warm-up; of the others
# the median of the second half may exceed that of the first by SLACK percent (4), objects in use by USED percent (1) and their bytes by 32 KiB (an array that doubled, for the most at once so far).
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") minutes=${2:-30} tar=${ROOTFS_TAR:-build/rootfs.tar} base=${PROGRAMS_ROOT:-$PWD/build/programs-root}
[ "$(id -u)" = 0 ] || { echo "skip soak: needs root"; exit 0; }
if [ -z "$PROGRAMS_ROOT" ]; then
	[ -f "$tar" ] || { echo "skip soak: needs $tar"; exit 0; }
	tests/lib/unpack.sh "$tar" "$base" || exit 1
fi
. tests/lib/netrig.sh
trap rig_done EXIT
renice -n 15 $$ >/dev/null
rig_up csandbox || { echo "not ok soak: the sandbox does not start"; exit 1; }
b() { timeout -k 1 60 $rt_cmd exec "$rig_id" "$@" </dev/null; }
p() { timeout -k 1 60 nsenter -t "$rig_peer" -m -p -n chroot "$rig_dir/$rig_n/b/root" env -i PATH="$PATH" HOME=/root "$@" </dev/null; }
for i in $(pgrep -x sentry); do tr '\0' ' ' <"/proc/$i/cmdline" | grep -q "$rig_id" && sentry=$i; done
[ -n "$sentry" ] || { echo "not ok soak: which process is the sentry?"; exit 1; }
# Not the pages of our own file that were touched: those the host takes back when it likes.
resident() { awk '/^Rss(Anon|Shmem):/ { n += $2 } END { print n }' "/proc/$sentry/status"; }
in_use() { tests/lib/arena.py "$sentry" "$bin" 2>/dev/null | awk '{ print $6, $8; n++ } END { if (!n) print 0, 0 }'; }

servers() {     # side
	$1 sh -c 'iperf3 -s -D; iperf3 -s -D -p 5202; redis-server --save "" --protected-mode no --bind 0.0.0.0 -::0 --daemonize yes --dir /tmp
		mkdir -p /srv/www && head -c 4000000 /dev/urandom >/srv/www/big && head -c 1024 /dev/zero >/srv/www/k && chmod -R a+rX /srv
		echo "daemon on; pid /tmp/n; error_log /dev/null; worker_processes 1; events { worker_connections 512; } http { access_log off; server { listen 80; listen [::]:80; root /srv/www; } }" >/tmp/nginx.conf
		nginx -c /tmp/nginx.conf' >/dev/null 2>&1
}
# One round; each line is one kind of traffic, and a failure of any counts.
traffic() {
	local bad=0
	b iperf3 -c 10.77.0.2 -t 2 -b 200M >/dev/null || bad=1
	b iperf3 -c fd77::2 -t 2 -b 200M -R -P 8 >/dev/null || bad=1
	p iperf3 -c 10.77.0.1 -t 2 -u -b 20M >/dev/null || bad=1
	b iperf3 -c 10.77.0.2 -t 2 -u -b 20M -l 8000 >/dev/null || bad=1
	b iperf3 -c 127.0.0.1 -p 5202 -t 2 -b 200M >/dev/null || bad=1
	p redis-benchmark -h 10.77.0.1 -q -n 2000 -c 20 -t get,set,lpush >/dev/null || bad=1
	b redis-benchmark -h fd77::2 -q -n 2000 -P 16 -t get,set >/dev/null || bad=1
	p wrk -t 1 -c 16 -d 2 http://10.77.0.1/k >/dev/null || bad=1
	p wrk -t 1 -c 8 -d 2 -H 'Connection: close' 'http://[fd77::1]/k' >/dev/null || bad=1
	b curl -sS -o /dev/null -o /dev/null http://10.77.0.2/big http://127.0.0.1/big || bad=1
	p ping -q -f -c 500 -s 3000 10.77.0.1 >/dev/null || bad=1
	b sh -c 'nc -w 1 10.77.0.2 9; nc -w 1 127.0.0.1 9; ss -tan; ip addr; true' >/dev/null 2>&1 || bad=1
	return $bad
}

servers b; servers p
sleep 2
begin=$SECONDS rounds=0 failed=0
: >"$rig_dir/rows"
echo "# minute resident-KiB-busy resident-KiB-silent used-KiB objects rounds failed"
while [ $((SECONDS - begin)) -lt $((minutes * 60)) ]; do
	for _ in $(seq "${ROUNDS:-4}"); do
		traffic 2>/dev/null || failed=$((failed + 1))
		rounds=$((rounds + 1))
	done
	busy=$(resident)
	sleep "${DRAIN:-65}"
	[ -d "/proc/$sentry" ] || { echo "not ok soak: the sentry is gone"; exit 1; }
	echo "$(((SECONDS - begin) / 60)) $busy $(resident) $(in_use) $rounds $failed" | tee -a "$rig_dir/rows"
done
[ -z "$ARENA_OUT" ] || tests/lib/arena.py "$sentry" "$bin" all >"$ARENA_OUT"
awk -v slack="${SLACK:-4}" -v uslack="${USED:-1}" '
NR > 1 { n++; v[n] = $3; u[n] = $4; o[n] = $5 }
function median(x, from, to,  n, i, j, t, a) {
	for (i = from; i <= to; i++) a[++n] = x[i]
	for (i = 2; i <= n; i++) for (j = i; j > 1 && a[j - 1] > a[j]; j--) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
	return a[int((n + 1) / 2)]
}
function grew(x, percent) { return median(x, h + 1, n) > median(x, 1, h) * (100 + percent) / 100 }
END {
	if (n < 4) { print "# too short for a verdict"; exit }
	h = int(n / 2)
	bad = grew(v, slack) || median(u, h + 1, n) > median(u, 1, h) + 32 || grew(o, uslack)
	printf "%s soak: after silence, first half and second: resident %d, %d KiB; in use %d, %d KiB; %d, %d objects\n",
		bad ? "not ok" : "ok", median(v, 1, h), median(v, h + 1, n), median(u, 1, h), median(u, h + 1, n), median(o, 1, h), median(o, h + 1, n)
	exit bad
}' "$rig_dir/rows"
