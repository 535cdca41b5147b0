"""posture.py CSANDBOX DIR: what every process of a running sandbox may do on the host, read back from the kernel.

DIR holds config.json and rootfs.  /proc tells of ids, capabilities, namespaces, roots and descriptors; the filters
themselves are fetched with ptrace(PTRACE_SECCOMP_GET_FILTER) and walked for every call number, so the numbers printed
are the kernel's, not our tables'.
"""
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import time

exe, w = os.path.abspath(sys.argv[1]), sys.argv[2]
platform = sys.argv[3] if len(sys.argv) > 3 else "systrap"
cli = [exe, "--root", w + "/state", "--network=none", "--platform", platform]
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, PTRACE_SECCOMP_GET_FILTER = 0x4206, 0x4207, 17, 0x420c
X86_64, I386, X32_BIT = 0xc000003e, 0x40000003, 0x40000000
ALLOW, NOTIF, TRAP, LOG, ERRNO, KILL = 0x7fff, 0x7fc0, 3, 0x7ffc, 5, 0
# Strictest first: with several filters that one wins.
ORDER = [0x8000, KILL, TRAP, ERRNO, NOTIF, 0x7ff0, LOG, ALLOW]
LAST = 470
result = {"passed": 0, "failed": 0}


def check(name, ok, detail=""):
    result["passed" if ok else "failed"] += 1
    print("%s %s%s" % ("ok" if ok else "not ok", name, "" if ok else ": %s" % detail))


def status(path):
    return dict(line.rstrip("\n").split(":\t", 1) for line in open(path + "/status") if ":\t" in line)


def filters(tid):
    """The seccomp programs of a thread: lists of (code, jt, jf, k). None: this kernel does not tell."""
    if libc.ptrace(PTRACE_SEIZE, tid, None, None) < 0:
        return None
    libc.ptrace(PTRACE_INTERRUPT, tid, None, None)
    os.waitpid(tid, 0x40000000)
    progs = []
    while True:
        n = libc.ptrace(PTRACE_SECCOMP_GET_FILTER, tid, len(progs), None)
        if n <= 0:
            break
        buf = ctypes.create_string_buffer(8 * n)
        libc.ptrace(PTRACE_SECCOMP_GET_FILTER, tid, len(progs), buf)
        progs.append([(int.from_bytes(buf.raw[i:i + 2], "little"), buf.raw[i + 2], buf.raw[i + 3],
                       int.from_bytes(buf.raw[i + 4:i + 8], "little")) for i in range(0, 8 * n, 8)])
    libc.ptrace(PTRACE_DETACH, tid, None, None)
    return progs or None


def outcomes(prog, arch, nr):
    """Every action that some arguments and instruction pointer lead to."""
    seen, todo, found = set(), [(0, 0, 0, ())], set()
    while todo:
        state = todo.pop()
        if state in seen:
            continue
        seen.add(state)
        pc, a, x, mem = state
        code, jt, jf, k = prog[pc]
        kind = code & 7
        if kind == 6:
            found.add((k if code & 0x18 == 0 else a) >> 16)
        elif kind == 5:
            op, src = code & 0xf0, k if code & 8 == 0 else x
            if op == 0:
                todo.append((pc + 1 + k, a, x, mem))
                continue
            if a is None or src is None:
                ways = {jt, jf}
            else:
                ways = {jt if {0x10: a == src, 0x20: a > src, 0x30: a >= src, 0x40: bool(a & src)}[op] else jf}
            todo += [(pc + 1 + j, a, x, mem) for j in ways]
        else:
            slots = dict(mem)
            if code == 0x20:            # a field of struct seccomp_data
                a = nr if k == 0 else arch if k == 4 else None
            elif code & 0xe7 == 0x60:   # ld M[k]
                a = slots.get(k)
            elif code & 0xe7 == 0x61:
                x = slots.get(k)
            elif kind in (2, 3):
                slots[k] = a if kind == 2 else x
            elif kind == 0:
                a = k if code & 0xe0 == 0 else None
            elif kind == 1:
                x = k if code & 0xe0 == 0 else None
            elif kind == 7:
                a, x = (x, x) if code & 0xf8 else (a, a)
            else:
                a = None
            todo.append((pc + 1, a, x, tuple(sorted(slots.items()))))
    return found


def effect(progs, arch, nr):
    """(what the call can lead to at most, at least), by ORDER, over all filters."""
    best = worst = len(ORDER) - 1
    for p in progs:
        ranks = [ORDER.index(o) for o in outcomes(p, arch, nr)]
        best, worst = min(best, max(ranks)), min(worst, min(ranks))
    return ORDER[best], ORDER[worst]


def calls(progs):
    """Numbers that may run, those of them only with certain arguments, and those that are asked about."""
    may, conditional, asked = [], [], []
    for nr in range(LAST):
        best, worst = effect(progs, X86_64, nr)
        if best == ALLOW:
            may.append(nr)
            if worst != ALLOW:
                conditional.append(nr)
        elif best == NOTIF:
            asked.append(nr)
    return may, conditional, asked


def foreign(progs):
    """Numbers of the 32-bit and x32 tables that could run."""
    return [nr for nr in range(LAST) if effect(progs, I386, nr)[0] == ALLOW or
            effect(progs, X86_64, nr | X32_BIT)[0] == ALLOW]


def directories(pid):
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            if os.path.isdir("/proc/%d/fd/%s" % (pid, fd)):
                found.append(fd)
        except OSError:
            pass
    return found


GOFER_CAPS = 0x8800001f         # CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID MKNOD SETFCAP
APPROVED = [9, 10, 11, 25, 27, 28, 56]  # mmap mprotect munmap mremap mincore madvise clone, from the stub's text
LIMITS = {"sentry": 60, "gofer": 45, "stub": 13}


