#!/bin/bash
# cli.sh CSANDBOX: the life cycle of containers by hand: every verb, exit codes, terminals, broken bundles, kills.
# Root needed.  The last line is "cli: N passed, N failed, N skipped".
here=$(dirname "$(realpath "$0")")
bin=$(realpath "$1")
w=$(mktemp -d)
chmod 755 "$w"
passed=0 failed=0
ok() { passed=$((passed + 1)); }
no() { failed=$((failed + 1)); echo "FAIL $1: $(tr '\n' ' ' <<<"$2" | cut -c1-300)"; }
C() { timeout -k 1 20 "$bin" --root "$w/state" "$@"; }
# name, pattern, command...: its output (both streams) matches
says() { local n=$1 p=$2 o; shift 2; o=$("$@" 2>&1); if grep -qE -- "$p" <<<"$o"; then ok; else no "$n" "$o"; fi; }
# name, status, command...
gives() { local n=$1 s=$2 o r; shift 2; o=$("$@" 2>&1); r=$?; if [ "$r" = "$s" ]; then ok; else no "$n" "status $r, not $s: $o"; fi; }
# command...: waits until it succeeds
await() { for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; return 1; }
stopped() { C state "$1" | grep -q stopped; }
absent() { ! C exec c /bin/ps | grep -q "$1"; }
bundle() { python3 "$here/../lib/bundle.py" "$w/b" "$@"; }
cleanup() {
	for d in "$w"/state/*; do [ -d "$d" ] && C delete --force "$(basename "$d")"; done
	rm -rf "$w"
}
trap cleanup EXIT
mkdir -p "$w/b" "$w/state"
"$here/../lib/busybox_root.sh" "$w/b/rootfs"

# ---- run ----
bundle /bin/sh -c 'echo out; echo err >&2; exit 7'
gives "run gives the exit status" 7 C run -b "$w/b" a
says "run shows both streams" '^err$' C run -b "$w/b" a
bundle /bin/sh -c 'kill -9 $$; sleep 5'
bundle /bin/cat
says "run passes stdin on" '^abc$' bash -c "echo abc | timeout 20 '$bin' --root '$w/state' run -b '$w/b' a"
bundle /bin/dd bs=99 count=1
mkfifo "$w/line"
says "a line is read before the writer ends" '^early$' bash -c \
	"exec 9<>'$w/line'; echo early >&9; timeout -k 1 20 '$bin' --root '$w/state' run -b '$w/b' a <'$w/line'"
bundle /bin/sh -c 'head -c 1000000 /dev/zero | tee /dev/null'
says "a slow reader gets all of a long output" '^1000000$' bash -c \
	"timeout -k 1 20 '$bin' --root '$w/state' run -b '$w/b' a | (sleep 0.5; wc -c)"
(echo one; bundle /bin/echo two; C run -b "$w/b" a; echo three) >"$w/out"
says "a regular file as stdout keeps its order" '^one two three $' tr '\n' ' ' <"$w/out"
bundle /no/such
says "a missing program is named" 'exec: ."/no/such.": stat /no/such: no such file or directory' C run -b "$w/b" a
bundle nosuch
says "a program not in PATH is named" 'exec: ."nosuch.": executable file not found in \$PATH' C run -b "$w/b" a
bundle /etc
says "a directory cannot be run" 'exec: ."/etc.": permission denied' C run -b "$w/b" a
BUNDLE_CWD=/made/up bundle /bin/pwd
says "a missing working directory is made" '^/made/up$' C run -b "$w/b" a
BUNDLE_ADD='{"mounts": [{"destination": "/home/t", "type": "tmpfs", "source": "tmpfs"}]}' bundle /bin/stat -c %a /home/t
mkdir -p "$w/b/rootfs/home/t" && chmod 710 "$w/b/rootfs/home/t"
says "a tmpfs has the mode of what it covers" '^710$' C run -b "$w/b" a
mkdir "$w/links" && ln -s nowhere "$w/links/l"
BUNDLE_ADD='{"mounts": [{"destination": "/mnt", "source": "'"$w"'/links", "options": ["bind", "nosymfollow"]}]}' bundle /bin/sh -c 'readlink /mnt/l; cat /mnt/l'
says "nosymfollow: links are read and not followed" '^nowhere cat: .*(Too many levels|loop)' bash -c \
	"timeout 20 '$bin' --root '$w/state' run -b '$w/b' a 2>&1 | tr '\n' ' '"
mkdir -p "$w/b/rootfs/home/u/d/e" && echo deep >"$w/b/rootfs/home/u/d/e/f" && ln -s d/e/f "$w/b/rootfs/home/u/l"
chown 12:34 "$w/b/rootfs/home/u" "$w/b/rootfs/home/u/d/e/f" && chmod 4751 "$w/b/rootfs/home/u/d/e/f"
head -c 600000 /dev/zero >"$w/b/rootfs/home/u/big"
BUNDLE_ADD='{"mounts": [{"destination": "/home/u", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]},
	{"destination": "/home/new", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}]}' bundle /bin/sh -c \
	'cat /home/u/l && stat -c %a:%u:%g /home/u/d/e/f && stat -c %u:%g /home/u && stat -c %s /home/u/big && ls /home/new | wc -l && rm /home/u/l'
says "tmpcopyup: a tmpfs begins with what it covers" '^deep 4751:12:34 12:34 600000 0 0 $' bash -c \
	"(timeout 20 '$bin' --root '$w/state' run -b '$w/b' a; echo \$?) 2>&1 | tr '\n' ' '"
gives "tmpcopyup: what is covered stays as it was" 0 test -L "$w/b/rootfs/home/u/l"
BUNDLE_ADD='{"mounts": [{"destination": "/home/u", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "size=64k"]}]}' bundle /bin/true
says "tmpcopyup: what does not fit is an error" '/home/u: cannot copy .*No space left' C run -b "$w/b" a
for ro in 0 1; do
BUNDLE_READONLY=$ro BUNDLE_CWD=/made/by/$ro BUNDLE_ADD='{"linux": {"devices": [{"path": "/devs'$ro'/zero2/", "type": "c", "major": 1,
	"minor": 5, "fileMode": 416, "uid": 3, "gid": 4}]}}' bundle /bin/sh -c \
	"stat -c %F:%a:%u:%g:%t,%T /devs$ro/zero2; head -c 3 /devs$ro/zero2 | od -An -tx1; pwd"
says "a device outside of /dev, and a made working directory (read-only root: $ro)" \
	"^character special file:640:3:4:1,5  00 00 00 /made/by/$ro \$" bash -c "timeout 20 '$bin' --root '$w/state' run -b '$w/b' a 2>&1 | tr '\n' ' '"
done
BUNDLE_ENV=$'A=1\nA=2\nHOME=' bundle /bin/sh -c 'env | grep -c ^A=; echo $A $HOME'
says "of a variable given twice the later counts, and an empty HOME is none" '^2 /' C run -b "$w/b" a
BUNDLE_UID=1234 bundle /bin/sh -c 'id -u; grep CapEff /proc/self/status'
says "another user has no capabilities" 'CapEff:.*0000000000000000' C run -b "$w/b" a
says "nothing is left" '^0$' bash -c "ls '$w/state' | wc -l"

# ---- create, start, kill, delete ----
bundle /bin/sh -c 'trap "echo got term; exit 5" TERM; echo up; while :; do sleep 0.1; done'
gives "create" 0 bash -c "'$bin' --root '$w/state' create --pid-file '$w/pid' -b '$w/b' c </dev/null >'$w/out' 2>&1"
says "created" '"status": ?"created"' C state c
says "the pid file holds the sandbox's pid" "\"pid\": ?$(cat "$w/pid")" C state c
says "an id is unique" 'already exists' C create -b "$w/b" c
gives "start" 0 C start c
says "no second start" 'already running' C start c
await grep -q up "$w/out"
says "running" '"status": ?"running"' C state c
says "list" '^c +[0-9]+ +running' C list
says "list as JSON" '^\[\{.*"id":"c"' C list --format json
says "ps" '^\[[0-9]+(,[0-9]+)*\]$' C ps --format json c
says "the host's ps shows the guest's command line" '/bin/sh -c trap "echo got term' C ps c
says "options after the id are for the host's ps" '^ *PID COMMAND' C ps c -o pid,comm
gives "ps names guest processes only" 0 bash -c "[ \$('$bin' --root '$w/state' ps c | tail -n +2 | grep -vc -e sentry -e gofer) -le 2 ]"
says "exec" '^inside$' C exec c /bin/echo inside
gives "exec gives the exit status" 9 C exec c /bin/sh -c 'exit 9'
gives "exec of nothing" 255 C exec c /no/such
says "exec adds groups" "^0 100 65534$" C exec -g 100 --additional-gids 65534 c id -G
gives "options may stand behind the id" 0 C events c --stats
gives "signal 0 only asks" 0 C kill c 0
gives "exec of nothing in PATH" 255 C exec c nosuch
gives "exec of a directory" 255 C exec c /etc
says "exec of nothing: runc's words" 'exec failed: unable to start container process: exec: ."/no/such.": stat /no/such: no such file' \
	C exec c /no/such
gives "exec in no container" 255 C exec nowhere /bin/true
says "exec options" '^1000 /tmp b$' C exec -u 1000:1000 --cwd /tmp -e A=b c /bin/sh -c 'echo $(id -u) $(pwd) $A'
says "exec with a terminal" '/dev/pts/' script -qec "'$bin' --root '$w/state' exec -t c tty" /dev/null
says "exec sees the others" 'got term' C exec c /bin/ps
C exec --detach --pid-file "$w/xpid" c /bin/sh -c 'sleep 60' && kill -0 "$(cat "$w/xpid")" && ok || no "exec --detach" "no process"
kill -9 "$(cat "$w/xpid")"
gives "a killed exec waiter takes its process along" 0 await absent 'sleep 60'
gives "pause" 0 C pause c
says "paused" '"status": ?"paused"' C state c
says "no exec when paused" 'paused' C exec c /bin/true
C exec --ignore-paused c /bin/echo late >"$w/late" 2>&1 & late=$!
sleep 0.5
gives "exec --ignore-paused waits" 0 kill -0 $late
gives "resume" 0 C resume c
wait $late
says "and runs after that" '^late$' cat "$w/late"
says "exec after resume" '^again$' C exec c /bin/echo again
says "delete refuses a running one" 'not stopped' C delete c
gives "kill" 0 C kill c TERM
await stopped c
says "stopped" '"status": ?"stopped"' C state c
says "its handler ran" 'got term' cat "$w/out"
says "kill of a stopped one" 'not running' C kill c TERM
gives "delete" 0 C delete c
says "gone" 'does not exist' C state c
gives "delete --force of nothing" 0 C delete --force c
gives "run --detach" 0 bash -c "'$bin' --root '$w/state' run -d -b '$w/b' d </dev/null >/dev/null 2>&1"
gives "delete --force" 0 C delete --force d

# ---- descriptors, scheduling, and a container that has not started ----
recvfd() { python3 -c '
import array, os, signal, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1] + "~"); s.listen(1); s.settimeout(60); os.rename(sys.argv[1] + "~", sys.argv[1])
c = s.accept()[0]; m = c.recvmsg(64, socket.CMSG_SPACE(4))
fd = array.array("i", m[1][0][2])[0]
signal.pidfd_send_signal(fd, int(sys.argv[2]))' "$1" "$2"; }
echo kept >"$w/held"
bundle /bin/sh -c 'cat <&4; ls /proc/self/fd | wc -l'
says "run --preserve-fds" '^kept 6 $' bash -c "'$bin' --root '$w/state' run --preserve-fds 2 -b '$w/b' a 3</dev/null 4<'$w/held' | tr '\n' ' '"
says "a descriptor that is not open" 'unable to stat preserved-fd 1 .of 2.' bash -c "'$bin' --root '$w/state' run --preserve-fds 2 -b '$w/b' a 3</dev/null 4<&-"
says "a directory stays outside" 'is a directory' bash -c "'$bin' --root '$w/state' run --preserve-fds 1 -b '$w/b' a 3<'$w'"
says "too many descriptors" 'at most' C run --preserve-fds 4000000000 -b "$w/b" a
bundle /bin/sh -c 'echo $LISTEN_FDS $LISTEN_PID $$; cat <&3'
says "sockets of systemd" '^1 1 1 kept $' bash -c "LISTEN_FDS=1 exec bash -c 'LISTEN_PID=\$\$ exec \"$bin\" --root \"$w/state\" run -b \"$w/b\" a' 3<'$w/held' | tr '\n' ' '"
BUNDLE_ADD='{"process": {"scheduler": {"policy": "SCHED_BATCH", "nice": 7}, "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
	"execCPUAffinity": {"initial": "0", "final": "0"}}}' bundle /bin/sh -c 'cut -d" " -f19 /proc/1/stat; ionice -p 1; grep ^Cpus_allowed: /proc/1/status; [ ! -e /linger ] || sleep 60'
says "the first process's scheduling; the affinity is for exec" '^7 best-effort: prio 4 Cpus_allowed:.*[^1] $' \
	bash -c "'$bin' --root '$w/state' run -b '$w/b' a | tr '\n' ' '"
touch "$w/b/rootfs/linger"      # exec comes below
C create --pidfd-socket "$w/none" -b "$w/b" c >/dev/null 2>&1 && no "a pidfd socket that nobody has" "created" || ok
bash -c "'$bin' --root '$w/state' create -b '$w/b' c </dev/null >'$w/out' 2>&1"
says "exec before start" '^1 sh$' C exec c /bin/sh -c 'echo $(cat /proc/1/comm | wc -l) sh'
says "it is created all the same" '"status": ?"created"' C state c
says "exec: scheduling and affinity" 'best-effort: prio 4.*Cpus_allowed:.*1 $' \
	bash -c "'$bin' --root '$w/state' exec c sh -c 'ionice; grep ^Cpus_allowed: /proc/self/status' | tr '\n' ' '"
gives "start after exec" 0 C start c
says "its first process is the first" '^7' timeout 20 sh -c "until [ -s '$w/out' ]; do sleep 0.1; done; cat '$w/out'"
says "exec --preserve-fds" '^kept$' bash -c "'$bin' --root '$w/state' exec --preserve-fds=2 c cat /proc/self/fd/4 3</dev/null 4<'$w/held'"
says "exec --cgroup of none" 'no control group' C exec --cgroup nosuch:a c /bin/true
C exec --pidfd-socket "$w/none" -d c sleep 71 >/dev/null 2>&1
gives "nothing is left of an exec that nobody was told of" 0 await absent 'sleep 71'
recvfd "$w/fd.sock" 9 &
await test -S "$w/fd.sock"
gives "exec --pidfd-socket" 0 C exec --pidfd-socket "$w/fd.sock" -d --pid-file "$w/xpid" c sleep 70
wait $!
gives "its pidfd ends it" 0 await absent 'sleep 70'
C delete --force c
bash -c "'$bin' --root '$w/state' create -b '$w/b' c </dev/null >'$w/out' 2>&1"; C exec c /bin/true
gives "kill of one that is held" 0 C kill c KILL
await stopped c
says "it has stopped" '"status": ?"stopped"' C state c
C delete --force c
for bad in '"scheduler": {"policy": "SCHED_X"}' '"scheduler": {"policy": "SCHED_OTHER", "priority": 4}' '"scheduler": {"policy": "SCHED_FIFO"}' \
	'"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 5, "deadline": 4}' '"scheduler": {"policy": "SCHED_OTHER", "nice": 20}' \
	'"ioPriority": {"class": "X"}' '"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}' \
	'"execCPUAffinity": {"final": "1-"}' '"execCPUAffinity": {"final": "3-1"}' '"execCPUAffinity": {"initial": ",,"}'; do
	BUNDLE_ADD="{\"process\": {$bad}}" bundle /bin/true
	gives "refused: $bad" 1 C run -b "$w/b" a
done

bundle /bin/sh -c 'trap "echo got usr1" USR1; trap "echo got term; exit 3" TERM; echo up; while :; do sleep 0.1; done'
bash -c "'$bin' --root '$w/state' run -d --pid-file '$w/pid' -b '$w/b' c </dev/null >'$w/out' 2>&1"
await grep -q up "$w/out"
kill -USR1 "$(cat "$w/pid")"; sleep 0.3; kill -TERM "$(cat "$w/pid")"
await stopped c
says "signals of the host reach the first process" '^up got usr1 got term $' tr '\n' ' ' <"$w/out"
C delete --force c
bash -c "'$bin' --root '$w/state' create --pid-file '$w/pid' -b '$w/b' c </dev/null >'$w/out' 2>&1"
kill -TERM "$(cat "$w/pid")"
await stopped c
says "before the start they end it" '"status": ?"stopped"' C state c
C delete --force c
BUNDLE_ADD='{"linux": {"personality": {"domain": "LINUX32"}}}' bundle /bin/uname -m
says "linux.personality" '^i686$' C run -b "$w/b" a
BUNDLE_ADD='{"linux": {"personality": {"domain": "BSD"}}}' bundle /bin/uname -m
says "an unknown personality" 'neither LINUX nor LINUX32' C run -b "$w/b" a
BUNDLE_ADD='{"hooks": {"startContainer": [{"path": "/bin/busybox", "args": ["cat", "/nosuchfile"]}]}}' bundle /bin/true
says "a hook's argv is its own" "cat: can't open '/nosuchfile'" C run -b "$w/b" a
BUNDLE_ADD='{"mounts": [{"destination": "/ro", "type": "tmpfs", "source": "tmpfs", "options": ["ro"]},
	{"destination": "/ro/in", "type": "tmpfs", "source": "tmpfs"}]}' bundle /bin/sh -c 'touch /ro/in/a && touch /ro/b'
says "a read-only tmpfs takes mounts first" "/ro/b: Read-only" C run -b "$w/b" a
# ---- user namespaces: the host's kernel translates the ids of files ----
mkdir -p "$w/mine" "$w/foreign" && chown 100000:200000 "$w/mine" && touch "$w/foreign/f" && chown 7:8 "$w/foreign/f"
users() { # mappings of the container, options of a mount, command...
	local ids=$1 add=$2; shift 2
	BUNDLE_ADD='{"mounts": [{"destination": "/proc", "type": "proc"}, {"destination": "/mnt", "source": "'$w'/mine", "options": ["bind"]},
		{"destination": "/home", "source": "'$w'/foreign", "options": ["bind"]'"$add"'}], "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"},
		{"type": "network"}, {"type": "user"}]'"$ids"'}}' bundle "$@"
}
ids=', "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 200000, "size": 65536}]'
users "$ids" '' /bin/sh -c 'cat /proc/self/uid_map; stat -c %u:%g / /mnt; echo x >/mnt/f; mkdir /mnt/d; chown 5:6 /mnt/f; stat -c %u:%g /mnt/f
	chown 65536 /mnt/d || echo none; echo x >/home/f || echo not mine'
says "uidMappings: who owns what, as seen inside" '^ *0 +100000 +65536 65534:65534 0:0 5:6 none not mine $' \
	bash -c "timeout 20 '$bin' --root '$w/state' run -b '$w/b' a 2>/dev/null | tr '\n' ' '"
says "uidMappings: and on the host" '^100005:200006 100000:200000 $' bash -c "stat -c %u:%g '$w/mine/f' '$w/mine/d' | tr '\n' ' '"
users "$ids" ', "uidMappings": [{"containerID": 7, "hostID": 100001, "size": 1}], "gidMappings": [{"containerID": 8, "hostID": 200002, "size": 1}]' \
	/bin/stat -c %u:%g /home/f
says "an id-mapped mount, or why the file system cannot" '^1:2$|cannot map the ids .*foreign: ' C run -b "$w/b" a
users ', "uidMappings": [{"containerID": 1, "hostID": 1, "size": 1}]' '' /bin/true
says "uidMappings without id 0" 'linux.uidMappings: container id 0 is not mapped' C run -b "$w/b" a
users '' '' /bin/true
says "a user namespace without mappings" 'no namespace path to join nor mappings' C run -b "$w/b" a
BUNDLE_ADD='{"linux": {"uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}}' bundle /bin/true
says "mappings without a user namespace" "user namespace isn't enabled" C run -b "$w/b" a
BUNDLE_ADD='{"mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"sysctl": {"kernel.shmmni": "77", "kernel.shm_rmid_forced": "0"}}}' \
	bundle /bin/cat /proc/sys/kernel/shmmni
says "linux.sysctl: one that is set, one that has its value" '^77$' C run -b "$w/b" a
BUNDLE_ADD='{"mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"sysctl": {"net.nosuch": "1"}}}' bundle /bin/echo ran
says "linux.sysctl: one that cannot be had" 'linux.sysctl: cannot set net.nosuch=1: No such file' C run -b "$w/b" a
bundle /bin/true
rm -rf "$w/b/rootfs/proc"; ln -s /tmp "$w/b/rootfs/proc"
says "a link where /proc belongs" 'must be mounted on ordinary directory' C run -b "$w/b" a
rm "$w/b/rootfs/proc"; mkdir -p "$w/b/rootfs/proc"
bundle /bin/sleep 60
C run -d -b "$w/b" d </dev/null >/dev/null 2>&1; C kill d KILL
await stopped d
gives "ps of a stopped one" 0 C ps d
C delete --force d
cg=$(awk '$3 ~ /^cgroup/ && ($3 == "cgroup2" || $4 ~ /pids/) { print $2; exit }' /proc/mounts)
if [ -n "$cg" ] && mkdir -p "$cg/csb-test-$$/busy" 2>/dev/null; then
	sleep 30 & echo $! >"$cg/csb-test-$$/busy/cgroup.procs"
	BUNDLE_ADD='{"linux": {"cgroupsPath": "/csb-test-'$$'/busy"}}' bundle /bin/true
	says "a control group with processes is not ours" 'cgroup is not empty' C run -b "$w/b" a
	says "and they live on" 'sleep' ps -o comm= -p $!
	kill $!; wait $! 2>/dev/null
	rmdir "$cg/csb-test-$$/busy"; rmdir "$cg/csb-test-$$"
	BUNDLE_ADD='{"linux": {"cgroupsPath": "/csb-test-'$$'"}}' bundle /bin/true
	C run -d -b "$w/b" g1 </dev/null >/dev/null 2>&1; await stopped g1
	BUNDLE_ADD='{"linux": {"cgroupsPath": "/csb-test-'$$'"}}' bundle /bin/sleep 60
	gives "the group of one that has stopped can be had" 0 bash -c \
		"timeout -k 1 20 '$bin' --root '$w/state' run -d -b '$w/b' g2 </dev/null >/dev/null 2>&1"
	gives "who had it before is deleted" 0 C delete g1
	says "who has it now runs on" running C state g2
	gives "and is deleted with it" 0 C delete --force g2
	gives "the group is gone" 1 test -e "$cg/csb-test-$$"
fi
# What of it is in force depends on the host's layout: only files that are there are looked at.
dev=$(cat /sys/block/*/dev 2>/dev/null | tail -1)
BUNDLE_ADD='{"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}],
	"linux": {"cgroupsPath": "/csb-lim-'$$'", "resources": {"cpu": {"quota": 50000, "period": 100000}, "blockIO": {"throttleReadBpsDevice": [{"major":
	'${dev%:*}', "minor": '${dev#*:}', "rate": 7340032}]}}}}' bundle /bin/sleep 60
