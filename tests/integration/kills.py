"""kills.py DIR ROUNDS: the rounds of kills.sh.  DIR holds csandbox, busy/ and neighbour/."""
import glob
import json
import os
import random
import shutil
import subprocess
import sys
import time

w, rounds = sys.argv[1], int(sys.argv[2])
exe, state, store = w + "/csandbox", w + "/state", w + "/store"
top = "/csandbox-test-%d" % os.getpid()
cli = [exe, "--root", state, "--network=none"]
quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
COMM = {"launcher": "csandbox", "sentry": "sentry", "gofer": "gofer", "stub": "csandbox-stub"}


def alive(except_ns=None):
    """Pids and names of live processes that run our copy, but for those of one pid namespace."""
    found = {}
    for p in glob.glob("/proc/[0-9]*"):
        try:
            if os.readlink(p + "/exe").startswith(exe) and os.readlink(p + "/ns/pid") != except_ns and \
               open(p + "/stat").read().rsplit(")", 1)[1].split()[0] != "Z":
                found[int(os.path.basename(p))] = open(p + "/comm").read().strip()
        except OSError:
            pass
    return found


def mounts():
    return [line.split()[1] for line in open("/proc/self/mounts") if w in line]


def memory_files():
    """Shared memory in use, which is what memfds are, in kB: somebody else's too, so only a trend."""
    return next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("Shmem:"))


def delete(name):
    return subprocess.run(cli + ["delete", "--force", name], capture_output=True, timeout=30, check=False)


def set_group(bundle, group):
    path = "%s/%s/config.json" % (w, bundle)
    config = json.load(open(path))
    config["linux"]["cgroupsPath"] = top + "/" + group
    json.dump(config, open(path, "w"))


def groups():
    return [d for d in glob.glob("/sys/fs/cgroup/*" + top + "/*") + glob.glob("/sys/fs/cgroup" + top + "/*")
            if not d.endswith("/neighbour") and os.path.isdir(d)]


def one(kind, base, spared, kept):
    """One round: what is wrong afterwards (empty: nothing), and whether a process was hit."""
    run = subprocess.Popen(cli + ["--overlay=dir=" + store] * kept + ["run", "-b", w + "/busy", "k"], **quiet)
    # Half of the rounds while it starts, half while it runs; one in eight while it is deleted.
    time.sleep(random.random() * random.choice((0.05, 0.4)))
    ending = None
    if random.random() < 0.125:
        ending = subprocess.Popen(cli + ["delete", "--force", "k"], **quiet)
        time.sleep(random.random() * 0.03)
    victims = [p for p, name in alive(spared).items() if p not in base and name == COMM[kind] and
               (kind != "launcher" or p == run.pid)]
    hit = 0
    for p in [random.choice(victims)] if victims else []:
        try:
            os.kill(p, 9)
            hit = 1
        except OSError:
            pass
    why = []
    try:
        if ending:
            ending.wait(30)
        if kind == "stub":
            time.sleep(random.random() * 0.05)
        d = delete("k")
        if d.returncode:
            why.append(d.stderr.decode())
        run.wait(10)
    except subprocess.TimeoutExpired as e:
        why.append("hangs: " + str(e))
        run.kill()
    end = time.time() + 5
    while set(alive(spared)) - set(base) and time.time() < end:
        time.sleep(0.01)
    left = ["process %s %d" % (n, p) for p, n in alive(spared).items() if p not in base]
    left += ["state " + n for n in os.listdir(state) if n != "neighbour"] + ["cgroup " + g for g in groups()]
    left += ["mount " + m for m in mounts()]
    return why + (["left: " + ", ".join(left)] if left else []), hit


def main():
    passed = failed = 0
    shared = memory_files()
    os.mkdir(store)
    set_group("busy", "k")
    set_group("neighbour", "neighbour")
    neighbour = subprocess.Popen(cli + ["run", "-b", w + "/neighbour", "neighbour"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    counter = w + "/neighbour/rootfs/root/n"
    end = time.time() + 20
    while not os.path.exists(counter) and time.time() < end:
        time.sleep(0.05)
    # The neighbour: a launcher and a gofer, and who is in the sentry's pid namespace, new stubs too.
    sentry = next(p for p, name in alive().items() if name == "sentry")
    spared = os.readlink("/proc/%d/ns/pid" % sentry)
    base = alive()
    for kind in COMM:
        hits = bad = 0
        for i in range(rounds):
            why, hit = one(kind, base, spared, i % 2)       # every other one writes to a directory
            hits += hit
            if why:
                bad += 1
                print("not ok %s, round %d: %s" % (kind, i, "; ".join(why)))
                for p in set(alive(spared)) - set(base):
                    os.kill(p, 9)
                delete("k")
        print("%s kill -9 of the %s: %d rounds, %d met one, %d left something" %
              ("not ok" if bad else "ok", kind, rounds, hits, bad), flush=True)
        passed += rounds - bad
        failed += bad
    count = open(counter).read()
    open(w + "/neighbour/rootfs/root/stop", "w").close()
    try:
        out = neighbour.communicate(timeout=20)[0].decode()
    except subprocess.TimeoutExpired:
        out = "hangs"
    delete("neighbour")
    if out == "done\n" and neighbour.returncode == 0 and not mounts() and not alive():
        passed += 1
        print("ok the neighbour ran on (it counted to %s); the machine's shared memory %+d kB" %
              (count.strip(), memory_files() - shared))
    else:
        failed += 1
        print("not ok the neighbour: %r, status %s; mounts %s; alive: %s" %
              (out, neighbour.returncode, mounts(), alive()))
        for p in alive():
            os.kill(p, 9)
    for d in glob.glob("/sys/fs/cgroup/*" + top) + glob.glob("/sys/fs/cgroup" + top):
        os.rmdir(d)
    shutil.rmtree(w, ignore_errors=True)
    print("kills: %d passed, %d failed, 0 skipped" % (passed, failed))
    return failed > 0


sys.exit(main())