def examine(kind, pid):
    name = "%s %d" % (kind, pid)
    caps = GOFER_CAPS if kind == "gofer" else 0
    tids = sorted(int(t) for t in os.listdir("/proc/%d/task" % pid))
    bad, programs = [], set()
    for t in tids:
        st = status("/proc/%d/task/%d" % (pid, t))
        if st["Seccomp"] != "2" or st["NoNewPrivs"] != "1":
            bad.append("thread %d: Seccomp %s, NoNewPrivs %s" % (t, st["Seccomp"], st["NoNewPrivs"]))
        for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            if int(st[c], 16) & ~caps and not (kind == "stub" and c == "CapBnd"):
                bad.append("thread %d: %s %s" % (t, c, st[c]))
        if kind != "gofer" and st["Uid"].split() + st["Gid"].split() != ["65534"] * 8:
            bad.append("thread %d: Uid %s Gid %s" % (t, st["Uid"], st["Gid"]))
        if kind != "gofer" and st["Groups"].strip() not in ("", "65534"):
            bad.append("thread %d: Groups %s" % (t, st["Groups"]))
        # A stub that waits for an answer cannot be stopped (WAIT_KILLABLE_RECV); one that computes can.
        if kind != "stub" or st["State"][0] == "R":
            programs.add(json.dumps(filters(t)))
    check("%s: every one of %d threads has a filter, no_new_privs, no capability beyond its task" %
          (name, len(tids)), not bad, "; ".join(bad))
    for ns in ["pid", "mnt", "net", "ipc", "uts"] + (["user"] if kind != "gofer" else []):
        if os.readlink("/proc/%d/ns/%s" % (pid, ns)) == os.readlink("/proc/self/ns/" + ns):
            bad.append("shares the host's %s namespace" % ns)
    check(name + ": namespaces of its own", not [b for b in bad if "namespace" in b], "; ".join(bad))
    root = os.listdir("/proc/%d/root/" % pid)
    # The gofer's has the place where its own /proc/self/fd is mounted.
    check(name + ": its root is empty", not [r for r in root if kind != "gofer" or r != "fd"], root)
    open_fds = os.listdir("/proc/%d/fd" % pid)
    dirs = directories(pid)
    if kind == "stub":
        # With ptrace files to be mapped come by a socket; no call of the application reaches the host there.
        check(name + ": no descriptor", open_fds == (["0"] if platform == "ptrace" else []), open_fds)
    elif kind == "sentry":
        check("%s: none of %d descriptors is a directory" % (name, len(open_fds)), not dirs, dirs)
    maps = [m for m in open("/proc/%d/maps" % pid) if re.search(r" rwx", m)]
    check(name + ": nothing is both writable and executable", not maps or kind == "stub", maps)
    if not programs:
        return
    if "null" in programs:
        print("skip %s: this kernel does not show filters" % name)
        return
    check(name + ": all threads have the same filters", len(programs) == 1)
    progs = json.loads(programs.pop())
    may, conditional, asked = calls(progs)
    other = foreign(progs)
    print("%s: may make %d host calls, %d of them only with certain arguments%s" % (
        name, len(may), len(conditional), "; %d are answered by the sentry" % len(asked) if asked else ""))
    check("%s: at most %d host calls" % (name, LIMITS[kind]), len(may) <= LIMITS[kind], may)
    if kind == "stub" and platform == "systrap":
        check(name + ": none of the calls that the sentry approves runs unasked", not set(may) & set(APPROVED), may)
        check(name + ": they are asked for", set(APPROVED) <= set(asked), asked)
    check(name + ": no call of the 32-bit or x32 tables", not other, other)


def pid_ns(pid):
    """None: it has ended."""
    try:
        return os.readlink("/proc/%d/ns/pid" % pid)
    except OSError:
        return None


def main():
    subprocess.run(cli + ["run", "--detach", "--bundle", w, "p"], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, env=dict(os.environ, ITS_SECRET="of the caller"))
    time.sleep(0.5)
    state = json.load(open(w + "/state/p/state.json"))
    sentry, gofer = state["sentry"]["pid"], state["gofer"]["pid"]
    ns = pid_ns(sentry)
    stubs = sorted(p for p in map(int, filter(str.isdigit, os.listdir("/proc"))) if p != sentry and pid_ns(p) == ns)
    ours = [sentry, gofer] + stubs
    check("sentry, gofer and at least four stubs run", len(ours) >= 6, ours)
    try:
        examine("sentry", sentry)
        examine("gofer", gofer)
        for s in stubs:
            examine("stub", s)
        adj = [int(open("/proc/%d/oom_score_adj" % p).read()) for p in ours]
        check("the host kills as config.json says, and stubs first", adj[:2] == [300, 300] and set(adj[2:]) == {301}, adj)
        knows = [p for p in ours if b"SECRET" in open("/proc/%d/environ" % p, "rb").read()]
        check("none has the launcher's environment", not knows, knows)
        if shutil.which("nsenter"):
            r = subprocess.run(["nsenter", "-U", "-S", "65534", "-G", "65534", "-t", str(sentry), "unshare", "-U", "true"],
                               check=False, capture_output=True)
            check("the sentry can make no user namespace", r.returncode != 0, r)
    finally:
        subprocess.run(cli + ["delete", "--force", "p"], check=False)
    left = [p for p in ours if os.path.exists("/proc/%d" % p) and status("/proc/%d" % p)["State"][0] != "Z"]
    check("nothing is left after delete", not left, left)
    print("posture: %(passed)d passed, %(failed)d failed, 0 skipped" % result)
    return result["failed"] > 0


sys.exit(main())
