#!/bin/bash
# interop.sh CSANDBOX [NAME...]: network programs in a sandbox against Linux at the other end of a veth pair, in
# namespaces made here.  Programs come from ROOTFS_TAR (default build/rootfs.tar); what is missing there is skipped
# by name.  RUNTIME=runc runs the same with Linux on both sides; SIZE is that of the big file in MiB (64; 1024 by hand);
# BADWIRE="SEED DROP DUP REORDER" (of 1000 frames) is the wire of the lossy part.
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1"); shift
only=" $* "
tar=${ROOTFS_TAR:-build/rootfs.tar} base=$PWD/build/programs-root passed=0 failed=0 skipped=0
finish() { echo "interop: $passed passed, $failed failed, $skipped skipped"; [ "$failed" = 0 ]; exit; }
skip() { echo "skip interop${1:+ $1}: $2"; skipped=$((skipped + 1)); }
[ "$(id -u)" = 0 ] && command -v ip >/dev/null && command -v nsenter >/dev/null || { skip "" "needs root, ip and nsenter"; finish; }
if [ -z "$PROGRAMS_ROOT" ]; then
	[ -f "$tar" ] || { skip "" "needs $tar (ROOTFS_TAR, or make it with tests/integration/mkrootfs.sh)"; finish; }
	tests/lib/unpack.sh "$tar" "$base" || exit 1
else
	base=$PROGRAMS_ROOT
fi
. tests/lib/netrig.sh
trap rig_done EXIT
rig_up "${RUNTIME:-csandbox}" || { echo "not ok interop: the sandbox does not start"; failed=1; finish; }

# t NAME PROGRAMS COMMAND...: one check; programs that are not in the root file system skip it
t() {
	local name=$1 need=$2 p
	shift 2
	[ "$only" = "  " ] || [[ $only == *" $name "* ]] || return
	for p in $need; do
		ls -d "$base"/usr/{bin,sbin}/"$p" 2>/dev/null | grep -q . || { skip "$name" "no $p"; return; }
	done
	local t0=$SECONDS
	if "$@" >"$rig_dir/out" 2>&1 </dev/null; then
		echo "ok $name ($((SECONDS - t0)) s)"; passed=$((passed + 1))
	else
		echo "not ok $name ($((SECONDS - t0)) s)"; tail -${LINES_SHOWN:-6} "$rig_dir/out" | sed 's/^/	/'; failed=$((failed + 1))
	fi
}
lim() { local n=$1; shift; timeout -k 1 "$n" "$@"; }
b() { lim "${LIMIT:-30}" $rt_cmd exec "$rig_id" "$@"; }
bsh() { b sh -c "$1"; }
p() { rig_charge timeout -k 1 "${LIMIT:-30}" nsenter -t "$rig_peer" -m -p -n chroot "$rig_dir/$rig_n/b/root" env -i PATH="$PATH" HOME=/root LANG=C.UTF-8 "$@"; }
psh() { p sh -c "$1"; }
wait_port() { local i; for i in $(seq 50); do "$1" sh -c "ss -Hltn sport = :$2 | grep -q LISTEN" && return; sleep 0.1; done; echo "nobody listens on $2"; return 1; }

# ---- addresses, routes, sockets
has_addresses() { bsh 'ip addr show dev va; ip route; ip -6 route' >"$rig_dir/o" 2>&1; cat "$rig_dir/o"
	grep -q 'inet 10.77.0.1/24' "$rig_dir/o" && grep -q 'inet6 fd77::1/64' "$rig_dir/o" && grep -q 'default via 10.77.0.2' "$rig_dir/o" && grep -q 'default via fd77::2' "$rig_dir/o"; }
