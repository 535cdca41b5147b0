#!/bin/bash
# links.sh CSANDBOX: what carries a sandbox's frames: a packet socket, a macvtap, a TAP in a bridge, AF_XDP.  Each in
# network namespaces of its own, against Linux over a veth pair: ping, bulk both ways with checksums, IPv4 and IPv6, who holds
# which descriptor; then what the host cannot do, with the message, and that nothing stays behind.  Needs root.
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1") passed=0 failed=0 skipped=0
[ "$(id -u)" = 0 ] || { echo "skip links: needs root"; echo "links: 0 passed, 0 failed, 1 skipped"; exit 0; }
probe=ln$$p
command -v ip >/dev/null && ip netns add $probe 2>/dev/null && ip netns del $probe ||
	{ echo "skip links: needs ip and the right to make network namespaces"; echo "links: 0 passed, 0 failed, 1 skipped"; exit 0; }
w=$(mktemp -d); chmod 755 "$w"; a=ln$$a b=ln$$b id=ln-$$
bb=$(command -v busybox)
ok() { echo "ok $1"; passed=$((passed + 1)); }
no() { echo "not ok $1"; failed=$((failed + 1)); }
skip() { echo "skip $1: $2"; skipped=$((skipped + 1)); }
C() { timeout -k 1 60 "$bin" --root "$w/state" "$@" </dev/null; }
done_() { C delete --force "$id" >/dev/null 2>&1; jobs -p | xargs -r kill 2>/dev/null; ip netns del "$a" 2>/dev/null; ip netns del "$b" 2>/dev/null; }
trap 'done_; rm -rf "$w"' EXIT
tests/lib/busybox_root.sh "$w/rootfs"
head -c 12000000 /dev/urandom >"$w/rootfs/blob"
sum=$(md5sum <"$w/rootfs/blob")

address() {     # namespace device number
	ip -n "$1" addr add "10.77.0.$3/24" dev "$2"; ip -n "$1" addr add "fd77::$3/64" dev "$2" nodad; ip -n "$1" link set "$2" up
}
wires() {       # addresses for va, or none
	ip netns add "$a" && ip netns add "$b" && ip link add va netns "$a" type veth peer name vb netns "$b" || return 1
	for n in "$a" "$b"; do ip netns exec "$n" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad'; ip -n "$n" link set lo up; done
	ip -n "$a" link set va up
	address "$b" vb 2
}
bundle() { BUNDLE_NETNS=/run/netns/$a BUNDLE_ROOT=$w/rootfs tests/lib/bundle.py "$w/b" /bin/sleep 600; }
start() { mkdir -p "$w/b"; bundle; C "$@" run --detach --bundle "$w/b" "$id" >"$w/log" 2>&1; }
sentry() { for i in $(pgrep -x sentry); do tr '\0' ' ' <"/proc/$i/cmdline" | grep -q "$id" && echo "$i"; done; }
same() { [ "$2" = "$sum" ] && ok "$1" || no "$1: $2"; }

