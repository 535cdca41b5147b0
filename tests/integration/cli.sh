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
sleep 0.5
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
kill -9 "$(cat "$w/xpid")"; sleep 0.3
says "a killed exec waiter takes its process along" '^0$' bash -c "'$bin' --root '$w/state' exec c /bin/ps | grep -c 'sleep 60'"
gives "pause" 0 C pause c
says "paused" '"status": ?"paused"' C state c
says "no exec when paused" 'paused' C exec c /bin/true
gives "resume" 0 C resume c
says "exec after resume" '^again$' C exec c /bin/echo again
says "delete refuses a running one" 'not stopped' C delete c
gives "kill" 0 C kill c TERM
for _ in $(seq 50); do C state c | grep -q stopped && break; sleep 0.1; done
says "stopped" '"status": ?"stopped"' C state c
says "its handler ran" 'got term' cat "$w/out"
says "kill of a stopped one" 'not running' C kill c TERM
gives "delete" 0 C delete c
says "gone" 'does not exist' C state c
gives "delete --force of nothing" 0 C delete --force c
gives "run --detach" 0 bash -c "'$bin' --root '$w/state' run -d -b '$w/b' d </dev/null >/dev/null 2>&1"
gives "delete --force" 0 C delete --force d

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
for who in sentry gofer; do
	bundle /bin/sh -c 'sleep 400 & sleep 401'
	C run -d -b "$w/b" k </dev/null >/dev/null 2>&1
	sleep 0.2
	ns=$(readlink "/proc/$(python3 -c "import json; print(json.load(open('$w/state/k/state.json'))['sentry']['pid'])")/ns/pid")
	members "$ns" >"$w/before"
	says "the stubs are in the sandbox's pid namespace" '^[3-9]' wc -l "$w/before"
	kill -9 "$(python3 -c "import json; print(json.load(open('$w/state/k/state.json'))['$who']['pid'])")"
	sleep 0.3
	gives "delete --force after kill -9 of the $who" 0 C delete --force k
	members "$ns" >"$w/after"       # the namespace's number may have been given to another by now
	says "nothing runs on after kill -9 of the $who" '^0$' bash -c "sort '$w/before' '$w/after' | uniq -d | wc -l"
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
says "spec" 'ociVersion' bash -c "cd '$w' && '$bin' spec && cat config.json"
says "errors go to --log as JSON" '"level":"error","msg":"container \\"x\\" does not exist"' \
	bash -c "'$bin' --root '$w/state' --log '$w/log' --log-format json state x 2>/dev/null; cat '$w/log'"
says "do" '^Linux' C do uname

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
BUNDLE_ADD='{"hooks":{"startContainer":[{"path":"/bin/sleep","args":["sleep","60"],"timeout":1}]}}' bundle /bin/echo ran
says "a startContainer hook has its time" 'Connection timed out|timed out' C run -b "$w/b" a

# ---- the host's network, when asked for ----
nonet='{"linux":{"namespaces":[{"type":"pid"},{"type":"mount"}]}}'
BUNDLE_ADD=$nonet bundle /bin/sh -c 'nc -l -p 18077 >/tmp/got & sleep 0.5; echo over the host | nc -w 1 127.0.0.1 18077; wait; cat /tmp/got; ip addr'
says "the host's network is refused" "asks for the host's own network .*--allow-host-network" C run -b "$w/b" n
says "--network=none has loopback only" '^1: lo' C --network=none run -b "$w/b" n
says "--allow-host-network: host sockets" '^over the host$' C --allow-host-network run -b "$w/b" n
says "--allow-host-network is announced" 'reduced assurance' C --allow-host-network run -b "$w/b" n
bundle /bin/sh -c 'nc -l -p 18077 >/tmp/got & sleep 0.5; echo in my own | nc -w 1 127.0.0.1 18077; wait; cat /tmp/got'
says "--network=host: the kernel's sockets in the container's namespace" 'reduced assurance' C --network=host run -b "$w/b" n
BUNDLE_ADD=$nonet bundle /bin/sleep 100
C --allow-host-network run -d -b "$w/b" n </dev/null >/dev/null 2>&1
says "the broker is filtered, without more than one capability" 'Seccomp:.2' bash -c "for p in /proc/[0-9]*; do \
	[ \"\$(cat \$p/comm 2>/dev/null)\" = net-broker ] && grep -E '^(CapEff:.0000000000000400|NoNewPrivs:.1|Seccomp:)' \$p/status; done | sort -u"
C delete --force n
says "the broker ends with its sandbox" '^0$' bash -c 'for _ in $(seq 50); do pgrep -x -r R,S,D net-broker >/dev/null || break; sleep 0.1; done
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