t ip-addr-route ip has_addresses
t ip-neigh "ip ping" bsh 'ping -c 1 -W 2 10.77.0.2 && ip neigh show 10.77.0.2 | grep -E "lladdr .* (REACHABLE|DELAY|STALE)"'
t ping ping b ping -c 3 -i 0.2 10.77.0.2
t ping6 ping b ping -c 3 -i 0.2 fd77::2
t ping-gateway ping b ping -c 2 -i 0.2 10.78.0.1
t ping-big ping bsh 'ping -c 3 -i 0.2 -s 20000 10.77.0.2 && ping -c 3 -i 0.2 -s 20000 fd77::2'
t ping-from-peer ping psh 'ping -c 3 -i 0.2 10.77.0.1 && ping -c 3 -i 0.2 fd77::1 && ping -c 2 -i 0.2 -s 20000 10.77.0.1'
t ping-flood ping psh 'ping -q -f -c 2000 10.77.0.1 | grep -E " 0(\.[0-9]+)?% packet loss"'
t ping-df ping bsh 'ping -M do -c 1 -s 1472 10.77.0.2 && ! ping -M do -c 1 -s 1473 10.77.0.2'
t traceroute-udp traceroute bsh 'traceroute -n -q 1 -w 2 10.78.0.1 | grep -E "1 +10.78.0.1 "'
t traceroute-icmp traceroute bsh 'traceroute -I -n -q 1 -w 2 10.78.0.1 | grep -E "1 +10.78.0.1 "'
t traceroute-tcp traceroute bsh 'traceroute -T -p 81 -n -q 1 -w 2 10.78.0.1 | grep -E "1 +10.78.0.1 "'
t traceroute6 traceroute bsh 'traceroute -6 -n -q 1 -w 2 fd78::1 | grep -E "1 +fd78::1 "'
t traceroute-to-sandbox traceroute psh 'traceroute -n -q 1 -w 2 10.77.0.1 | grep -E "1 +10.77.0.1 " && traceroute -6 -n -q 1 -w 2 fd77::1 | grep -E "1 +fd77::1 "'
t refused "nc" bsh 'nc -v -w 2 10.77.0.2 9 2>&1 | grep refused'

# ---- iperf3, both ways; the sandbox as client and as server
iperf() {       # client-side (b|p) address options...: some data must have passed both ends
	local c=$1 h=$2; shift 2
	$c iperf3 -J -c "$h" -t 1 "$@" >"$rig_dir/json" || { grep '"error"' "$rig_dir/json"; return 1; }
	python3 - "$rig_dir/json" <<'PY'
import json, sys
e = json.load(open(sys.argv[1]))["end"]
s = e.get("sum_received") or e["sum"]
print(f"{s['bits_per_second'] / 1e9:.3f} Gbit/s, lost {s.get('lost_percent', 0):.1f} %")
sys.exit(not (s["bytes"] > 100000 and s.get("lost_percent", 0) < 60))
PY
}
start_iperf() {
	[ -x "$base/usr/bin/iperf3" ] || return
	p iperf3 -s -D -p 5201 >/dev/null 2>&1; b iperf3 -s -D -p 5202 >/dev/null 2>&1
	wait_port p 5201; wait_port b 5202
}
start_iperf
for v in 4 6; do
	case $v in 4) ph=10.77.0.2 bh=10.77.0.1 ;; 6) ph=fd77::2 bh=fd77::1 ;; esac
	for n in 1 64; do
		t "iperf3-tcp$v-$n-out" iperf3 iperf b $ph -P $n
		t "iperf3-tcp$v-$n-in" iperf3 iperf b $ph -P $n -R
		t "iperf3-tcp$v-$n-server-in" iperf3 iperf p $bh -p 5202 -P $n
		t "iperf3-tcp$v-$n-server-out" iperf3 iperf p $bh -p 5202 -P $n -R
		rate=$((200 / n))M
		t "iperf3-udp$v-$n-out" iperf3 iperf b $ph -u -b $rate -P $n
		t "iperf3-udp$v-$n-in" iperf3 iperf b $ph -u -b $rate -P $n -R
	done
	t "iperf3-udp$v-frag" iperf3 iperf b $ph -u -b 100M -l 8000
	t "iperf3-tcp$v-both" iperf3 iperf b $ph --bidir
done
t iperf3-mss iperf3 iperf b 10.77.0.2 -M 600
t iperf3-window iperf3 iperf b 10.77.0.2 -w 32K
t iperf3-zerocopy iperf3 iperf b 10.77.0.2 -Z

# ---- HTTP
nginx_conf='daemon on; pid /tmp/nginx.pid; error_log /tmp/nginx.err; worker_processes 1; events { worker_connections 512; } http { access_log off; sendfile on;
	client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
	server { listen 80; listen [::]:80; root /srv/www; location / { } location /up { client_max_body_size 2g; dav_methods PUT; } } }'