if [ -n "$dev" ] && C run -d -b "$w/b" l </dev/null >/dev/null 2>&1; then
	for f in $(find /sys/fs/cgroup -maxdepth 3 -path "*/csb-lim-$$/*" \( -name blkio.throttle.read_bps_device -o -name io.max \)); do
		says "a limit of one block device" "^$dev .*7340032" cat "$f"
	done
	for f in $(find /sys/fs/cgroup -maxdepth 3 -path "*/csb-lim-$$/*" \( -name cpu.cfs_period_us -o -name cpu.max \)); do
		says "update tells what cannot be written" "cannot write .*$f: Invalid argument" C update --cpu-period 1 l
		gives "update" 0 C update --cpu-period 200000 --cpu-quota 50000 l
		says "is in force" '200000' cat "$f"
		for g in .. nosuch; do
			says "exec in a control group that cannot be runs nothing ($g)" '^time=[^ ]* level=error msg="--cgroup: ' bash -c \
				"timeout -k 1 20 '$bin' --root '$w/state' exec --cgroup $g l /bin/echo ran 2>&1 | tr '\n' ' '"
		done
		says "and told inside" '^50000 200000$' C exec l /bin/cat /sys/fs/cgroup/cpu.max
	done
	for f in $(find /sys/fs/cgroup -maxdepth 3 -path "*/csb-lim-$$/*" \( -name memory.limit_in_bytes -o -name memory.max \)); do
		gives "update of memory" 0 C update --memory 268435456 l
		says "a new limit of memory is in force" '^268435456$' cat "$f"
		says "is told inside" '^268435456 MemTotal: +262144 kB' bash -c \
			"timeout -k 1 20 '$bin' --root '$w/state' exec l /bin/cat /sys/fs/cgroup/memory.max /proc/meminfo | head -2 | tr '\n' ' '"
		gives "update of memory to none" 0 C update --memory -1 l
		says "is told inside, too" '^max$' C exec l /bin/cat /sys/fs/cgroup/memory.max
	done
	C delete --force l
