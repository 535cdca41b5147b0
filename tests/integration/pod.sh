#!/bin/bash
# pod.sh CSANDBOX: several containers in one sandbox: by the annotations of a pod, and by a shared network namespace.
# Root needed.  The last line is "pod: N passed, N failed, N skipped".
here=$(dirname "$(realpath "$0")")
bin=$(realpath "$1")
w=$(mktemp -d)
chmod 755 "$w"
passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); }
no() { failed=$((failed + 1)); echo "FAIL $1: $(tr '\n' ' ' <<<"$2" | cut -c1-300)"; }
C() { timeout -k 1 20 "$bin" --root "$w/state" --network=none "$@"; }
N() { timeout -k 1 20 "$bin" --root "$w/state" "$@"; }
# name, pattern, command...: its output (both streams) matches
says() { local n=$1 p=$2 o; shift 2; o=$("$@" 2>&1); if grep -qE -- "$p" <<<"$o"; then ok; else no "$n" "$o"; fi; }
# name, status, command...
gives() { local n=$1 s=$2 o r; shift 2; o=$("$@" 2>&1); r=$?; if [ "$r" = "$s" ]; then ok; else no "$n" "status $r, not $s: $o"; fi; }
# Containers that stay hold our output open: theirs is a file.
quiet() { "$@" </dev/null >"$w/out" 2>&1; local r=$?; cat "$w/out"; return $r; }
cleanup() {
	for d in "$w"/state/*; do [ -d "$d" ] && C delete --force "$(basename "$d")"; done
	[ -n "${holder:-}" ] && kill "$holder"
	rm -rf "$w"
}
trap cleanup EXIT
mkdir -p "$w/state"

# bundle NAME ANNOTATIONS-OF ARG...: with a root of its own, in which /id says who it is
bundle() {
	local name=$1 kind=$2 ann
	shift 2
	[ -d "$w/$name/rootfs" ] || { mkdir -p "$w/$name"; "$here/../lib/busybox_root.sh" "$w/$name/rootfs"; }
	echo "$name" >"$w/$name/rootfs/id"
	ann="{\"io.kubernetes.cri.container-type\": \"$kind\", \"io.kubernetes.cri.sandbox-id\": \"pause\"}"
	[ "$kind" = none ] && ann='{}'
	BUNDLE_ADD="{\"hostname\": \"$name\", \"annotations\": $ann}" python3 "$here/../lib/bundle.py" "$w/$name" "$@"
}
pid_of() { C state "$1" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'; }
gone() { for _ in $(seq 50); do C state "$1" 2>&1 | grep -q '"stopped"' && return; sleep 0.1; done; return 1; }

bundle app container /bin/true
says "without its sandbox a member is a container of its own" '^app$' bash -c "sed -i 's#/bin/true#/bin/hostname#' '$w/app/config.json'; '$bin' --root '$w/state' --network=none run -b '$w/app' app"

# ---- one pod ----
bundle pause sandbox /bin/sh -c 'sleep 1000 & wait'
gives "the first container" 0 quiet C run -d -b "$w/pause" pause
sandbox=$(pid_of pause)
bundle app container /bin/sh -c 'cat /id; hostname; echo pid $$; exit 7'
gives "a member gives its exit status" 7 C run -b "$w/app" app
says "it has its own root" '^app$' C run -b "$w/app" app
says "it has its own host name" '^app$' bash -c "'$bin' --root '$w/state' --network=none run -b '$w/app' app | sed -n 2p"
says "it has its own process ids" '^pid 1$' C run -b "$w/app" app
says "and leaves nothing" '^pause$' C list -q
bundle app container /no/such
says "a missing program is named" 'exec: ."/no/such.": stat /no/such: no such file' C create -b "$w/app" app
says "and nothing is left of it" '^pause$' C list -q
bundle app container /bin/sh -c 'trap "exit 5" TERM; touch /tmp/up; while :; do sleep 0.1; done'
bundle two container /bin/sh -c 'sleep 1000 & wait'
gives "create" 0 quiet C create --pid-file "$w/pid" -b "$w/app" app
says "created" '"status": ?"created"' C state app
says "the pid file holds its keeper's pid" "\"pid\": ?$(cat "$w/pid")" C state app
gives "start" 0 C start app
gives "a second member" 0 quiet C run -d -b "$w/two" two
says "running" '"status": ?"running"' C state app
says "exec is in the member" '^two$' C exec two cat /id
says "exec does not see the other member" '^1$' bash -c "'$bin' --root '$w/state' --network=none exec two ps | grep -c 'sleep 1000$'"
says "nor its processes by /proc" '^0$' bash -c "'$bin' --root '$w/state' --network=none exec two ps | grep -c '[t]rap'"
says "ps shows its processes on the host" 'while :' C ps app
says "and no other's" '^0$' bash -c "'$bin' --root '$w/state' --network=none ps app | grep -c 'sleep 1000'"
[ "$(pid_of pause)" = "$sandbox" ] && [ "$(ls /proc/"$sandbox"/task | wc -l)" -gt 3 ] && ok || no "one sentry" "$(C list)"
says "a member is not paused alone" 'is in the sandbox of .*pause' C pause app
says "limits are the sandbox's" 'cannot change the pids limit' C update --pids-limit 9 app
for _ in $(seq 50); do C exec app test -e /tmp/up && break; sleep 0.1; done
gives "a signal reaches its first process" 0 C kill app TERM
gone app && ok || no "it ends" "$(C state app)"
gives "delete" 0 C delete app
says "the other runs on" '"status": ?"running"' C state two
gives "KILL ends a member" 0 C kill two KILL
gone two && ok || no "killed" "$(C state two)"
gives "delete it" 0 C delete two
says "all its processes are gone" '^0$' bash -c "sleep 0.3; '$bin' --root '$w/state' --network=none exec pause cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'two'"
bundle app container /bin/sh -c 'sleep 1000 & wait'
fds() { ls "/proc/$sandbox/fd" | wc -l; }
before=$(fds)
for _ in 1 2 3 4 5; do quiet C run -d -b "$w/app" app >/dev/null; C delete --force app; done
sleep 0.5
[ "$(fds)" -le "$before" ] && ok || no "the sandbox keeps no descriptor of members that are gone" "$before, then $(fds)"
quiet C run -d -b "$w/app" app >/dev/null
kill -9 "$(pid_of app)"
gone app && ok || no "its keeper's death is its end" "$(C state app)"
C delete app
quiet C run -d -b "$w/app" app >/dev/null
gofer=$(sed -n 's/.*"gofer":{"pid":\([0-9]*\).*/\1/p' "$w/state/app/state.json")
kill -9 "$gofer"
says "its gofer's death leaves the others alone" 'pause' C exec pause cat /id
C delete --force app
quiet C run -d -b "$w/app" app >/dev/null
C kill pause KILL
gone pause && gone app && ok || no "the sandbox's end is every member's" "$(C list)"
says "no member joins a sandbox that has stopped" 'has stopped' C run -b "$w/two" two
C delete app
C delete pause

# ---- a shared network namespace ----
unshare -n sleep 1000 &
holder=$!
sleep 0.3
for b in one app; do
	BUNDLE_NETNS=/proc/$holder/ns/net bundle $b none /bin/sh -c 'sleep 1000 & wait'
done
nsenter -t "$holder" -n ip link set lo up
gives "the first on a namespace" 0 quiet N run -d -b "$w/one" one
gives "the second joins its sandbox" 0 quiet N run -d -b "$w/app" app
says "it is a member" '"sandbox":"one"' cat "$w/state/app/state.json"
N exec -d one sh -c 'echo over loopback | nc -l -p 4000' </dev/null >"$w/out" 2>&1
for _ in $(seq 30); do N exec app sh -c 'netstat -ltn | grep -q :4000' && break; sleep 0.1; done
says "they share loopback" 'over loopback' N exec app sh -c 'nc 127.0.0.1 4000 </dev/null'
[ "$(readlink "/proc/$holder/ns/net")" = "$(readlink "/proc/$(pid_of app)/ns/net")" ] && ok ||
	no "who looks for its network by its pid finds the same" "$(readlink "/proc/$(pid_of app)/ns/net")"
echo "pod: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