make_www() { echo "mkdir -p /srv/www /tmp/b && echo hello >/srv/www/small && dd if=/dev/urandom of=/srv/www/big bs=1M count=${SIZE:-64} 2>/dev/null && cd /srv/www && sha256sum big >big.sum && chmod -R a+rX /srv"; }
start_nginx() {
	local side
	local LIMIT=$((60 + ${SIZE:-64}))
	[ -x "$base/usr/sbin/nginx" ] || return
	for side in b p; do
		$side sh -c "$(make_www) && echo '$nginx_conf' >/tmp/nginx.conf && nginx -c /tmp/nginx.conf" || echo "# nginx does not start at side $side"
		wait_port $side 80
	done
}
start_nginx
fetch='rm -f /tmp/big; curl -sS --max-time 120 -o /tmp/big http://HOST/big && curl -sS http://HOST/big.sum | sed s,big,/tmp/big, | sha256sum -c; r=$?; rm -f /tmp/big; exit $r'
LIMIT=150
t curl-out "curl nginx" bsh "${fetch//HOST/10.77.0.2}"
t curl-out6 "curl nginx" bsh "${fetch//HOST/[fd77::2]}"
t curl-in "curl nginx" psh "${fetch//HOST/10.77.0.1}"
t curl-in6 "curl nginx" psh "${fetch//HOST/[fd77::1]}"
t curl-self "curl nginx" bsh "${fetch//HOST/127.0.0.1}"
t curl-range "curl nginx" psh 'test $(curl -sS -r 1000000-1999999 http://10.77.0.1/big | wc -c) = 1000000'
t curl-many "curl nginx" bsh 'for i in $(seq 100); do curl -sS http://10.77.0.2/small || exit 1; done | sort | uniq -c | grep "100 hello"'
LIMIT=30
wrk_ok() { local c=$1; shift; $c wrk "$@" >"$rig_dir/o"; cat "$rig_dir/o"; grep -q Requests/sec "$rig_dir/o" && ! grep -q 'Socket errors\|Non-2xx' "$rig_dir/o"; }
t wrk-out "wrk nginx" wrk_ok b -t 1 -c 32 -d 2 http://10.77.0.2/small
t wrk-in "wrk nginx" wrk_ok p -t 1 -c 32 -d 2 http://10.77.0.1/small
t wrk-in6 "wrk nginx" wrk_ok p -t 1 -c 32 -d 2 'http://[fd77::1]/small'
t wrk-close-in "wrk nginx" wrk_ok p -t 1 -c 8 -d 2 -H 'Connection: close' http://10.77.0.1/small

# ---- redis
start_redis() {
	local side
	[ -x "$base/usr/bin/redis-server" ] || return
	for side in b p; do $side redis-server --save '' --protected-mode no --bind 0.0.0.0 -::0 --daemonize yes --dir /tmp >/dev/null; wait_port $side 6379; done
}
start_redis
t redis-in redis-benchmark psh 'redis-benchmark -h 10.77.0.1 -q -n 5000 -t set,get,lpush,mset && redis-cli -h 10.77.0.1 dbsize'
t redis-pipeline-in redis-benchmark psh 'redis-benchmark -h 10.77.0.1 -q -n 20000 -P 16 -t set,get'
t redis-out redis-benchmark bsh 'redis-benchmark -h 10.77.0.2 -q -n 5000 -t set,get && redis-benchmark -h fd77::2 -q -n 5000 -P 16 -t get'
t redis-self redis-benchmark bsh 'redis-benchmark -q -n 5000 -t set,get'
t redis-big redis-cli psh 'head -c 30000000 /dev/urandom >/tmp/v; redis-cli -h 10.77.0.1 -x set big </tmp/v && redis-cli -h 10.77.0.1 get big | head -c 30000000 | cmp - /tmp/v'