fi
if find /sys/fs/cgroup -maxdepth 2 -name cpuset.cpus | grep -q .; then
	BUNDLE_ADD='{"linux": {"cgroupsPath": "/csb-lim-'$$'", "resources": {"cpu": {"cpus": "4000"}}}}' bundle /bin/echo ran
	says "a limit that cannot be had fails the creation" 'cannot write .*4000.* to .*cpuset.cpus' C run -b "$w/b" l
	gives "and nothing has run" 1 bash -c "'$bin' --root '$w/state' run -b '$w/b' l 2>/dev/null | grep ran"
fi
gives "no group is left" 1 bash -c "find /sys/fs/cgroup -maxdepth 3 -name 'csb-lim-$$' | grep ."
BUNDLE_ADD='{"linux": {"cgroupsPath": "/csb-frozen-'$$'"}}' bundle /bin/sleep 60
if C run -d -b "$w/b" f </dev/null >/dev/null 2>&1; then
	for f in $(find /sys/fs/cgroup -maxdepth 3 -path "*/csb-frozen-$$/freezer.state"); do echo FROZEN >"$f"; done
	gives "one that others froze is deleted" 0 C delete --force f
	gives "and nothing of it is left" 1 bash -c "find /sys/fs/cgroup -maxdepth 2 -name 'csb-frozen-$$' | grep ."
