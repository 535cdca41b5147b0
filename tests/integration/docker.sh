#!/bin/bash
# docker.sh CSANDBOX: what a Docker user does, each thing a test.
#
# Needs root and a Docker engine that runs and knows a runtime named csandbox (DOCKER_RUNTIME: another name) whose path
# is CSANDBOX or a copy of it; with CSANDBOX_DOCKERD=1 one is started for the test, with its own directories.  Without an engine every
# test is skipped by name.  The last line is "docker: N passed, N failed, N skipped".
here=$(dirname "$(realpath "$0")")
bin=$(realpath "$1") rt=${DOCKER_RUNTIME:-csandbox} img=csandbox-test:busybox n=cst-$$
w=$(mktemp -d) passed=0 failed=0 skipped=0 engine=0 daemon=
chmod 755 "$w"
D() { timeout -k 1 60 docker "$@"; }
run() { D run --runtime="$rt" "$@"; }
cleanup() {
	if [ $engine = 1 ]; then
		docker rm -f "$n" "$n-2" >/dev/null 2>&1
		docker network rm "$n" >/dev/null 2>&1
		docker rmi -f "$img" "$n" "$n-b" >/dev/null 2>&1
		docker volume rm "$n" >/dev/null 2>&1
	fi
	[ -n "$daemon" ] && kill "$daemon" && wait "$daemon" 2>/dev/null
	umount "$w"/exec/netns/* 2>/dev/null       # of containers that had the host's
	rm -rf "$w"
}
trap cleanup EXIT

start_engine() {
	export DOCKER_HOST=unix://$w/sock
	dockerd --host "$DOCKER_HOST" --data-root "$w/data" --exec-root "$w/exec" --pidfile "$w/pid" \
		--add-runtime csandbox="$bin" >"$w/log" 2>&1 &
	daemon=$!
	for _ in $(seq 100); do docker info >/dev/null 2>&1 && return; sleep 0.2; done
	echo "the engine does not start:"; tail -3 "$w/log"
}

if [ "$(id -u)" = 0 ] && command -v docker >/dev/null; then
	[ "${CSANDBOX_DOCKERD:-}" = 1 ] && start_engine
	timeout 10 docker info --format '{{json .Runtimes}}' 2>/dev/null | grep -q "\"$rt\"" && engine=1
fi
if [ $engine = 1 ]; then
	"$here/../lib/busybox_root.sh" "$w/root"
	tar c -C "$w/root" . | docker import -c 'CMD ["/bin/sh"]' - "$img" >/dev/null
else
	echo "no Docker engine with a runtime named $rt: see docs/testing.md"
fi

. "$here/../lib/says.sh"
dr="docker run --runtime=$rt" ask="timeout --foreground 60 docker"
is() { [ "$(docker inspect -f "$1" "$n")" = "$2" ]; }

# ---- one command ----
says "run" '^hello$' run --rm $img echo hello
says "exit status" '^rc=7$' run --rm $img sh -c 'exit 7'
says "a missing program gives 127" '^rc=127$' run --rm $img /no/such
says "a directory gives 126" '^rc=126$' run --rm $img /etc
says "-i passes stdin on" '^ABC$' bash -c "echo abc | timeout 60 $dr -i --rm $img tr a-z A-Z"
says "-u -w -e" '^1000:/tmp:v$' run --rm -u 1000 -w /tmp -e X=v $img sh -c 'echo $(id -u):$(pwd):$X'
says "-t is a terminal" 'isatty' converse isatty "$ask run --runtime=$rt -it --rm $img sh -c 'test -t 0 && echo isatty; read x'"
says "-t has the window's size" '37 91' \
	converse '37 91' "stty rows 37 cols 91; $ask run --runtime=$rt -it --rm $img sh -c 'until stty size | grep \"37 91\"; do sleep 0.1; done; read x'"
says "--hostname" '^hh1$' run --rm -h hh1 $img hostname
says "--init" 'init' run --rm --init $img sh -c 'tr "\0" " " </proc/1/cmdline'
says "--ulimit" '^777$' run --rm --ulimit nofile=777:777 $img sh -c 'ulimit -n'
says "--sysctl" '^4242' run --rm --sysctl net.ipv4.ip_local_port_range="4242 5000" $img cat /proc/sys/net/ipv4/ip_local_port_range
says "--cap-drop" 'not permitted' run --rm --cap-drop ALL $img chown 1 /etc/hostname
says "--privileged" 'CapEff:.*ffffffff' run --rm --privileged $img grep CapEff /proc/self/status
says "--device" 'zero2' run --rm --device /dev/zero:/dev/zero2 $img ls /dev/zero2
says "the default seccomp profile" 'Seccomp:.*2' run --rm $img grep Seccomp: /proc/self/status
says "seccomp=unconfined" 'Seccomp:.*0' run --rm --security-opt seccomp=unconfined $img grep Seccomp: /proc/self/status

# ---- files ----
also bash -c "mkdir '$w/v'; chmod 777 '$w/v'; echo hostdata >'$w/v/f'"
says "-v reads" '^hostdata$' run --rm -v "$w/v:/v" $img cat /v/f
says "-v writes" '^fromc$' bash -c "$dr --rm -v '$w/v:/v' $img sh -c 'echo fromc >/v/g'; cat '$w/v/g'"
says "-v :ro" 'Read-only' run --rm -v "$w/v:/v:ro" $img sh -c 'echo x >/v/h'
also run --rm -v "$n:/d" $img sh -c 'echo kept >/d/q'
says "a named volume is kept" '^kept$' run --rm -v "$n:/d" $img cat /d/q
says "--tmpfs" ' /t tmpfs' run --rm --tmpfs /t:size=8m $img cat /proc/mounts
says "--read-only" 'Read-only' run --rm --read-only $img sh -c 'echo x >/x'
says "--shm-size" '16384|16\.0M|16M' run --rm --shm-size 16m $img df /dev/shm

# ---- a container that stays ----
also run -d --name "$n" -p 127.0.0.1:18080:8080 --memory 128m --cpus 0.5 --pids-limit 64 $img \
	sh -c 'echo started; mkdir /www; echo served >/www/index.html; httpd -p 8080 -h /www; exec sleep 1000'
fetch() { timeout 10 bash -c 'exec 3<>/dev/tcp/$0/$1; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3' "$@" | grep .; }
also until_ok 100 fetch 127.0.0.1 18080
says "port mapping" '^served' fetch 127.0.0.1 18080
says "the bridge's address" '^served' fetch "$([ $engine = 1 ] && docker inspect -f '{{.NetworkSettings.IPAddress}}' "$n")" 8080
says "logs" '^started$' D logs "$n"
says "exec" '^e:[0-9]+$' D exec "$n" sh -c 'echo e:$$'
says "exec sees processes" 'sleep 1000' D exec "$n" sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "'
says "exec gives the exit status" '^rc=9$' D exec "$n" sh -c 'exit 9'
says "exec -u" '^1234$' D exec -u 1234 "$n" id -u
says "exec -t" '/dev/pts' converse /dev/pts "$ask exec -it $n sh -c 'tty; read x'"
says "top" 'sleep 1000' D top "$n"
says "top with options of ps" 'sleep 1000' D top "$n" -o pid,args
says "stats" '[1-9][0-9.]*[KM]iB / ' D stats --no-stream "$n"
says "cp out" '^served$' bash -c "docker cp '$n:/www/index.html' '$w/out' && cat '$w/out'"
also bash -c "echo zz >'$w/zz'; docker cp '$w/zz' '$n:/tmp/zz'"
says "cp in" '^zz$' D exec "$n" cat /tmp/zz
says "diff" '^A /www/index.html$' D diff "$n"
also D commit "$n" "$n-b"
says "commit" '^served$' run --rm "$n-b" cat /www/index.html
says "pause" '^paused$' bash -c "docker pause '$n' >/dev/null; docker inspect -f '{{.State.Status}}' '$n'"
says "a paused container does not answer" '^rc=124$' timeout 2 bash -c 'exec 3<>/dev/tcp/127.0.0.1/18080; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3'
says "unpause" '^served' bash -c "docker unpause '$n' >/dev/null; $(declare -f fetch); fetch 127.0.0.1 18080"
says "update" '^209715200$|rc=0' D update --memory 200m --memory-swap 200m "$n"
says "restart" '^rc=0$' D restart -t 1 "$n"
also until_ok 100 fetch 127.0.0.1 18080
says "it serves after a restart" '^served' fetch 127.0.0.1 18080
says "kill" '^137$' bash -c "docker kill '$n' >/dev/null; docker wait '$n' >/dev/null; docker inspect -f '{{.State.ExitCode}}' '$n'"
also D rm -f "$n"
also run -d --name "$n" $img sh -c 'trap "echo got term; exit 3" TERM; echo up; while :; do sleep 0.1; done'
also until_ok 100 bash -c "docker logs '$n' | grep up"
also D stop -t 5 "$n"
says "stop sends SIGTERM" '^3$' D inspect -f '{{.State.ExitCode}}' "$n"
says "logs after the end" '^got term$' D logs "$n"
also D rm -f "$n"
also run --name "$n" --memory 32m --memory-swap 32m $img sh -c 'x=$(head -c 200000000 /dev/zero | tr "\0" x); echo alive'
says "more memory than allowed: OOMKilled" '^true 137$' D inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' "$n"
also D rm -f "$n"
says "--pids-limit" 'fork|resource' run --rm --pids-limit 20 $img sh -c 'for i in $(seq 60); do sleep 2 & done; wait'
also run -d --name "$n" --restart on-failure:2 $img sh -c 'exit 1'
also until_ok 200 is '{{.RestartCount}} {{.State.Running}}' '2 false'
says "--restart on-failure:2" '^2$' D inspect -f '{{.RestartCount}}' "$n"
also D rm -f "$n"
also run -d --name "$n" --health-cmd 'test -e /tmp/ok' --health-interval 1s --health-retries 1 $img \
	sh -c 'sleep 2; touch /tmp/ok; sleep 100'
also until_ok 200 is '{{.State.Health.Status}}' healthy
says "health checks" '^healthy$' D inspect -f '{{.State.Health.Status}}' "$n"
also D rm -f "$n"

# ---- networks ----
also D network create "$n"
also run -d --name "$n" --network "$n" $img sh -c 'mkdir /www; echo served >/www/index.html; httpd -f -p 80 -h /www'
also until_ok 100 D exec "$n" nc -z 127.0.0.1 80
# busybox's static wget cannot ask a resolver (nor under runc): its nslookup can
get='printf "GET / HTTP/1.0\r\n\r\n" | nc -w 5'
says "a user network has names" '^served' run --rm --network "$n" $img \
	sh -c "$get \$(nslookup $n | awk '/^Name/ { f = 1 } f && /^Address/ { print \$2; exit }') 80"
says "its server is 127.0.0.11" '^nameserver 127.0.0.11' run --rm --network "$n" $img cat /etc/resolv.conf
says "a server of the guest's may have port 53" '^mine$' run --rm --network "$n" $img sh -c 'echo mine | nc -l -p 53 & until nc 127.0.0.1 53; do sleep 0.1; done'
says "--network container: shares the other's network" 'served' run --rm --network "container:$n" $img sh -c "$get 127.0.0.1 80"
also D rm -f "$n"
says "--network none" '^1: lo' run --rm --network none $img ip link
allowed() { docker info --format '{{json .Runtimes}}' | grep -q -- allow-host-network; }
if [ $engine = 1 ] && allowed; then
	says "--network host with --allow-host-network" 'inet 127.0.0.1' run --rm --network host $img ip addr
else
	says "--network host is refused" 'allow-host-network' run --rm --network host $img true
fi

# ---- builds ----
also bash -c "mkdir '$w/context'; printf 'FROM $img\nRUN echo built >/b\nCMD cat /b\n' >'$w/context/Dockerfile'"
says "build, and run the result" '^built$' bash -c "DOCKER_BUILDKIT=0 timeout 60 docker build -q -t $n '$w/context' >/dev/null 2>&1; $dr --rm $n"
echo "docker: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