# ---- ssh
if [ -x "$base/usr/sbin/sshd" ]; then
	p sh -c 'rm -rf /root/.ssh; mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/id_ed25519; cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys; ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/host'
	mkdir -p -m 700 "$rig_dir/$rig_n/a/root/root/.ssh"; cp -p "$rig_dir/$rig_n/b/root/root/.ssh"/* "$rig_dir/$rig_n/a/root/root/.ssh/"
	for side in b p; do
		$side sh -c 'mkdir -p /run/sshd && printf "Host *\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\nConnectTimeout 10\n" >/root/.ssh/config && /usr/sbin/sshd -h /root/.ssh/host -o PermitRootLogin=yes -o UsePAM=no -o PidFile=/tmp/sshd.pid' || echo "# sshd does not start at side $side"
		wait_port $side 22
	done
fi
t ssh-out "ssh sshd" bsh 'test "$(ssh 10.77.0.2 echo there)" = there'
t ssh-in "ssh sshd" psh 'test "$(ssh 10.77.0.1 hostname)" = sandbox'
t ssh-tty "ssh sshd" psh 'ssh -tt fd77::1 tty </dev/null | grep /dev/pts'
copy='head -c 20000000 /dev/urandom >/tmp/data && scp -q /tmp/data HOST:/tmp/g && scp -q HOST:/tmp/g /tmp/h && cmp /tmp/data /tmp/h'
t scp-out "scp sshd" bsh "${copy//HOST/10.77.0.2}"
t scp-in "scp sshd" psh "${copy//HOST/10.77.0.1}"

# ---- names
if [ -x "$base/usr/sbin/dnsmasq" ]; then
	p sh -c 'echo "user=root" >/tmp/d; for i in $(seq 60); do echo "host-record=many.test,10.1.0.$i" >>/tmp/d; done
		dnsmasq -C /tmp/d --no-resolv --no-hosts --host-record=one.test,10.9.8.7,fd99::7 --txt-record=long.test,$(head -c 250 /dev/zero | tr "\0" x) --pid-file=/tmp/dnsmasq.pid' || echo "# dnsmasq does not start"
	wait_port p 53
fi
t dns-udp "dig dnsmasq" bsh 'test "$(dig +short one.test)" = 10.9.8.7 && test "$(dig +short one.test AAAA)" = fd99::7'
t dns-tcp "dig dnsmasq" bsh 'test "$(dig +tcp +short one.test)" = 10.9.8.7'
t dns-udp6 "dig dnsmasq" bsh 'test "$(dig @fd77::2 +short one.test)" = 10.9.8.7'
t dns-truncated "dig dnsmasq" bsh 'test $(dig +noedns +short many.test | wc -l) = 60'
t dns-libc "getent dnsmasq" bsh 'getent ahosts one.test | grep 10.9.8.7 && ! getent hosts none.test'

# ---- what ss and ip tell
t ss-tcp "ss nc" bsh 'nc -l 7777 >/dev/null & a=$!; sleep 0.5; nc -d 127.0.0.1 7777 >/dev/null & b=$!; sleep 0.5; ss -tn | grep -E "ESTAB.*127.0.0.1:7777" && ss -tnie; r=$?; kill $a $b; exit $r'
t ss-udp "ss nc" bsh 'nc -u -l 7778 >/dev/null & sleep 0.5; ss -uln | grep ":7778"; r=$?; kill $!; exit $r'
t ip-change ip bsh 'ip addr add 10.77.0.9/24 dev va && ip link set va mtu 1400 && ip -s link show va | grep "mtu 1400" && ip addr del 10.77.0.9/24 dev va && ip link set va mtu 1500 && ip route add 10.80.0.0/16 via 10.77.0.2 && ip route get 10.80.1.1 | grep "via 10.77.0.2" && ip route del 10.80.0.0/16'

# ---- a bad line between the two
rig_down
BADWIRE=${BADWIRE:-1 30 10 50}
rig_up "${RUNTIME:-csandbox}" || { echo "not ok interop: the sandbox does not start"; failed=$((failed + 1)); finish; }
start_iperf
SIZE=8
start_nginx
start_redis
LIMIT=100
t lossy-ping ping bsh 'ping -q -c 50 -i 0.01 10.77.0.2 | grep -E " [0-9]+ received"'
t lossy-iperf3-out iperf3 iperf b 10.77.0.2
t lossy-iperf3-in iperf3 iperf b 10.77.0.2 -R
t lossy-iperf3-6-64-out iperf3 iperf b fd77::2 -P 64
t lossy-iperf3-6-64-in iperf3 iperf b fd77::2 -P 64 -R
t lossy-iperf3-udp iperf3 iperf b 10.77.0.2 -u -b 20M
t lossy-curl-out "curl nginx" bsh "${fetch//HOST/10.77.0.2}"
t lossy-curl-in "curl nginx" psh "${fetch//HOST/10.77.0.1}"
t lossy-wrk-in "wrk nginx" psh 'wrk -t 1 -c 8 -d 2 http://10.77.0.1/small | grep Requests/sec'
t lossy-redis redis-benchmark psh 'redis-benchmark -h 10.77.0.1 -q -n 500 -t set,get'
finish
