"""overlaydir.py CSANDBOX DIR KILLS: the cases of overlaydir.sh.  DIR/b/rootfs is a busybox root."""
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time

exe, w, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
here = os.path.dirname(os.path.realpath(__file__))
root, store = w + "/b/rootfs", w + "/store"
passed = failed = skipped = 0


def check(name, good, why=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAIL %s: %s" % (name, str(why)[:400]), flush=True)


def cli(path=store):
    return [exe, "--root", w + "/state", "--network=none", "--overlay=dir=" + path]


def bundle(script):
    subprocess.run([sys.executable, here + "/../lib/bundle.py", w + "/b", "/bin/sh", "-c", script], check=True,
                   env=dict(os.environ, BUNDLE_TMPFS="0"))


def run(script, path=store, name="x"):
    """Status and both streams."""
    bundle(script)
    r = subprocess.run(cli(path) + ["run", "-b", w + "/b", name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=60, check=False)
    return r.returncode, r.stdout.decode(errors="replace")


def fresh():
    shutil.rmtree(store, ignore_errors=True)
    os.mkdir(store)


def tree(top):
    """A directory's content, by name; of the test's own part only."""
    out = {}
    for d, dirs, files in os.walk(top):
        for n in dirs + files:
            p = os.path.join(d, n)
            s = os.lstat(p)
            v = [stat.S_IFMT(s.st_mode), s.st_mode & 0o7777 if not stat.S_ISLNK(s.st_mode) else 0, s.st_uid, s.st_gid]
            if stat.S_ISREG(s.st_mode):
                v += [s.st_nlink, open(p, "rb").read()[:100]]
            if stat.S_ISLNK(s.st_mode):
                v.append(os.readlink(p))
            out[os.path.relpath(p, top)] = v
    return out


LIST = r"""cd /t; find . | sort | while read -r f; do if [ -L "$f" ]; then s=$(readlink "$f"); elif [ -f "$f" ]; then
s=$(head -c 60 "$f" | tr '\n' .); else s=; fi; echo "$(stat -c '%n %F %a %u %g' "$f") $s"; done"""


def fill_root():
    shutil.rmtree(root + "/t", ignore_errors=True)
    os.makedirs(root + "/t/d0/d1/d2")
    os.makedirs(root + "/t/e")
    os.chmod(root + "/t/e", 0o2770)
    os.chown(root + "/t/e", 7, 8)
    for i, p in enumerate(("a", "b", "d0/a", "d0/d1/a", "d0/d1/b", "d0/d1/d2/c", "e/f")):
        with open(root + "/t/" + p, "w") as f:
            f.write("lower %d\n" % i)
        os.chown(root + "/t/" + p, 10 + i, 20 + i)
    os.symlink("a", root + "/t/l")


def random_script(seed, n):
    """Commands that change /t, right and wrong ones; each tells its status."""
    r = random.Random(seed)
    dirs = ["", "d0/", "d0/d1/", "d0/d1/d2/", "e/", "n/"]
    lines = ["cd /t"]

    def name():
        return r.choice(dirs) + r.choice("abcfl")

    def place():
        return r.choice(dirs[1:])[:-1]

    for i in range(n):
        c = r.randrange(13)
        lines.append("{ " + (
            lambda: "echo %d >%s" % (i, name()), lambda: "echo %d >>%s" % (i, name()), lambda: "rm %s" % name(),
            lambda: "rm -r %s" % place(), lambda: "mkdir %s" % place(), lambda: "mkdir -p %s" % place(),
            lambda: "ln %s %s" % (name(), name()), lambda: "ln -s %s %s" % (r.choice("abc"), name()),
            lambda: "chmod %o %s" % (r.choice((0o600, 0o755, 0o2711)), name()), lambda: "chown %d:3 %s" % (i, name()),
            lambda: "mv %s %s" % (name(), name()), lambda: "mv %s %s" % (place(), r.choice(("n", "m", "e/z"))),
            lambda: "touch -d @%d %s" % (i, name()))[c]() + "; } 2>/dev/null </dev/null; echo %d $?" % i)
    return "\n".join(lines)


def host_mount(upper, work, script):
    """Run @script on a mount of the host's own overlay; None: it has none."""
    m = w + "/merged"
    os.makedirs(m, exist_ok=True)
    text = "mount -t overlay o -o userxattr,lowerdir=%s,upperdir=%s,workdir=%s %s || exit 99; exec chroot %s /bin/sh -c \"$1\"" % (
        root, upper, work, m, m)
    r = subprocess.run(["unshare", "-m", "sh", "-c", text, "sh", script], stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=60, check=False)
    return None if r.returncode == 99 else r.stdout.decode(errors="replace")


def basics():
    fresh()
    before = tree(root)
    r, out = run("echo kept >/root/f; rm /t/a; rm -r /t/d0; mkdir /t/d0; echo in >/t/d0/n; chmod 700 /t/e; echo +>>/t/b")
    check("the first run writes", r == 0, out)
    check("the root is untouched", tree(root) == before)
    r, out = run("cat /root/f /t/b /t/d0/n; ls /t /t/d0; stat -c %a:%u:%g /t/e; ls /t/a")
    want = "kept\nlower 1\n+\nin\n/t:\nb\nd0\ne\nl\n\n/t/d0:\nn\n700:7:8\n"
    check("the second run sees it", out.startswith(want) and r == 1, out)
    check("the writes are in PATH/upper", open(store + "/upper/root/f").read() == "kept\n" and
          os.getxattr(store + "/upper/t/d0", "user.overlay.opaque") == b"y" and
          stat.S_ISCHR(os.lstat(store + "/upper/t/a").st_mode), os.listdir(store + "/upper"))
    check("nothing stays in PATH/work", os.listdir(store + "/work") == [], os.listdir(store + "/work"))
    r, out = run("touch /x; setfattr --help >/dev/null 2>&1; ls -d /work /upper /t/../../work")
    check("the guest cannot see PATH itself", "/work\n" not in out.replace("ls: ", "").split(": No")[0], out)
    fresh()
    r, out = run("ls /t; stat -c %a /")
    check("an empty PATH shows the root as it is", r == 0 and out == "a\nb\nd0\ne\nl\n755\n", out)


def like_linux():
    global skipped
    for seed in range(6):
        fresh()
        script = random_script(seed, 60)
        r, out = run(script)
        for d in ("upper", "work"):
            shutil.rmtree(w + "/n" + d, ignore_errors=True)
            os.mkdir(w + "/n" + d)
            os.chmod(w + "/n" + d, 0o755)
        native = host_mount(w + "/nupper", w + "/nwork", script)
        if native is None:
            skipped += 1
            print("skip the host mounts no overlay with userxattr here")
            return
        check("60 commands end as on Linux (%d)" % seed, out == native, [
            (script.split("\n")[1 + int(a.split()[0])], a, b) for a, b in zip(out.split("\n"), native.split("\n")) if a != b][:3])
        seen = host_mount(w + "/nupper", w + "/nwork", LIST)
        r, ours = run(LIST)
        check("and leave the same tree (%d)" % seed, ours == seen, (set(ours.split("\n")) ^ set(seen.split("\n"))))
        host = host_mount(store + "/upper", store + "/work", LIST)
        check("which the host sees in PATH/upper (%d)" % seed, host == ours, set(ours.split("\n")) ^ set(host.split("\n")))
        host_mount(store + "/upper", store + "/work", random_script(seed + 100, 30))
        host = host_mount(store + "/upper", store + "/work", LIST)
        r, ours = run(LIST)
        check("what the host then changes in such a mount is seen (%d)" % seed, host == ours,
              set(ours.split("\n")) ^ set(host.split("\n")))


def errors():
    def says(name, path, text, prepare=None):
        fresh()
        if prepare:
            prepare()
        r, out = run("echo ran", path)
        check(name, r == 1 and text in out and out.count("\n") == 1, out)

    says("PATH is missing", w + "/nowhere", "cannot find " + w + "/nowhere; it must exist: No such file or directory")
    says("PATH is a file", exe, exe + " is not a directory")
    says("PATH is in the root", root + "/t", "is inside of the root file system")
    says("PATH is the root", root, "is inside of the root file system")
    says("the root is in PATH", w, "the root file system " + root + " is inside of " + w)
    says("PATH is empty", "", "give the directory")
    says("PATH does not take whiteouts", "/proc", "--overlay=dir: cannot make /proc/upper")
    says("upper is a symlink", store, store + "/upper is not a directory", lambda: os.symlink("/", store + "/upper"))
    says("work is a symlink", store, store + "/work is not a directory", lambda: os.symlink("/etc", store + "/work"))
    says("upper is a file", store, store + "/upper is not a directory", lambda: open(store + "/upper", "w").close())
    says("PATH is a dangling symlink", store + "/s", "cannot find", lambda: os.symlink("nowhere", store + "/s"))
    check("nothing was made on the host", not os.path.exists("/etc/probe"))
    fresh()
    os.symlink(store, w + "/link")
    r, out = run("echo x >/x", w + "/link")
    check("PATH may be a symlink to a directory", r == 0 and os.path.exists(store + "/upper/x"), out)
    bundle("echo up; sleep 20")
    p = subprocess.Popen(cli() + ["run", "-b", w + "/b", "first"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    p.stdout.readline()
    r, out = run("echo ran", name="second")
    check("PATH is in use", r == 1 and "is in use by another sandbox" in out, out)
    check("of which nothing is left", os.listdir(w + "/state") == ["first"], os.listdir(w + "/state"))
    subprocess.run(cli() + ["delete", "--force", "first"], check=False)
    p.wait(20)
    r, out = run("echo ran")
    check("and is free when it has ended", out == "ran\n", out)


def told(script):
    """run(), with the line that warns of what cannot be removed as WARNING."""
    r, out = run(script)
    first, _, rest = out.partition("\n")
    return r, WARNING + rest if WARNING in first else out


WARNING = "the work directory of the overlay cannot be emptied"


def hostile():
    fresh()
    run("true")
    up = store + "/upper"
    os.symlink("/etc/passwd", up + "/passwd")
    os.symlink("../../../../../../../../etc", up + "/out")
    os.mknod(up + "/nothing", stat.S_IFCHR | 0o600, 0)
    os.makedirs(up + "/t")
    os.chown(up + "/t", 0, 0)
    os.mknod(up + "/t/a", stat.S_IFCHR | 0o644, 0)
    os.link(up + "/t/a", up + "/t/b")
    os.mknod(up + "/t/zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    os.mknod(up + "/disk", stat.S_IFBLK | 0o666, os.makedev(8, 0))
    os.mkfifo(up + "/fifo")
    os.mkdir(up + "/t/e")
    os.setxattr(up + "/t/e", "user.overlay.opaque", b"nonsense")
    os.setxattr(up + "/t", "user.overlay.redirect", b"/../../etc")
    os.makedirs(store + "/work/deep/er/still")
    open(store + "/work/deep/er/still/x", "w").close()
    os.symlink("/etc", store + "/work/link")
    open(store + "/work/#0", "w").close()
    host = os.listdir("/etc")
    r, out = told("cat /passwd; ls /out | head -1; ls /nothing; ls /t; ls /t/e; cat /disk; ls -l /fifo; getfattr -d /t")
    check("links stay inside", out.startswith(WARNING + open(root + "/etc/passwd").read() + "group\n"), out)
    check("odd whiteouts and marks", "ls: /nothing: No such" in out and "\nd0\ne\nl\nzero\nf\n" in out, out)
    check("devices do not open", "can't open '/disk'" in out, out)
    r, out = told("rm -r /t /out /passwd /fifo /disk; mkdir /t; touch /t/q /nothing; ls /t; rm /nothing; rm /nothing")
    check("they can be removed", out.startswith(WARNING + "q\n") and "/nothing': No such" in out, out)
    check("leftovers do not matter", set(os.listdir(store + "/work")) <= {"deep"} and os.listdir("/etc") == host,
          os.listdir(store + "/work"))


def children(pid):
    try:
        return [int(x) for x in open("/proc/%d/task/%d/children" % (pid, pid)).read().split()]
    except OSError:
        return []


def whole_after_kills():
    big = os.urandom(1 << 20) * 6
    with open(root + "/t/big", "wb") as f:
        f.write(big)
    bad = hits = 0
    script = ("cd /t; echo up; echo x >>big; rm big; while :; do mv d0/a d0/z; rm -r d0; mkdir d0; "
              "echo new >d0/new; mv d0/new b; rm -r d0; rm b; done")
    once = "cd /t; echo up; echo x >>big; rm -r d0; mkdir d0; echo new >d0/new; mv d0/new b; sleep 5"
    for i in range(kills):
        fresh()
        bundle(once if i % 2 else script)
        p = subprocess.Popen(cli() + ["run", "-b", w + "/b", "k"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        p.stdout.readline()
        time.sleep(random.random() * 0.06)
        victims = [c for c in children(p.pid) if open("/proc/%d/comm" % c).read().strip() in ("sentry", "gofer")]
        for v in [random.choice(victims)] if victims else []:
            os.kill(v, signal.SIGKILL)
            hits += 1
        # Without its gofer a guest runs on and is told EIO.
        subprocess.run(cli() + ["delete", "--force", "k"], capture_output=True, check=False)
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
            bad += 1
            print("FAIL round %d hangs" % i)
        r, out = run("cd /t; [ ! -e big ] || stat -c %s big; [ ! -d d0 ] || ls d0; cat b")
        lines = out.split("\n")
        size = int(lines[0]) if lines[0].isdigit() else None
        mixed = "new" in lines and ("d1" in lines)
        part = size is not None and size < len(big)
        again = i % 2 == 0 and size == len(big) and os.path.lexists(store + "/upper/t/big")
        if mixed or part or again or os.listdir(store + "/work"):
            bad += 1
            print("FAIL round %d: %r, work %s" % (i, out, os.listdir(store + "/work")))
    check("%d kills left whole trees" % hits, bad == 0 and hits > 0, "%d of %d did not, %d hit" % (bad, kills, hits))
    check("and nothing else", os.listdir(w + "/state") == [], os.listdir(w + "/state"))


fill_root()
basics()
like_linux()
fill_root()
errors()
hostile()
fill_root()
whole_after_kills()
print("overlaydir: %d passed, %d failed, %d skipped" % (passed, failed, skipped))
sys.exit(failed > 0)