fi
hook_env() {
	BUNDLE_ADD='{"hooks": {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", "echo ${CSB_SEEN-unset} >'"$w"'/seen"]'$1'}]}}' bundle /bin/true
	CSB_SEEN=yes C run -b "$w/b" e && cat "$w/seen"
}
says "a hook without env has the runtime's" '^yes$' hook_env ''
says "a hook with no env has none" '^unset$' hook_env ', "env": []'
says "a hook has its own" '^own$' hook_env ', "env": ["CSB_SEEN=own"]'
# The guest's own view: one group of version 2, whatever the host has.
sized() {
	BUNDLE_ADD='{"linux": {"cgroupsPath": "/csb-view-'$$'", "resources": {"cpu": {'$1'}}},
		"mounts": [{"destination": "/proc", "type": "proc"}, {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]}' bundle /bin/sh -c \
		'cd /sys/fs/cgroup && echo $(cat cpu.max cpu.weight cpuset.cpus.effective cpuset.mems.effective) $(nproc) $(grep -c memory /proc/cgroups)'
}
sized '"quota": 70000, "period": 50000, "shares": 512'
cpus=$(nproc) two=$(($(nproc) > 1 ? 2 : 1))
says "cpu.max and cpu.weight are the container's" "^70000 50000 20 0-?[1-9]* 0 $two 1\$" C run -b "$w/b" v
sized ''
says "no limit is max" "^max 100000 100 0.* 0 $cpus 1\$" C run -b "$w/b" v
last=$(grep Cpus_allowed_list /proc/self/status | grep -o '[0-9]*$') first=$(grep Cpus_allowed_list /proc/self/status | grep -om1 '[0-9]*' | head -1)
if [ "$cpus" -gt 1 ]; then
says "control groups say where it runs, not the launcher's processors" "^max .* $cpus 1\$" taskset -c "$first" \
	timeout -k 1 20 "$bin" --root "$w/state" run -b "$w/b" v
