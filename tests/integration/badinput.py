"""badinput.py CSANDBOX DIR: the cases of badinput.sh.  DIR/b is a good bundle on a busybox root."""
import copy
import glob
import json
import os
import socket
import struct
import subprocess
import sys

exe, w = sys.argv[1], sys.argv[2]
good = json.load(open(w + "/b/config.json"))
state = w + "/state"
passed = failed = 0


def verdict(name, why):
    global passed, failed
    passed, failed = passed + (not why), failed + bool(why)
    print("%s %s%s" % ("not ok" if why else "ok", name, ": " + why if why else ""), flush=True)


def left():
    """What a finished case may not leave: state, or a process that knows this directory."""
    found = [state + "/" + n for n in (os.listdir(state) if os.path.isdir(state) else [])]
    for p in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if state in open(p).read():
                found.append(p)
        except OSError:
            pass
    return found


def csandbox(*args, before=None, root=state, errors=True):
    try:
        r = subprocess.run([exe, "--root", root, "--network=none", *args], capture_output=True, timeout=60,
                           stdin=subprocess.DEVNULL, preexec_fn=before, check=False)
    except subprocess.TimeoutExpired:
        return 124, "hangs"
    return r.returncode, (r.stdout + (r.stderr if errors else b"")).decode("utf-8", "replace")


def write_config(text):
    with open(w + "/b/config.json", "wb") as f:
        f.write(text if isinstance(text, bytes) else json.dumps(text).encode())


def refused(name, config, *words):
    """A bundle that cannot run: refused with a message that has these words, and nothing is left."""
    write_config(config)
    rc, out = csandbox("run", "-b", w + "/b", "x")
    missing = [word for word in words if word not in out]
    why = "status %d" % rc if rc in (0, 124) or rc > 127 else "says %r, not %s" % (out[-300:], missing) if missing else ""
    verdict(name, why or (left() and "left: %s" % left()))
    if left():
        csandbox("delete", "--force", "x")


def changed(path, value):
    """The good configuration with one thing changed; DROP removes it."""
    c = copy.deepcopy(good)
    at = c
    for k in path[:-1]:
        at = at.setdefault(k, {}) if isinstance(at, dict) else at[k]
    if value is DROP:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return c


DROP = object()


