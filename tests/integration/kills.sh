#!/bin/bash
# kills.sh CSANDBOX [ROUNDS]: kill -9 of launcher, sentry or gofer at a random moment of a busy sandbox's life; afterwards
# `delete --force` must leave no process, no state and no control group.  Root needed.
here=$(dirname "$(realpath "$0")")
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
chmod 755 "$w"
mkdir "$w/b"
# A copy under a name of its own: what runs it is ours.
cp "$1" "$w/csandbox"
"$here/../lib/busybox_root.sh" "$w/b/rootfs"
python3 "$here/../lib/bundle.py" "$w/b" /bin/sh -c 'while :; do /bin/true; done'
python3 - "$w" "${2:-40}" <<'PY'
import glob, json, os, random, subprocess, sys, time
w, rounds = sys.argv[1], int(sys.argv[2])
exe, group = w + "/csandbox", "/csandbox-test-%d/k" % os.getpid()
config = json.load(open(w + "/b/config.json"))
config["linux"]["cgroupsPath"] = group
json.dump(config, open(w + "/b/config.json", "w"))
quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
cli = [exe, "--root", w + "/state"]


def ours():
    """Pids and names of live processes that run our copy."""
    found = {}
    for p in glob.glob("/proc/[0-9]*"):
        try:
            if os.readlink(p + "/exe") == exe and open(p + "/stat").read().rsplit(")", 1)[1].split()[0] != "Z":
                found[int(os.path.basename(p))] = open(p + "/comm").read().strip()
        except OSError:
            pass
    return found


failed = 0
for i in range(rounds):
    who = random.choice(["launcher", "sentry", "gofer"])
    run = subprocess.Popen(cli + ["run", "-b", w + "/b", "k"], **quiet)
    time.sleep(random.random() * 0.1)
    victims = [p for p, name in ours().items() if name == who] or [run.pid]
    for p in victims:
        try:
            os.kill(p, 9)
        except OSError:
            pass
    try:
        d = subprocess.run(cli + ["delete", "--force", "k"], capture_output=True, timeout=30, check=False)
        run.wait(10)
        why = d.stderr.decode() if d.returncode else ""
    except subprocess.TimeoutExpired as e:
        why = str(e)
        run.kill()
    end = time.time() + 2
    while ours() and time.time() < end:
        time.sleep(0.02)
    left = list(ours().values()) + os.listdir(w + "/state") + glob.glob("/sys/fs/cgroup/*" + group)
    if why or left:
        print("FAIL round %d, %s killed: %s, left: %s" % (i, who, why, left))
        failed += 1
        subprocess.run(cli + ["delete", "--force", "k"], timeout=30, check=False, **quiet)
for d in glob.glob("/sys/fs/cgroup/*" + os.path.dirname(group)):
    os.rmdir(d)
print("kills: %d passed, %d failed, 0 skipped" % (rounds - failed, failed))
sys.exit(failed > 0)
PY
