#!/usr/bin/env python3
"""nfcases.py FRONT [CASE...]: rules and the traffic that passes them, in the network namespace it runs in.

FRONT is "legacy" or "nft".  Prints what the rules look like when read back, exit codes, and what became of every
connection; netfilter.sh compares the output of Linux with the sandbox's.  Nothing but loopback is needed.
"""
import errno
import os
import socket
import struct
import subprocess
import sys
import threading
import time

front = sys.argv[1]
only = sys.argv[2:]
WAIT = 0.6
A = "10.9.0.1"                          # a second address, on lo
B = "fd09::1"


def run(cmd, quiet=False, env=None):
    r = subprocess.run(cmd, shell=True, capture_output=True, text=True, env=env, check=False)
    if not quiet:
        print(f"$ {cmd} -> {r.returncode}")
        for line in (r.stdout + (r.stderr if r.returncode == 0 else "")).splitlines():
            if not line.startswith("#"):
                print("  " + line)
    return r


def ipt(args, v6=False, quiet=False):
    tool = f"{'ip6tables' if v6 else 'iptables'}-{front}"
    r = run(f"{tool} {args}", quiet=True)
    if not quiet:
        print(f"$ {'ip6tables' if v6 else 'iptables'} {args} -> {r.returncode}")
        for line in r.stdout.splitlines():
            print("  " + line)


def name(e):
    return "timeout" if isinstance(e, (socket.timeout, TimeoutError)) else errno.errorcode.get(e.errno, str(e))