def configs():
    refused("an empty config.json", b"", "config.json")
    refused("cut-off JSON", json.dumps(good).encode()[:-7], "config.json", "JSON")
    refused("JSON of another kind", b"[1, 2]", "config.json")
    refused("nested without end", b"[" * 200000, "config.json")
    refused("a very long config.json", b'{"a":"' + b"x" * (40 << 20) + b'"}', "config.json")
    refused("bytes that are no text", b'{"ociVersion": "\xff\xfe"}', "config.json")
    refused("no version", changed(["ociVersion"], DROP), "ociVersion")
    refused("no process", changed(["process"], DROP), "process")
    refused("process is a list", changed(["process"], []), "process")
    refused("no arguments", changed(["process", "args"], []), "process: args")
    refused("an argument that is a number", changed(["process", "args"], ["/bin/true", 5]), "process.args")
    refused("a NUL inside an argument", changed(["process", "args"], ["/bin/true\0x"]), "process.args")
    refused("a relative working directory", changed(["process", "cwd"], "tmp"), "process: cwd")
    refused("a negative user", changed(["process", "user"], {"uid": -5, "gid": 0}), "process.user.uid")
    refused("a user beyond 32 bits", changed(["process", "user"], {"uid": 1 << 40, "gid": 0}), "process.user.uid")
    refused("an unknown limit", changed(["process", "rlimits"], [{"type": "RLIMIT_X", "hard": 1, "soft": 1}]), "RLIMIT_X")
    refused("a soft limit above the hard one",
            changed(["process", "rlimits"], [{"type": "RLIMIT_NOFILE", "hard": 1, "soft": 2}]), "rlimits")
    refused("a root that is not there", changed(["root", "path"], "none"), "root.path", "none")
    refused("a root that is a file", changed(["root", "path"], "config.json"), "root.path")
    os.path.islink(w + "/b/loop") or os.symlink("loop", w + "/b/loop")
    refused("a root that is a symlink to itself", changed(["root", "path"], "loop"), "root.path", "loop")
    refused("a root whose name is too long", changed(["root", "path"], "n" * 256), "root.path")
    refused("no root", changed(["root"], DROP), "root")
    refused("a mount of an unknown kind", changed(["mounts"], [{"destination": "/m", "type": "frob"}]), "mounts: /m", "frob")
    refused("a mount without a place", changed(["mounts"], [{"type": "tmpfs"}]), "mounts[0]")
    refused("a bind mount of nothing",
            changed(["mounts"], [{"destination": "/m", "source": "/no/such", "options": ["bind"]}]), "/no/such")
    refused("a control group outside", changed(["linux", "cgroupsPath"], "/../../x"), "cgroupsPath")
    refused("a prestart hook that is not there", changed(["hooks"], {"prestart": [{"path": "/no/hook"}]}), "/no/hook")
    refused("a hook that fails", changed(["hooks"], {"createRuntime": [{"path": "/bin/false"}]}), "/bin/false")
    refused("a hook that takes too long",
            changed(["hooks"], {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "90"], "timeout": 1}]}), "/bin/sleep")
    refused("a host name that is too long", changed(["hostname"], "h" * 65), "hostname")
    refused("a program that is not there", changed(["process", "args"], ["/no/prog"]), "/no/prog")
    write_config(good)
    for name, args, words in (
            ("an id that is not there", ["state", "none"], 'does not exist'),
            ("an id with a path", ["run", "-b", w + "/b", "../x"], "invalid container ID"),
            ("an id of 256 bytes", ["run", "-b", w + "/b", "i" * 256], "invalid container ID"),
            ("an empty id", ["run", "-b", w + "/b", ""], "empty"),
            ("a bundle that is not there", ["run", "-b", w + "/none", "x"], w + "/none"),
            ("a bundle that is a file", ["run", "-b", exe, "x"], "config.json"),
            ("a platform that is not there", ["--platform=frob", "run", "-b", w + "/b", "x"], "frob")):
        rc, out = csandbox(*args)
        verdict(name, "" if rc not in (0, 124) and words in out and not left() else "status %d: %s %s" % (rc, out, left()))
    rc, _ = csandbox("run", "-b", w + "/b", "i" * 255)
    verdict("an id of 255 bytes", "" if rc == 0 and not left() else "status %d, left %s" % (rc, left()))


# ---- the same script natively (chroot) and inside: all that it prints must agree ----

def elf(machine=62, etype=2, phoff=64, phentsize=56, phnum=1, entry=0x400078, segs=None, extra=b""):
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", etype, machine, 1, entry, phoff, 0, 0, 64, phentsize,
                       phnum, 0, 0, 0)
    segs = segs if segs is not None else [(1, 5, 0, 0x400000, 4096, 4096)]
    body = b"".join(struct.pack("<IIQQQQQQ", t, fl, off, va, va, fs, ms, 4096) for t, fl, off, va, fs, ms in segs)
    return head + body + extra


EXIT = bytes.fromhex("b83c000000bf070000000f05")      # exit(7), at 0x400078 of a one-segment file


def interp(path):
    segs = [(3, 4, 64 + 112, 0x4000b0, len(path), len(path)), (1, 5, 0, 0x400000, 4096, 4096)]
    return elf(phnum=2, segs=segs, entry=0x400200, extra=path)


