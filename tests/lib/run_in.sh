#!/bin/bash
# run_in.sh CSANDBOX PLATFORM PROGRAM [ARG...]: run a static program in a fresh sandbox whose root holds
# busybox and the program, as root of the sandbox with all capabilities; its exit code is the result.
set -e
bin=$1 platform=$2 prog=$3; shift 3
b=$(mktemp -d); id=t-$$-$RANDOM
cleanup() { "$bin" --root "$b/state" delete --force "$id" >/dev/null 2>&1; rm -rf "$b"; }
trap cleanup EXIT
mkdir -p "$b/rootfs"/{bin,dev,proc,sys,tmp,etc,root}
chmod 1777 "$b/rootfs/tmp"
cp /bin/busybox "$b/rootfs/bin/busybox"; ln -s busybox "$b/rootfs/bin/sh"
cp "$prog" "$b/rootfs/bin/prog"
echo 'root:x:0:0:root:/root:/bin/sh' >"$b/rootfs/etc/passwd"
python3 - "$b" "$@" <<'PY'
import json, sys
caps = ["CAP_" + c for c in """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE
AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
CHECKPOINT_RESTORE""".split()]
json.dump({
    "ociVersion": "1.0.2",
    "process": {"args": ["/bin/prog"] + sys.argv[2:], "cwd": "/", "user": {"uid": 0, "gid": 0},
                "env": ["PATH=/bin:/usr/bin", "HOME=/root", "TMPDIR=/tmp"],
                "capabilities": {k: caps for k in ("bounding", "effective", "permitted")},
                "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 65536, "soft": 1024}]},
    "root": {"path": "rootfs"}, "hostname": "test",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
               {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
               {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]},
               {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},
               {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"},
               {"destination": "/sys", "type": "sysfs", "source": "sysfs"},
               {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]}],
    "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts", "network")]},
}, open(sys.argv[1] + "/config.json", "w"))
PY
set +e
"$bin" --root "$b/state" --platform "$platform" --network=none run --bundle "$b" "$id"