fetch() {       # url: by the busybox of this machine, at the peer
	timeout 30 ip netns exec "$b" "$bb" wget -q -O - "$1" | md5sum
}
traffic() {     # name
	C exec "$id" ping -c 3 -i 0.2 -W 2 10.77.0.2 >/dev/null && ok "$1: ping out" || no "$1: ping out"
	ip netns exec "$b" "$bb" ping -c 3 -W 2 10.77.0.1 >/dev/null && ok "$1: ping in" || no "$1: ping in"
	C exec "$id" ping6 -c 2 -i 0.2 -W 2 fd77::2 >/dev/null && ok "$1: ping6 out" || no "$1: ping6 out"
	C exec "$id" httpd -h /
	same "$1: 12 MB out" "$(fetch http://10.77.0.1/blob)"
	same "$1: 12 MB out by IPv6" "$(fetch 'http://[fd77::1]/blob')"
	timeout 60 ip netns exec "$b" "$bb" httpd -f -h "$w/rootfs" & sleep 0.3
	same "$1: 12 MB in" "$(C exec "$id" sh -c 'wget -q -O - http://10.77.0.2/blob | md5sum')"
	same "$1: 12 MB in by IPv6" "$(C exec "$id" sh -c 'wget -q -O - "http://[fd77::2]/blob" | md5sum')"
	kill $!; wait $! 2>/dev/null
}
holds() {       # name pattern: the sentry has such a descriptor
	ls -l "/proc/$(sentry)/fd" | grep -q -- "$2" && ok "$1: the sentry holds $2" || no "$1: the sentry holds no $2: $(ls -l "/proc/$(sentry)/fd" | awk '{ print $NF }' | sort | uniq -c | tr '\n' ' ')"
}
gone() {        # name device: a link that goes away costs no CPU, and the sandbox lives on
	local s c
	s=$(sentry); ip -n "$a" link del "$2"; sleep 0.5
	c=$(awk '{ print $14 + $15 }' "/proc/$s/stat"); sleep 2
	c=$(($(awk '{ print $14 + $15 }' "/proc/$s/stat") - c))
	[ "$c" -le 3 ] && [ "$(C exec "$id" echo yes)" = yes ] && ok "$1: goes away" || no "$1: goes away: $c ticks in 2 s"
}
host_calls() { C state "$id" >/dev/null; awk '/^Seccomp:/ { print $2 }' "/proc/$(sentry)/status"; }
refused() {     # name pattern flags...
	local name=$1 pattern=$2
	shift 2
	if start "$@"; then no "$name is refused: it starts"; else
		grep -q -- "$pattern" "$w/log" && ok "$name is refused with a reason" || no "$name: $(cat "$w/log")"
	fi
	done_
}

wires && address "$a" va 1
start && { traffic packet; holds packet socket:; gone packet va; } || no "packet: does not start: $(cat "$w/log")"
done_

wires && if ip -n "$a" link add mv0 link va type macvtap mode bridge 2>/dev/null; then
	address "$a" mv0 1
	start && { traffic macvtap; holds macvtap /tap; gone macvtap mv0; } || no "macvtap: does not start: $(cat "$w/log")"
else skip macvtap "the host has none"; fi
done_

wires && if ip netns exec "$a" ip tuntap add tap0 mode tap 2>/dev/null; then
	ip -n "$a" link add br0 type bridge; ip -n "$a" link set va master br0; ip -n "$a" link set tap0 master br0; ip -n "$a" link set br0 up
	address "$a" tap0 1
	start && { traffic TAP; holds TAP /dev/net/tun; gone TAP tap0; } || no "TAP: does not start: $(cat "$w/log")"
else skip TAP "the host has no /dev/net/tun"; fi
done_

wires && address "$a" va 1
start --link=xdp && { traffic XDP; holds XDP anon_inode:bpf_link
	[ "$(host_calls)" = 2 ] && ok "XDP: the filter is on" || no "XDP: no filter"
	ip -n "$a" -d link show va | grep -q 'prog/xdp' && ok "XDP: the program is attached" || no "XDP: no program on va"
	C delete --force "$id" >/dev/null 2>&1; sleep 0.5
	ip -n "$a" -d link show va | grep -q 'prog/xdp' && no "XDP: the program stays behind" || ok "XDP: the program goes with the sandbox"
} || { grep -q "the host makes no\|takes no XDP" "$w/log" && skip XDP "$(tail -1 "$w/log")" || no "XDP: does not start: $(cat "$w/log")"; }
done_

wires && ip -n "$a" link add d0 type bridge && address "$a" d0 1 && ip -n "$a" link set va down
refused "AF_XDP on a link without native mode" "d0 takes no XDP program in native mode; use --link=packet" --link=xdp
wires && ip -n "$a" link set va mtu 9000 && address "$a" va 1
refused "AF_XDP with an MTU over a page" "the MTU of va, 9000, is over" --link=xdp
wires && ip netns exec "$a" ethtool -L va rx 2 >/dev/null 2>&1 && address "$a" va 1 &&
	refused "AF_XDP on several queues" "receives on 2 queues" --link=xdp || { skip "AF_XDP on several queues" "no ethtool"; done_; }
C --link=tape run x >"$w/log" 2>&1; grep -q "none of auto, packet, xdp" "$w/log" && ok "--link is checked" || no "--link: $(cat "$w/log")"
echo "links: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