PROGRAMS = {
    "good": elf(extra=EXIT), "empty": b"", "one-byte": b"\x7f", "magic": b"\x7fELF", "header": elf()[:64],
    "half-header": elf()[:40], "wrong-machine": elf(machine=3, extra=EXIT), "relocatable": elf(etype=1, extra=EXIT),
    "no-segments": elf(phnum=0, extra=EXIT), "odd-phentsize": elf(phentsize=55, extra=EXIT),
    "phdrs-beyond": elf(phoff=1 << 20, extra=EXIT), "phdrs-wrap": elf(phoff=(1 << 64) - 8, extra=EXIT),
    "many-phdrs": elf(phnum=65535, extra=EXIT), "entry-nowhere": elf(entry=0x10, extra=EXIT),
    "interp-missing": interp(b"/no/such\0"), "interp-directory": interp(b"/etc\0"), "interp-text": interp(b"/etc/passwd\0"),
    "interp-empty": interp(b"\0"), "interp-without-nul": interp(b"/bin/busybox"), "interp-itself": interp(b"/x/interp-itself\0"),
    "interp-long": interp(b"/" * 5000 + b"\0"),
    "script-alone": b"#!", "script-empty": b"#!\n", "script-missing": b"#!/no/such\n", "script-itself": b"#!/x/script-itself\n",
    "script-of-directory": b"#!/etc\n", "script-long": b"#!/" + b"a" * 300 + b"\n", "script-arg": b"#!/bin/echo one two\n",
    "script-of-script": b"#!/x/script-arg\n", "binary": bytes(range(1, 32)) * 100,
}

# Linux notices these when it is too late to return, and kills; we may refuse, or kill.
FATAL = {
    "filesz-above-memsz": elf(segs=[(1, 5, 0, 0x400000, 4096, 16)], extra=EXIT),
    "kernel-address": elf(segs=[(1, 5, 0, 0xffff800000000000, 4096, 4096)], extra=EXIT),
    "wrapping-size": elf(segs=[(1, 5, 0, 0x400000, 4096, (1 << 64) - 4096)], extra=EXIT),
    "unaligned": elf(segs=[(1, 5, 0, 0x400010, 4096, 4096)], extra=EXIT),
}

NAMES = r'''
cd /root && mkdir -p t && cd t || exit 1
a255=$(printf %255s | tr ' ' a); e() { "$@" 2>&1 | sed 's/.*: //' | cut -c1-60; }
e touch $a255; ls | wc -c; e touch ${a255}b; e mkdir ${a255}b; e cat ${a255}b; e ln -s x ${a255}b; e mv $a255 ${a255}b; e rm $a255
long=$(printf '%4090s' | sed 's| |./|g' | cut -c1-4090); e cat ${long}x; e cat ${long}xxxxxxxxxx
e ln -s l l; e cat l; e cat l/x; e mkdir l; e touch l; ln -s m1 m2; ln -s m2 m1; e cat m1; e cd m1; rm l m1 m2
i=0; while [ $i -lt 45 ]; do ln -s s$((i + 1)) s$i; i=$((i + 1)); done; echo end >s45; cat s5; e cat s4; e cat s0; rm s*
i=0; while [ $i -lt 300 ]; do mkdir d 2>/dev/null; cd d || break; i=$((i + 1)); done; pwd | wc -c; e cat ../../../none; cd /root/t; rm -r d
ln -s ../../../../../../../../etc/hostname up; cat up; cat /../../../../etc/hostname; cat /proc/self/root/../../etc/hostname; ln -s /proc/self/root/etc/hostname pr; cat pr
e rmdir /root; e rm -r .; e mkdir .; e mkdir ..; e mv .. x; e ln . y; e touch x/; e cat /etc/hostname/; e mkdir ''; e cat ''; e rmdir /proc; e mv /root/t /root/t/u
cd / && rm -r /root/t
'''


def both(name, script):
    """@script with the bundle's root: natively and in the sandbox."""
    with open(w + "/b/rootfs/script", "w", encoding="utf-8") as f:
        f.write(script)
    c = changed(["process", "args"], ["/bin/sh", "/script"])
    c["mounts"] = [m for m in c["mounts"] if m["destination"] in ("/proc", "/dev")]
    write_config(c)
    native = subprocess.run(["unshare", "-mpf", "sh", "-c", 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" /bin/sh /script',
                             w + "/b/rootfs"], capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
                            env={"PATH": "/bin:/sbin:/usr/bin:/usr/sbin", "HOME": "/root"}, check=False)
    rc, out = csandbox("run", "-b", w + "/b", "x", errors=False)
    want = native.stdout.decode("utf-8", "replace")
    differ = [(a, b) for a, b in zip(want.split("\n"), out.split("\n")) if a != b]
    why = "status %d, natively %d" % (rc, native.returncode) if rc != native.returncode else ""
    if differ or len(want.split("\n")) != len(out.split("\n")):
        why = "native against here: %s; %d and %d lines" % (differ[:4], want.count("\n"), out.count("\n"))
    verdict(name, why or (left() and "left: %s" % left()))