if find /sys/fs/cgroup -maxdepth 2 -name 'cpuset.cpus*' 2>/dev/null | grep -q .; then
sized '"cpus": "'"$last"'"'
says "cpuset: also where the launcher may not run" "^max 100000 100 0 0 1 1\$" taskset -c "$first" \
	timeout -k 1 20 "$bin" --root "$w/state" run -b "$w/b" v
fi
fi
bundle /bin/sh -c 'exec >/dev/null 2>&1 </dev/null; sleep 60'
says "a detached container whose program closes its output keeps nobody waiting" '^over$' \
	timeout -k 1 10 bash -c "x=\$('$bin' --root '$w/state' run -d -b '$w/b' q 2>&1 </dev/null); echo \$x over"
C delete --force q
BUNDLE_ADD='{"hooks": {"poststart": [{"path": "/bin/false"}]}}' bundle /bin/sleep 60
says "a poststart hook that fails ends the container" 'poststart hook #0' C run -d -b "$w/b" h
says "and run removes it" 'does not exist' C state h
C create -b "$w/b" h </dev/null >/dev/null 2>&1
says "so does start" 'poststart hook #0' C start h
says "and nothing is left" 'does not exist' C state h

# ---- the posture of a running sandbox, read from /proc ----
bundle /bin/sleep 60
C run -d -b "$w/b" p </dev/null >/dev/null 2>&1
pid=$(C state p | tr -dc '0-9\n",:a-z' | sed -n 's/.*"pid"://p' | tr -d ',')
gofer=$(python3 -c "import json; print(json.load(open('$w/state/p/state.json'))['gofer']['pid'])")
for t in /proc/"$pid"/task/*; do
	says "no capability on every thread" '^CapPrm:.0000000000000000' cat "$t/status"
	says "no bounding set" '^CapBnd:.0000000000000000' cat "$t/status"
	says "a seccomp filter on every thread" '^Seccomp:.2' cat "$t/status"
	says "no_new_privs on every thread" '^NoNewPrivs:.1' cat "$t/status"
done
says "an unprivileged id" '^Uid:.65534.65534.65534.65534' cat "/proc/$pid/status"
says "an empty root" '^0$' bash -c "ls -A /proc/$pid/root/ | wc -l"
says "a read-only root" '^[^ ]+ [^ ]+ [^ ]+ [^ ]+ / ro' cat "/proc/$pid/mountinfo"
says "no directory is open" '^0$' bash -c "n=0; for f in /proc/$pid/fd/*; do [ -d \"\$f\" ] && n=\$((n+1)); done; echo \$n"
for ns in user pid mnt net ipc uts; do
	[ "$(readlink "/proc/$pid/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] && ok || no "own $ns namespace" "shared"
done
for ns in mnt net ipc uts; do
	[ "$(readlink "/proc/$gofer/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] && ok || no "gofer: own $ns namespace" "shared"
done
says "the gofer has a seccomp filter" '^Seccomp:.2' cat "/proc/$gofer/status"
echo "host calls: sentry $(grep -oE '^HC\([a-z0-9_]*' "$here/../../syscall-tables/hostcalls-sentry.def" | sort -u | wc -l)," \
	"gofer $(grep -oE '^(HC|HOSTCALL)\(([a-z0-9_]*)' "$here/../../syscall-tables/hostcalls-gofer.def" | sort -u | wc -l)"
C delete --force p

# ---- killed processes leave nothing ----
# Every process of pid namespace $1 that is no zombie, as pid:start.
members() {
	local p
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/ns/pid")" = "$1" ] && ! grep -q '^State:.Z' "$p/status" && echo "${p#/proc/}:$(cut -d' ' -f22 "$p/stat")"
	done 2>/dev/null
}
enough() { members "$1" >"$w/before"; [ "$(wc -l <"$w/before")" -ge 3 ]; }
none_left() { members "$1" >"$w/after"; ! sort "$w/before" "$w/after" | uniq -d | grep -q .; }        # its number may be another's by now
for who in sentry gofer; do
	bundle /bin/sh -c 'sleep 400 & sleep 401'
	C run -d -b "$w/b" k </dev/null >/dev/null 2>&1
	ns=$(readlink "/proc/$(python3 -c "import json; print(json.load(open('$w/state/k/state.json'))['sentry']['pid'])")/ns/pid")
	await enough "$ns"
	says "the stubs are in the sandbox's pid namespace" '^[3-9]' wc -l "$w/before"
	kill -9 "$(python3 -c "import json; print(json.load(open('$w/state/k/state.json'))['$who']['pid'])")"
	gives "delete --force after kill -9 of the $who" 0 C delete --force k
	gives "nothing runs on after kill -9 of the $who" 0 await none_left "$ns"
done
bundle /bin/sleep 402
for i in 1 2 3 4 5 6 7 8; do
	(exec 2>/dev/null; timeout -s KILL "0.00$i" "$bin" --root "$w/state" create -b "$w/b" "k$i" </dev/null) >/dev/null 2>&1
	sleep 0.1
	gives "delete --force after kill -9 of the launcher at $i ms" 0 C delete --force "k$i"
done
says "no state is left" '^0$' bash -c "ls '$w/state' | wc -l"

# ---- bundles that cannot work ----
echo '{"ociVersion":"1.0.0"' >"$w/b/config.json"
says "broken JSON" 'config.json: not valid JSON' C run -b "$w/b" e
echo '{"ociVersion":"1.0.0","process":{"args":["/bin/true"],"cwd":"/"},"root":{"path":"nowhere"}}' >"$w/b/config.json"
says "a missing root" 'root.path: cannot find .*nowhere' C run -b "$w/b" e
says "a missing bundle" '/nowhere' C run -b "$w/nowhere" e
says "an odd id" 'invalid container ID' C run -b "$w/b" a/b
says "an unknown command" 'no such command' C frobnicate
says "an unknown option" 'flag provided but not defined' C run --frob e
says "the version" '^csandbox version' C --version
says "features" 'ociVersionMax' C features
says "features: seccomp" 'SCMP_ACT_ERRNO' C features
says "features: mounts with mappings" '"mountExtensions": ?\{"idmap": ?\{"enabled": ?true' bash -c "'$bin' features | tr -d ' \n\t'"
says "spec" 'ociVersion' bash -c "cd '$w' && '$bin' spec && cat config.json"
mkdir "$w/sp" && ln -s "$w/b/rootfs" "$w/sp/rootfs"
says "spec --rootless: root of a user namespace, and it runs" '^ *0 +0 +1$' bash -c "cd '$w/sp' && '$bin' spec --rootless &&
	sed -i 's/\"terminal\": *true/\"terminal\": false/; s/\"sh\"/\"cat\", \"\/proc\/self\/uid_map\"/' config.json &&
	timeout -k 1 20 '$bin' --root '$w/state' run a"
says "errors go to --log as JSON" '"level":"error","msg":"container \\"x\\" does not exist"' \
	bash -c "'$bin' --root '$w/state' --log '$w/log' --log-format json state x 2>/dev/null; cat '$w/log'"
gives "a --log that cannot be written to is an error" 1 C --log "$w/no/such" list
says "do" '^Linux' C do uname
says "--strace shows calls and what they read" 'read\(0, .*csandbox' C --strace do cat <<<csandbox

# ---- linux.seccomp, hooks inside ----
profile='{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
 {"names":["mkdir","mkdirat","no_such_call"],"action":"SCMP_ACT_ERRNO","errnoRet":95},
 {"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]}]}}}'
BUNDLE_ADD=$profile bundle /bin/sh -c 'mkdir /tmp/x; kill -USR1 1; kill -0 1 && echo lives; grep Seccomp /proc/self/status; sleep 3'
says "a profile gives the error it names" 'mkdir.*Operation not supported' C run -b "$w/b" a
says "a profile looks at arguments" 'Operation not permitted' C run -b "$w/b" a
says "a profile allows the rest" '^lives$' C run -b "$w/b" a
says "a profile shows in status" 'Seccomp:.2' C run -b "$w/b" a
C run -d -b "$w/b" a </dev/null >/dev/null 2>&1
says "exec has the profile too" 'mkdir.*Operation not supported' C exec a /bin/mkdir /tmp/y
C delete --force a
BUNDLE_ADD='{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_NOTIFY"}]}}}' bundle /bin/true
says "a profile that needs a supervisor is refused" 'syscalls\[0\]: action: SCMP_ACT_NOTIFY is not supported' C run -b "$w/b" a
BUNDLE_ADD='{"hooks":{"startContainer":[{"path":"/bin/sh","args":["sh","-c","cat >/tmp/state; id -u >/tmp/uid; ps | grep -c sh >/tmp/ps"]}]}}' \
	bundle /bin/sh -c 'grep -o created /tmp/state; cat /tmp/uid; echo pid $$'
says "a startContainer hook runs inside, before" '^created$' C run -b "$w/b" a
says "and the first process has id 1" '^pid 1$' C run -b "$w/b" a
BUNDLE_ADD='{"hooks":{"startContainer":[{"path":"/bin/false"}]}}' bundle /bin/echo ran
says "a startContainer hook that fails stops the start" 'error running startContainer hook #0: /bin/false: exit status 1' C run -b "$w/b" a
gives "and the program does not run" 1 bash -c "timeout 20 '$bin' --root '$w/state' run -b '$w/b' a 2>/dev/null | grep ran"
BUNDLE_ADD='{"hooks":{"startContainer":[{"path":"/bin/sh","args":["sh","-c","kill -9 $$"]}]}}' bundle /bin/echo ran
says "a startContainer hook that is killed" 'hook #0: /bin/sh: signal: killed' C run -b "$w/b" a
BUNDLE_ADD='{"hooks":{"startContainer":[{"path":"/bin/sleep","args":["sleep","60"],"timeout":1}]}}' bundle /bin/echo ran
says "a startContainer hook has its time" 'Connection timed out|timed out' C run -b "$w/b" a

# ---- a guest that has taken every descriptor of its sentry ----
BUNDLE_ADD='{"mounts":[{"destination":"/tmp","type":"tmpfs","source":"tmpfs"}]}' \
	bundle /bin/sh -c 'i=0; while head -c 70000 /dev/zero >/tmp/$i; do i=$((i+1)); done 2>/dev/null; [ $i -gt 100 ] && echo up; sleep 100'
(ulimit -n 400; C run -d -b "$w/b" hog </dev/null >"$w/out" 2>&1)
await grep -q up "$w/out"
for _ in 1 2 3; do says "exec where no descriptor is left" '^inside$' C exec hog /bin/sh -c 'echo inside'; done
says "state where no descriptor is left" '"status": ?"running"' C state hog
gives "kill where no descriptor is left" 0 C kill hog KILL
await stopped hog
gives "delete where no descriptor is left" 0 C delete hog

# ---- the host's network, when asked for ----
nonet='{"linux":{"namespaces":[{"type":"pid"},{"type":"mount"}]}}'
BUNDLE_ADD=$nonet bundle /bin/sh -c 'nc -l -p 18077 >/tmp/got & until echo over the host | nc -w 1 127.0.0.1 18077; do sleep 0.1; done; wait; cat /tmp/got; ip addr'
says "the host's network is refused" "asks for the host's own network .*--allow-host-network" C run -b "$w/b" n
says "--network=none has loopback only" '^1: lo' C --network=none run -b "$w/b" n
says "--allow-host-network: host sockets" '^over the host$' C --allow-host-network run -b "$w/b" n
says "--allow-host-network is announced" 'reduced assurance' C --allow-host-network run -b "$w/b" n
bundle /bin/sh -c 'nc -l -p 18077 >/tmp/got & until echo in my own | nc -w 1 127.0.0.1 18077; do sleep 0.1; done; wait; cat /tmp/got'
says "--network=host: the kernel's sockets in the container's namespace" 'reduced assurance' C --network=host run -b "$w/b" n
BUNDLE_ADD=$nonet bundle /bin/sleep 100
C --allow-host-network run -d -b "$w/b" n </dev/null >/dev/null 2>&1
says "the broker is filtered, without more than one capability" 'Seccomp:.2' bash -c "for p in /proc/[0-9]*; do \
	[ \"\$(cat \$p/comm 2>/dev/null)\" = net-broker ] && grep -E '^(CapEff:.0000000000000400|NoNewPrivs:.1|Seccomp:)' \$p/status; done | sort -u"
C delete --force n
says "the broker ends with its sandbox" '^0$' bash -c 'for _ in $(seq 200); do pgrep -x -r R,S,D net-broker >/dev/null || break; sleep 0.1; done
	pgrep -c -x -r R,S,D net-broker'

bundle /bin/sleep 100
C run -d --pid-file "$w/pid" -b "$w/b" n </dev/null >/dev/null 2>&1
BUNDLE_NETNS=/proc/$(cat "$w/pid")/ns/net bundle /bin/true
gives "whose network another sandbox has taken runs in that" 0 C run -b "$w/b" n2
C delete --force n

# ---- overlays in memory ----
bundle /bin/sh -c 'echo new >/etc/hostname && rm /etc/group && mkdir /mine && cat /etc/hostname && ls -d /etc/group /mine'
says "--overlay=memory takes changes" '^new$' C --overlay=memory run -b "$w/b" o
says "--overlay=memory: the root is as it was" '^demo$' cat "$w/b/rootfs/etc/hostname"
gives "--overlay=memory: nothing is removed" 0 test -e "$w/b/rootfs/etc/group"
gives "--overlay=memory: nothing is made" 1 test -e "$w/b/rootfs/mine"
BUNDLE_READONLY=1 bundle /bin/sh -c 'echo new >/etc/hostname'
says "--overlay=memory: a read-only root stays so" 'Read-only file system' C --overlay=memory run -b "$w/b" o
mkdir "$w/kept"
says "--overlay=dir= wants the root outside" 'is inside of' C --overlay=dir="$w" run -b "$w/b" o
if mknod "$w/p" c 0 0 2>/dev/null; then      # else /tmp cannot be an upper layer
says "do keeps its changes in --overlay=dir=" '^kept' C --overlay=dir="$w/kept" do sh -c 'echo kept >/made-by-do && cat /made-by-do'
says "where the next one finds them" '^kept' C --overlay=dir="$w/kept" do cat /made-by-do
gives "and the host does not" 1 test -e /made-by-do
fi
says "do: / and /tmp are the host's" "^$(basename "$w")\$" C do ls /tmp
says "do takes changes" '^in' C do sh -c "echo in >'$w/do' && touch /made-by-do && cat '$w/do'"
gives "do leaves nothing" 1 bash -c "[ -e '$w/do' ] || [ -e /made-by-do ]"
echo "cli: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
