#!/usr/bin/env python3
"""Run packetdrill scripts against the netstack, or natively, and count.

usage: run.py [--native] [-6] [-v] [-j N] [--expect FILE | --all] PACKETDRILL ADAPTER.so SCRIPT-OR-DIR...
Each script runs in a network namespace of its own (root), since its commands set sysctls.
--expect FILE: names of scripts, one a line; the exit status is 0 when all of them pass.
"""
import argparse, concurrent.futures, os, subprocess, sys, tempfile

ARGS4 = ('--ip_version=ipv4 --local_ip=192.168.0.1 --gateway_ip=192.168.0.1 --netmask_ip=255.255.0.0 '
         '--remote_ip=192.0.2.1 -D TFO_COOKIE=3021b9d889017eeb -D CODE=host_unreachable '
         '-D CMSG_LEVEL_IP=SOL_IP -D CMSG_TYPE_RECVERR=IP_RECVERR').split()
ARGS6 = ('--ip_version=ipv6 --mtu=1520 --local_ip=fd3d:0a0b:17d6::1 --gateway_ip=fd3d:0a0b:17d6:8888::1 '
         '--remote_ip=fd3d:fa7b:d17d::1 -D TFO_COOKIE=c1d1e9742a47a9bc -D CMSG_LEVEL_IP=SOL_IPV6 '
         '-D CMSG_TYPE_RECVERR=IPV6_RECVERR').split()

# Commands of scripts speak of tun0: with the shared object there is none, so let them find a name.
SETUP = 'ip link set lo up; [ -z "$ADAPTER" ] || ip tuntap add dev tun0 mode tun; exec "$@"'


def find(paths, skip):
    for p in paths:
        if os.path.isfile(p):
            yield p
        for d, _, files in sorted(os.walk(p)):
            for f in sorted(files):
                if f.endswith('.pkt') and not f.endswith(skip):
                    yield os.path.join(d, f)


def run(o, script):
    cmd = ['unshare', '-n', 'timeout', '-k', '1', '60', 'sh', '-c', SETUP, 'sh']
    cmd += [os.path.abspath(o.packetdrill), '--send_omit_free'] + (ARGS6 if o.six else ARGS4)
    env = dict(os.environ)
    if not o.native:
        so = os.path.abspath(o.adapter)
        at = cmd.index(os.path.abspath(o.packetdrill))
        env['ADAPTER'] = so
        counters = tempfile.NamedTemporaryFile()
        env['PACKETDRILL_COUNTERS'] = counters.name
        env['PATH'] = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'shim') + ':' + env['PATH']
        cmd[at:at] = ['env', 'LD_PRELOAD=' + so]
        cmd.append('--so_filename=' + so)
    r = subprocess.run(cmd + [os.path.basename(script)], cwd=os.path.dirname(os.path.abspath(script)),
                       env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return r.returncode, r.stdout.decode(errors='replace')


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--native', action='store_true')
    a.add_argument('-6', dest='six', action='store_true')
    a.add_argument('-v', dest='verbose', action='store_true')
    a.add_argument('-j', type=int, default=1)
    a.add_argument('--expect')
    a.add_argument('--all', action='store_true', help='all must pass')
    a.add_argument('packetdrill')
    a.add_argument('adapter')
    a.add_argument('scripts', nargs='+')
    o = a.parse_args()
    root = os.path.commonpath([os.path.abspath(p) for p in o.scripts])
    if os.path.isfile(root):
        root = os.path.dirname(root)
    scripts = list(find(o.scripts, 'v4.pkt' if o.six else 'v6.pkt'))
    passed = set()
    with concurrent.futures.ThreadPoolExecutor(o.j) as pool:
        for s, (rc, out) in zip(scripts, pool.map(lambda x: run(o, x), scripts)):
            name = os.path.relpath(os.path.abspath(s), root)
            if rc == 0:
                passed.add(name)
            why = ' | '.join(l for l in out.splitlines() if not l.startswith(('sysctl:', 'Cannot find', 'Error:')))
            print('PASS' if rc == 0 else 'FAIL', name, '' if rc == 0 and not o.verbose else why[:700], flush=True)
    print('packetdrill: %d of %d %s scripts pass %s' % (len(passed), len(scripts), 'IPv6' if o.six else 'IPv4',
          'natively' if o.native else 'on the netstack'))
    if o.all:
        sys.exit(len(passed) < len(scripts))
    if o.expect:
        want = {l.split()[0] for l in open(o.expect) if l.strip() and not l.startswith('#')}
        miss = sorted(want - passed)
        print('of the %d expected, %d pass%s' % (len(want), len(want & passed),
              ''.join('\n  not: ' + m for m in miss)))
        sys.exit(bool(miss))


if __name__ == '__main__':
    main()