def programs():
    os.makedirs(w + "/b/rootfs/x", exist_ok=True)
    for n, data in {**PROGRAMS, **FATAL}.items():
        with open(w + "/b/rootfs/x/" + n, "wb") as f:
            f.write(data)
        os.chmod(w + "/b/rootfs/x/" + n, 0o755)
    # env executes without a shell's second try, and says what errno it was.
    names = " ".join(PROGRAMS)
    both("malformed ELF files, interpreters and scripts: %d programs" % len(PROGRAMS),
         "for p in %s; do env /x/$p arg 2>&1 | head -1; env /x/$p >/dev/null 2>&1; echo $p $?; done\n" % names +
         "for p in %s; do env /x/$p >/dev/null 2>&1; case $? in 126|139) echo $p dies;; *) echo $p $?;; esac; done\n" % " ".join(FATAL))


# ---- resources ----

def full_disk():
    os.makedirs(w + "/b/rootfs/small", exist_ok=True)
    os.makedirs(w + "/full", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small", w + "/b/rootfs/small"], check=True)
    both("a full disk", r'''cd /small; dd if=/dev/zero of=a bs=64k count=100 2>&1 | grep -c 'No space'; stat -c %s a
echo more >b; echo $?; stat -c %s b; rm a; echo fits >b; cat b; i=0; while mkdir d$i 2>/dev/null; do i=$((i+1)); [ $i -lt 100 ] || break; done; echo $i; rm -r d* b''')
    subprocess.run(["umount", w + "/b/rootfs/small"], check=True)
    c = changed(["mounts"], good["mounts"] + [{"destination": "/s", "type": "tmpfs", "options": ["size=1m"]}])
    c["process"]["args"] = ["/bin/sh", "-c", "dd if=/dev/zero of=/s/a bs=64k count=99 2>&1 | grep -c 'No space'; stat -c %s /s/a"]
    write_config(c)
    rc, out = csandbox("run", "-b", w + "/b", "x")
    verdict("a full tmpfs of the sandbox", "" if (rc, out) == (0, "1\n1048576\n") else "status %d: %s" % (rc, out))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,nr_inodes=8", "full", w + "/full"], check=True)
    subprocess.run("cat /dev/zero >%s/full/fill 2>/dev/null" % w, shell=True, check=False)
    write_config(good)
    rc, out = csandbox("run", "-b", w + "/b", "x", root=w + "/full/state")
    n = len(os.listdir(w + "/full/state")) if os.path.isdir(w + "/full/state") else 0
    verdict("a full disk under --root", "" if rc not in (0, 124) and "space" in out and n == 0 else "status %d: %s; left %d" % (rc, out, n))
    subprocess.run(["umount", w + "/full"], check=True)


# ---- what others put in the way ----

def pid_files():
    write_config(good)
    victim, pid = w + "/victim", w + "/pids/p"
    os.mkdir(w + "/pids")
    with open(victim, "w") as f:
        f.write("precious")
    # The name beside it can be guessed: the process has the number that it will have.
    rc, out = csandbox("run", "--pid-file", pid, "-b", w + "/b", "x", before=lambda: os.symlink(victim, "%s.%d.tmp" % (pid, os.getpid())))
    verdict("--pid-file: a link that waits for it is not followed", "" if rc == 0 and open(victim).read() == "precious" and
            os.listdir(w + "/pids") == ["p"] and open(pid).read().isdigit() else "status %d: %s; %s" % (rc, out, os.listdir(w + "/pids")))
    rc, out = csandbox("run", "--pid-file", w + "/pids", "-b", w + "/b", "x")
    found = [n for n in os.listdir(w) if n.startswith("pids.")]
    verdict("--pid-file: what cannot be written leaves nothing", "" if rc == 1 and "--pid-file" in out and not found and not left() else
            "status %d: %s; left %s" % (rc, out, found + left()))


def deaf():
    """A sandbox that never accepts, and whose queue is full."""
    its = subprocess.Popen(["sleep", "1000"])
    at = state + "/deaf"
    os.makedirs(at)
    start = int(open("/proc/%d/stat" % its.pid).read().rpartition(")")[2].split()[19])
    with open(at + "/state.json", "w") as f:
        json.dump({"id": "deaf", "bundle": w + "/b", "sentry": {"pid": its.pid, "start": start}}, f)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.bind(at + "/ctl.sock")
    s.listen(0)
    full = []
    while True:
        full.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK))
        try:
            full[-1].connect(at + "/ctl.sock")
        except BlockingIOError:
            break
    rc, out = csandbox("kill", "deaf", "KILL")
    verdict("kill KILL does not ask a sandbox that does not answer", "" if rc == 0 and its.wait(60) == -9 else "status %d: %s" % (rc, out))
    its.kill()
    rc, out = csandbox("delete", "--force", "deaf")
    verdict("and it can be deleted", "" if rc == 0 and not left() else "status %d: %s %s" % (rc, out, left()))


