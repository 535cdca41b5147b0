#!/usr/bin/env python3
"""bundle.py DIR ARG...: write DIR/config.json for a container that runs ARG... with DIR/rootfs as its root.

From the environment: BUNDLE_ROOT (path of the root file system instead of "rootfs"), BUNDLE_CWD, BUNDLE_TTY=1,
BUNDLE_TMPFS=0 (no tmpfs on /tmp), BUNDLE_READONLY=1, BUNDLE_ENV (lines of NAME=value, added), BUNDLE_UID,
BUNDLE_NETNS (path of the network namespace to join), BUNDLE_HOST_CAPS=1 (only what the caller may give),
BUNDLE_ADD (JSON: objects are merged into the result).
"""
import json
import os
import resource
import sys

caps = ["CAP_" + c for c in """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE
AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
CHECKPOINT_RESTORE""".split()]
if os.environ.get("BUNDLE_HOST_CAPS"):
    # No more than this shell may give: runc refuses the rest.
    with open("/proc/self/status", encoding="ascii") as f:
        bnd = int(next(line for line in f if line.startswith("CapBnd")).split()[1], 16)
    caps = [c for i, c in enumerate(caps) if bnd >> i & 1]


def mount(where, kind, *options):
    return {"destination": where, "type": kind, "source": kind, "options": list(options)}


env = os.environ
mounts = [mount("/proc", "proc"),
          mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
          mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
          mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
          mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
          mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro")]
if env.get("BUNDLE_TMPFS", "1") == "1":
    mounts.append(mount("/tmp", "tmpfs", "mode=1777"))
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
nofile = 65536 if hard == resource.RLIM_INFINITY else min(65536, hard)
uid = int(env.get("BUNDLE_UID", "0"))
config = {
    "ociVersion": "1.0.2",
    "process": {
        "terminal": env.get("BUNDLE_TTY") == "1",
        "args": sys.argv[2:], "cwd": env.get("BUNDLE_CWD", "/"), "user": {"uid": uid, "gid": uid},
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
                "TERM=xterm"] + env.get("BUNDLE_ENV", "").split("\n") * bool(env.get("BUNDLE_ENV")),
        "capabilities": {k: caps for k in ("bounding", "effective", "permitted")},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": nofile, "soft": min(1024, nofile)}],
    },
    "root": {"path": env.get("BUNDLE_ROOT", "rootfs"), "readonly": env.get("BUNDLE_READONLY") == "1"},
    "hostname": "sandbox",
    "mounts": mounts,
    "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts")] +
              [{"type": "network", "path": env["BUNDLE_NETNS"]} if "BUNDLE_NETNS" in env else {"type": "network"}]},
}


def merge(a, b):
    for k, v in b.items():
        if isinstance(v, dict) and isinstance(a.get(k), dict):
            merge(a[k], v)
        else:
            a[k] = v


merge(config, json.loads(env.get("BUNDLE_ADD", "{}")))
if "BUNDLE_CGROUP" in env:
    config["linux"]["cgroupsPath"] = env["BUNDLE_CGROUP"]
with open(os.path.join(sys.argv[1], "config.json"), "w", encoding="utf-8") as f:
    json.dump(config, f, indent=1)