def serve_tcp(fam, port, tag):
    s = socket.socket(fam, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if fam == socket.AF_INET6:
        s.setsockopt(41, socket.IPV6_V6ONLY, 1)
    s.bind(("::" if fam == socket.AF_INET6 else "0.0.0.0", port))
    s.listen(64)

    def loop():
        while True:
            c, peer = s.accept()
            try:
                d = c.getsockopt(socket.SOL_IP if fam == socket.AF_INET else 41, 80, 28)
                orig = f"{struct.unpack('!H', d[2:4])[0]}"
            except OSError as e:
                orig = name(e)
            try:
                c.sendall(f"{tag} peer={peer[0]} me={c.getsockname()[0]}:{c.getsockname()[1]} orig={orig}".encode())
            except OSError:
                pass
            c.close()
    threading.Thread(target=loop, daemon=True).start()


def serve_udp(fam, port, tag):
    s = socket.socket(fam, socket.SOCK_DGRAM)
    if fam == socket.AF_INET6:
        s.setsockopt(41, socket.IPV6_V6ONLY, 1)
    s.bind(("::" if fam == socket.AF_INET6 else "0.0.0.0", port))

    def loop():
        while True:
            d, peer = s.recvfrom(2000)
            try:
                s.sendto(f"{tag} {len(d)} peer={peer[0]}".encode(), peer)
            except OSError:
                pass
    threading.Thread(target=loop, daemon=True).start()


def family(dst):
    return socket.AF_INET6 if ":" in dst else socket.AF_INET


def tcp(dst, port, mark=None, src=None, wait=WAIT):
    s = socket.socket(family(dst), socket.SOCK_STREAM)
    s.settimeout(wait)
    try:
        if mark is not None:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        if src is not None:
            s.bind(src)
        s.connect((dst, port))
        got = s.recv(200).decode()
        peer = s.getpeername()
        return f"{got} [to {peer[0]}:{peer[1]}]"
    except OSError as e:
        return name(e)
    finally:
        s.close()


def udp(dst, port, size=10, src=None):
    s = socket.socket(family(dst), socket.SOCK_DGRAM)
    s.settimeout(WAIT)
    try:
        if src is not None:
            s.bind(src)
        s.connect((dst, port))
        s.send(b"x" * size)
        return s.recv(200).decode()
    except OSError as e:
        return name(e)
    finally:
        s.close()


def ping(dst):
    v6 = ":" in dst
    s = socket.socket(family(dst), socket.SOCK_RAW, 58 if v6 else 1)
    s.settimeout(WAIT)
    body = bytes([128 if v6 else 8, 0, 0, 0, 0x12, 0x34, 0, 1]) + b"hello, you"
    if not v6:
        c = sum(struct.unpack("!9H", body))
        c = ~((c & 0xffff) + (c >> 16)) & 0xffff
        body = body[:2] + struct.pack("!H", c) + body[4:]
    try:
        s.sendto(body, (dst, 0))
        end = time.time() + WAIT
        while time.time() < end:
            d = s.recv(2000)
            d = d if v6 else d[20:]
            if d[0] == (129 if v6 else 0) and d[4:6] == b"\x12\x34":
                return "pong"
        return "timeout"
    except OSError as e:
        return name(e)
    finally:
        s.close()


def as_user(uid, fn, *args):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgid(uid)
        os.setuid(uid)
        os.write(w, fn(*args).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(w)
    got = os.read(r, 1000).decode()
    os.close(r)
    return got


def show(what, got):
    # Ports that the system chose differ from run to run.
    print(f"  {what}: {got}")


TABLES = ("filter", "nat", "mangle", "raw")


def flush():
    for v6 in (False, True):
        for t in TABLES:
            ipt(f"-t {t} -F", v6, quiet=True)
            ipt(f"-t {t} -X", v6, quiet=True)
        for c in ("INPUT", "FORWARD", "OUTPUT"):
            ipt(f"-P {c} ACCEPT", v6, quiet=True)


def case_plain():
    show("tcp", tcp("127.0.0.1", 8001))
    show("tcp6", tcp("::1", 8001))
    show("udp", udp("127.0.0.1", 9001))
    show("closed", tcp("127.0.0.1", 8999))
    show("closed udp", udp("127.0.0.1", 9999))


def case_filter():
    ipt("-A INPUT -p tcp --dport 8001 -j DROP")
    ipt("-A INPUT -p tcp --dport 8002 -j REJECT")
    ipt("-A INPUT -p tcp --dport 8003 -j REJECT --reject-with tcp-reset")
    ipt("-A INPUT -p tcp --dport 8004 -j REJECT --reject-with icmp-host-prohibited")
    ipt("-A INPUT -p udp --dport 9001 -j REJECT")
    ipt("-A INPUT -p udp --dport 9002 -j DROP")
    ipt("-S")
    for p in (8001, 8002, 8003, 8004, 8005):
        show(f"tcp {p}", tcp("127.0.0.1", p))
    for p in (9001, 9002, 9003):
        show(f"udp {p}", udp("127.0.0.1", p))
    ipt("-D INPUT -p tcp --dport 8001 -j DROP")
    ipt("-D INPUT -p tcp --dport 8001 -j DROP")
    show("tcp 8001 again", tcp("127.0.0.1", 8001))


def case_filter6():
    ipt("-A INPUT -p tcp --dport 8001 -j DROP", True)
    ipt("-A INPUT -p tcp --dport 8002 -j REJECT", True)
    ipt("-A INPUT -p tcp --dport 8003 -j REJECT --reject-with tcp-reset", True)
    ipt("-A INPUT -p tcp --dport 8004 -j REJECT --reject-with icmp6-adm-prohibited", True)
    ipt("-A INPUT -p udp --dport 9001 -j REJECT", True)
    ipt("-A INPUT -p icmpv6 --icmpv6-type echo-request -j DROP", True)
    ipt("-S", True)
    # Linux takes an ICMPv6 error that comes while connect() runs for a soft one: the second SYN decides.
    for p in (8001, 8002, 8003, 8004, 8005):
        show(f"tcp {p}", tcp("::1", p, wait=1.6))
    for p in (9001, 9003):
        show(f"udp {p}", udp("::1", p))
    show("ping6", ping("::1"))
    show("tcp4 8001", tcp("127.0.0.1", 8001))


def case_output():
    ipt("-A OUTPUT -p udp --dport 9001 -j DROP")
    ipt("-A OUTPUT -p tcp --dport 8001 -j REJECT --reject-with tcp-reset")
    ipt("-A OUTPUT -p tcp --dport 8002 -j REJECT")
    ipt("-A OUTPUT -p tcp --dport 8003 -j DROP")
    ipt("-A OUTPUT -p udp --dport 9002 -j REJECT")
    ipt("-A OUTPUT -p icmp --icmp-type echo-request -j DROP")
    ipt("-S OUTPUT")
    show("udp", udp("127.0.0.1", 9001))
    show("udp reject", udp("127.0.0.1", 9002))
    for p in (8001, 8002, 8003, 8004):
        show(f"tcp {p}", tcp("127.0.0.1", p))
    show("ping", ping("127.0.0.1"))


def case_policy():
    ipt("-A INPUT -p tcp --sport 8001 -j ACCEPT")
    ipt("-A INPUT -p tcp --dport 8001 -j ACCEPT")
    ipt("-P INPUT DROP")
    ipt("-S")
    show("tcp 8001", tcp("127.0.0.1", 8001))
    show("tcp 8002", tcp("127.0.0.1", 8002))
    show("udp", udp("127.0.0.1", 9001))


def case_chains():
    ipt("-N one")
    ipt("-N two")
    ipt("-N one")
    ipt("-A one -p tcp --dport 8001 -j RETURN")
    ipt("-A one -p tcp --dport 8002 -g two")
    ipt("-A one -p tcp --dport 8003 -j two")
    ipt("-A one -p tcp -j DROP")
    ipt("-A two -p tcp --dport 8003 -m comment --comment 'a comment' -j ACCEPT")
    ipt("-A INPUT -p tcp -m multiport --dports 8001,8002,8003,8004:8005 -j one")
    ipt("-A INPUT -p tcp --dport 8002 -j REJECT --reject-with tcp-reset")
    ipt("-S")
    for p in range(8001, 8007):
        show(f"tcp {p}", tcp("127.0.0.1", p))
    ipt("-X one")
    ipt("-A two -j one")
    ipt("-F")
    ipt("-E two three")
    ipt("-X")
    ipt("-S")


def case_order():
    ipt("-A INPUT -p tcp --dport 8001 -j DROP")
    ipt("-I INPUT -p tcp --dport 8001 -j ACCEPT")
    ipt("-I INPUT 2 -p tcp --dport 8002 -j REJECT --reject-with tcp-reset")
    ipt("-R INPUT 3 -p tcp --dport 8003 -j DROP")
    ipt("-C INPUT -p tcp --dport 8003 -j DROP")
    ipt("-C INPUT -p tcp --dport 8007 -j DROP")
    ipt("-S")
    for p in (8001, 8002, 8003):
        show(f"tcp {p}", tcp("127.0.0.1", p))
    ipt("-D INPUT 9")
    ipt("-D INPUT 1")
    ipt("-S")


def case_header():
    ipt(f"-A INPUT -s {A} -p tcp --dport 8001 -j REJECT --reject-with tcp-reset")
    ipt(f"-A INPUT ! -d 127.0.0.0/8 -p tcp --dport 8002 -j REJECT --reject-with tcp-reset")
    ipt("-A INPUT -i lo -p tcp --dport 8003 -j REJECT --reject-with tcp-reset")
    ipt("-A INPUT -i eth+ -p tcp --dport 8004 -j REJECT --reject-with tcp-reset")
    ipt("-A INPUT ! -i lo -j DROP")
    ipt("-A INPUT ! -p tcp -m length --length 100:200 -j DROP")
    ipt("-A INPUT -p tcp --syn --dport 8005 -j REJECT --reject-with tcp-reset")
    ipt("-A INPUT -p tcp --tcp-flags ALL SYN,FIN -j DROP")
    ipt("-A INPUT -p tcp --dport 8006 --tcp-option 8 --syn -j REJECT --reject-with tcp-reset")
    ipt("-A INPUT -m iprange --src-range 10.9.0.0-10.9.0.9 -p udp --dport 9003 -j DROP")
    ipt("-S")
    for p in range(8001, 8007):
        show(f"tcp {p}", tcp("127.0.0.1", p))
        show(f"tcp A {p}", tcp(A, p))
    show("udp short", udp("127.0.0.1", 9001, 10))
    show("udp long", udp("127.0.0.1", 9001, 100))
    show("udp range", udp(A, 9003))
    show("udp no range", udp("127.0.0.1", 9003))


def case_big():
    ipt("-A INPUT -p udp --dport 9001 -m length --length 1500: -j DROP")
    show("udp small", udp("127.0.0.1", 9001, 100))
    show("udp big", udp("127.0.0.1", 9001, 1990))


def case_owner():
    ipt("-A OUTPUT -p tcp --dport 8001 -m owner --uid-owner 1000 -j REJECT --reject-with tcp-reset")
    ipt("-A OUTPUT -p tcp --dport 8002 -m owner ! --uid-owner 0 -j REJECT --reject-with tcp-reset")
    ipt("-A OUTPUT -p udp --dport 9001 -m owner --gid-owner 1000-1002 -j DROP")
    ipt("-A INPUT -m owner --uid-owner 1000 -j DROP")
    ipt("-S")
    for p in (8001, 8002, 8003):
        show(f"root {p}", tcp("127.0.0.1", p))
        show(f"user {p}", as_user(1000, tcp, "127.0.0.1", p))
    show("root udp", udp("127.0.0.1", 9001))
    show("user udp", as_user(1001, udp, "127.0.0.1", 9001))


def case_mark():
    ipt("-A OUTPUT -p tcp -m mark --mark 0x7 -j REJECT --reject-with tcp-reset")
    ipt("-t mangle -A OUTPUT -p tcp --dport 8002 -j MARK --set-mark 7")
    ipt("-t mangle -A OUTPUT -p tcp --dport 8003 -j MARK --set-xmark 0x70/0xff")
    ipt("-A INPUT -p tcp -m mark --mark 0x70/0xf0 -j REJECT --reject-with tcp-reset")
    ipt("-S")
    ipt("-t mangle -S")
    show("plain", tcp("127.0.0.1", 8001))
    show("socket's", tcp("127.0.0.1", 8001, mark=7))
    show("another", tcp("127.0.0.1", 8001, mark=8))
    show("set", tcp("127.0.0.1", 8002))
    show("set and kept over lo", tcp("127.0.0.1", 8003))


def case_state():
    ipt("-P INPUT DROP")
    ipt("-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")
    ipt("-A INPUT -p tcp --dport 8001 -m conntrack --ctstate NEW -j ACCEPT")
    ipt("-A INPUT -p udp --dport 9001 -m state --state NEW -j ACCEPT")
    ipt("-A INPUT -p udp --dport 9999 -m conntrack --ctstate NEW -j REJECT")
    ipt("-A INPUT -m conntrack --ctstate INVALID -j DROP")
    ipt("-S")
    show("tcp 8001", tcp("127.0.0.1", 8001))
    show("tcp 8002", tcp("127.0.0.1", 8002))
    show("udp 9001", udp("127.0.0.1", 9001))
    show("udp 9002", udp("127.0.0.1", 9002))
    show("udp 9999 (related)", udp("127.0.0.1", 9999))
    ipt("-A INPUT -p icmp -m conntrack --ctstate NEW -j ACCEPT")
    show("ping", ping("127.0.0.1"))


def case_limit():
    ipt("-A INPUT -p udp --dport 9001 -m limit --limit 1/hour --limit-burst 3 -j ACCEPT")
    ipt("-A INPUT -p udp --dport 9001 -j DROP")
    ipt("-A INPUT -p udp --dport 9002 -m statistic --mode nth --every 3 --packet 0 -j DROP")
    ipt("-S")
    for i in range(5):
        show(f"udp {i}", udp("127.0.0.1", 9001))
    for i in range(6):
        show(f"nth {i}", udp("127.0.0.1", 9002))


def case_log():
    ipt("-A INPUT -p tcp --dport 8001 -j LOG --log-prefix 'seen: ' --log-level 4")
    ipt("-A INPUT -p tcp --dport 8001 -j REJECT --reject-with tcp-reset")
    ipt("-S")
    show("tcp", tcp("127.0.0.1", 8001))


def case_redirect():
    ipt("-t nat -A OUTPUT -p tcp --dport 7001 -j REDIRECT --to-ports 8001")
    ipt("-t nat -A OUTPUT -p tcp -d 10.9.9.9 --dport 80 -j REDIRECT --to-ports 8002")
    ipt("-t nat -A OUTPUT -p udp --dport 7002 -j REDIRECT --to-ports 9001")
    ipt("-t nat -A OUTPUT -p tcp --dport 7100:7200 -j REDIRECT --to-ports 8003-8005")
    ipt("-t nat -S")
    show("redirected", tcp("127.0.0.1", 7001))
    show("from another address", tcp(A, 7001))
    show("udp", udp("127.0.0.1", 7002))
    show("not redirected", tcp("127.0.0.1", 8004))
    show("elsewhere", tcp("10.9.9.9", 80))
    ipt("-t nat -A OUTPUT -p tcp --dport 7001 -j REDIRECT --to-ports 8001", True)
    ipt("-t nat -A OUTPUT -p udp --dport 7002 -j REDIRECT --to-ports 9001", True)
    ipt("-t nat -S", True)
    show("tcp6", tcp("::1", 7001))
    show("udp6", udp(B, 7002))


def case_dnat():
    ipt(f"-t nat -A OUTPUT -p tcp -d 10.9.9.8 --dport 80 -j DNAT --to-destination {A}:8001")
    ipt(f"-t nat -A OUTPUT -p udp -d 10.9.9.8 -j DNAT --to-destination {A}")
    ipt(f"-t nat -A OUTPUT -p icmp -d 10.9.9.8 -j DNAT --to-destination {A}")
    ipt("-t nat -S")
    show("tcp", tcp("10.9.9.8", 80))
    show("udp", udp("10.9.9.8", 9001))
    show("udp closed", udp("10.9.9.8", 9999))
    show("ping", ping("10.9.9.8"))
    ipt(f"-t nat -A OUTPUT -p tcp -d fd09::99 --dport 80 -j DNAT --to-destination [{B}]:8001", True)
    ipt("-t nat -S", True)
    show("tcp6", tcp("fd09::99", 80))


def case_snat():
    ipt(f"-t nat -A POSTROUTING -p tcp --dport 8001 -j SNAT --to-source {A}")
    ipt(f"-t nat -A POSTROUTING -p udp --dport 9001 -j SNAT --to-source {A}:5000-5010")
    ipt("-t nat -A POSTROUTING -p tcp --dport 8002 -j MASQUERADE")
    ipt(f"-t nat -A POSTROUTING -p icmp -j SNAT --to-source {A}")
    ipt("-t nat -S")
    show("tcp", tcp("127.0.0.1", 8001))
    show("udp", udp("127.0.0.1", 9001))
    show("masquerade", tcp("127.0.0.1", 8002))
    show("not", tcp("127.0.0.1", 8003))
    show("ping", ping("127.0.0.1"))
    # Two with the same source port: one of them gets another.
    show("first", udp("127.0.0.1", 9001, src=("127.0.0.1", 5005)))
    show("second", udp("127.0.0.1", 9001, src=("127.0.0.2", 5005)))


def case_filter_sees_dnat():
    ipt(f"-t nat -A OUTPUT -p tcp -d 10.9.9.8 --dport 80 -j DNAT --to-destination {A}:8001")
    ipt(f"-A INPUT -p tcp -d {A} --dport 8001 -m conntrack --ctstate DNAT -j REJECT --reject-with tcp-reset")
    ipt("-S")
    show("redirected", tcp("10.9.9.8", 80))
    show("direct", tcp(A, 8001))
    ipt("-F INPUT")
    ipt("-A INPUT -p tcp -m conntrack --ctorigdstport 80 -j REJECT --reject-with tcp-reset")
    ipt("-S INPUT")
    show("redirected", tcp("10.9.9.8", 80))
    show("direct", tcp(A, 8001))


def case_notrack():
    ipt("-t raw -A OUTPUT -p tcp --dport 8001 -j CT --notrack")
    ipt("-A INPUT -p tcp --dport 8001 -m conntrack --ctstate UNTRACKED -j REJECT --reject-with tcp-reset")
    ipt("-t raw -S")
    show("tcp", tcp("127.0.0.1", 8001))
    show("other", tcp("127.0.0.1", 8002))


def case_connmark():
    ipt("-t mangle -A OUTPUT -p tcp --dport 8001 -j CONNMARK --set-mark 5")
    ipt("-A INPUT -p tcp --sport 8001 -m connmark --mark 5 -j REJECT --reject-with tcp-reset")
    ipt("-t mangle -S OUTPUT")
    show("tcp", tcp("127.0.0.1", 8001))
    show("other", tcp("127.0.0.1", 8002))


def case_addrtype():
    ipt("-A OUTPUT -p tcp --dport 8001 -m addrtype --dst-type LOCAL -j REJECT --reject-with tcp-reset")
    ipt("-A OUTPUT -p tcp --dport 8002 -m addrtype ! --dst-type LOCAL -j REJECT --reject-with tcp-reset")
    ipt("-S OUTPUT")
    show("local", tcp("127.0.0.1", 8001))
    show("local A", tcp(A, 8001))
    show("not", tcp("127.0.0.1", 8002))


def case_counters():
    ipt("-A INPUT -p udp --dport 9001 -j ACCEPT")
    ipt("-A INPUT -p udp --dport 9002 -j DROP")
    for _ in range(3):
        udp("127.0.0.1", 9001, 72)
    udp("127.0.0.1", 9002)
    ipt("-L INPUT -v -n -x")
    ipt("-Z INPUT 1")
    ipt("-L INPUT -v -n -x")
    ipt("-A INPUT -p udp --dport 9003 -j DROP")
    ipt("-L INPUT -v -n -x")
    ipt("-A INPUT -c 5 500 -p udp --dport 9004 -j DROP")
    ipt("-L INPUT -v -n -x")


def case_restore():
    text = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:web - [0:0]
-A INPUT -p tcp -m multiport --dports 8001,8002 -j web
-A web -s 127.0.0.0/8 -p tcp -m tcp --dport 8001 -j ACCEPT
-A web -j REJECT --reject-with icmp-port-unreachable
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A OUTPUT -p tcp -m tcp --dport 7001 -j REDIRECT --to-ports 8001
COMMIT
"""
    r = subprocess.run([f"iptables-{front}-restore"], input=text, text=True, capture_output=True, check=False)
    print("restore", r.returncode)
    ipt("-S")
    ipt("-t nat -S")
    show("8001", tcp("127.0.0.1", 8001))
    show("8002", tcp("127.0.0.1", 8002))
    show("7001", tcp("127.0.0.1", 7001))
    bad = text.replace("-A web -j REJECT", "-A nowhere -j REJECT")
    r = subprocess.run([f"iptables-{front}-restore"], input=bad, text=True, capture_output=True, check=False)
    print("restore", r.returncode)
    ipt("-S")


def case_errors():
    ipt("-A INPUT -j nowhere")
    ipt("-t nosuch -S")
    ipt("-A nowhere -j DROP")
    ipt("-A INPUT -p tcp -m nosuchmatch -j DROP")
    ipt("-A INPUT -j MASQUERADE")
    ipt("-t nat -A PREROUTING -j MASQUERADE")
    ipt("-t nat -A POSTROUTING -p tcp -j DNAT --to-destination 1.2.3.4")
    ipt("-A INPUT -j REJECT --reject-with tcp-reset")
    ipt("-N a")
    ipt("-N b")
    ipt("-A a -j b")
    ipt("-A b -j a")
    ipt("-A INPUT -j a")
    ipt("-X a")
    ipt("-P a DROP")
    ipt("-S")


def main():
    run("ip link set lo up", quiet=True)
    run(f"ip addr add {A}/32 dev lo; ip -6 addr add {B}/128 dev lo nodad; ip route add 10.9.9.0/24 dev lo", quiet=True)
    run("ip -6 route add fd09::/64 dev lo", quiet=True)
    for p in range(8001, 8007):
        serve_tcp(socket.AF_INET, p, f"t{p}")
    for p in (9001, 9002, 9003):
        serve_udp(socket.AF_INET, p, f"u{p}")
    for f6, ports in ((serve_tcp, range(8001, 8007)), (serve_udp, (9001, 9003))):
        for p in ports:
            f6(socket.AF_INET6, p, f"v6-{p}")
    for n, fn in list(globals().items()):
        if n.startswith("case_") and (not only or n[5:] in only):
            print(f"== {n[5:]}")
            fn()
            flush()
            sys.stdout.flush()


main()