def limited(name, resources, script, ok):
    """With these limits of its control group the script ends, as @ok(status, output) says, and leaves nothing."""
    c = changed(["process", "args"], ["/bin/sh", "-c", script])
    c["linux"]["resources"] = resources
    c["linux"]["cgroupsPath"] = "/csandbox-bad-%d/x" % os.getpid()
    write_config(c)
    rc, out = csandbox("run", "-b", w + "/b", "x")
    why = "" if ok(rc, out) else "status %d: %s" % (rc, out[-300:])
    if left():
        why += " left: %s" % left()
        csandbox("delete", "--force", "x")
    groups = glob.glob("/sys/fs/cgroup/*/csandbox-bad-%d" % os.getpid()) + glob.glob("/sys/fs/cgroup/csandbox-bad-%d" % os.getpid())
    if [g for d in groups for g in glob.glob(d + "/*/")]:
        why += " a control group is left"
    for d in groups:
        try:
            os.rmdir(d)
        except OSError:
            pass
    verdict(name, why)


def resources():
    eat = "x=a; while :; do x=$x$x; done"
    limited("memory: who takes too much is killed, or told", {"memory": {"limit": 64 << 20}},
            "(%s) 2>/dev/null; echo rc $?" % eat, lambda rc, out: rc != 124 and ("rc " in out or rc > 128 or rc == 1))
    limited("pids: a fork bomb ends", {"pids": {"limit": 40}},
            "i=0; while [ $i -lt 200 ]; do sleep 3 & i=$((i + 1)); done; wait; echo end", lambda rc, out: rc != 124)
    limited("pids: a small limit is for the guest's own tasks", {"pids": {"limit": 3}}, "echo runs", lambda rc, out: rc == 0 and "runs" in out)
    write_config(good)
    for n in (4, 8, 16, 24, 40):
        rc, out = csandbox("run", "-b", w + "/b", "x", before=lambda n=n: __import__("resource").setrlimit(7, (n, n)))
        verdict("%d descriptors for the launcher: works, or says why" % n,
                "" if (rc == 0 or (rc not in (124,) and rc < 128 and len(out) > 20)) and not left() else "status %d: %r %s" % (rc, out, left()))
    c = changed(["process", "args"], ["/bin/sh", "-c", "ulimit -n 7; cat /etc/hostname 8</dev/null; cat /etc/hostname </dev/null 5</dev/null 6</dev/null 2>&1"])
    write_config(c)
    rc, out = csandbox("run", "-b", w + "/b", "x")
    verdict("no descriptor is left inside", "" if rc != 124 and not left() else out)


configs()
programs()
both("names of 255 and 256 bytes, long paths, symlink loops, ways out of the root", NAMES)
full_disk()
pid_files()
deaf()
resources()
print("badinput: %d passed, %d failed, 0 skipped" % (passed, failed))
sys.exit(failed > 0)
