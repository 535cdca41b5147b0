#!/bin/bash
# podman.sh CSANDBOX: what a podman user does, each thing a test.
#
# Needs root, podman and conmon; the images, containers and networks live in a directory of the test's own. Without them every test
# is skipped by name.  PODMAN_RUNTIME=runc runs the same list under another runtime, with the ulimits that one needs.
#
# `podman cp` of a running container and `podman top` without options enter the mount namespace of its first process, which is the
# sentry's and empty: a paused container is copied to, and top is asked for by ps' options, which podman runs inside.
# The last line is "podman: N passed, N failed, N skipped".
if [ "$(id -u)" = 0 ] && [ -z "${PODMAN_SH_INSIDE:-}" ]; then
	# podman's bridges, firewall rules and mounts are made in namespaces of the test's own.
	PODMAN_SH_INSIDE=1 exec unshare -n -m -- sh -c 'busybox ip link set lo up; exec "$0" "$@"' "$0" "$@"
fi
here=$(dirname "$(realpath "$0")")
bin=$(realpath "$1") rt=${PODMAN_RUNTIME:-$(realpath "$1")} img=localhost/cst:busybox n=cst$$
w=$(mktemp -d) passed=0 failed=0 skipped=0 engine=0 ulimits=()
chmod 755 "$w"
[ "$rt" = "$bin" ] || ulimits=(--ulimit nofile=1024:1024 --ulimit nproc=4096:4096)
cat >"$w/p" <<-END
	#!/bin/bash
	exec timeout --foreground -k 1 60 podman --root $w/root --runroot $w/run --tmpdir $w/tmp --cgroup-manager=cgroupfs \\
		--events-backend=file --network-config-dir $w/net --runtime $rt "\$@"
END
chmod 755 "$w/p"
P() { "$w/p" "$@"; }
run() { P run "${ulimits[@]}" "$@"; }
r="$w/p run ${ulimits[*]}"
cleanup() {
	if [ $engine = 1 ]; then
		P pod rm -af -t 0 >/dev/null 2>&1
		P rm -af -t 0 >/dev/null 2>&1
		P network rm -f "$n" >/dev/null 2>&1
		umount "$w/root/overlay" 2>/dev/null
		rmdir /sys/fs/cgroup/*/libpod_parent/* /sys/fs/cgroup/*/libpod_parent 2>/dev/null
	fi
	rm -rf "$w"
}
trap cleanup EXIT

cd "$w" || exit 1       # conmon leaves a file where it was started
mkdir "$w/net"
if [ "$(id -u)" = 0 ] && command -v podman >/dev/null && command -v conmon >/dev/null; then
	"$here/../lib/busybox_root.sh" "$w/bb"
	tar c -C "$w/bb" . | P import -c 'CMD ["/bin/sh"]' - "$img" >"$w/log" 2>&1 && engine=1
	[ $engine = 1 ] || tail -2 "$w/log"
else
	echo "no podman here, or not root: see docs/testing.md"
fi

. "$here/../lib/says.sh"

# ---- one command ----
says "run" '^hello$' run --rm --network none $img echo hello
says "exit status" '^rc=7$' run --rm --network none $img sh -c 'exit 7'
says "a missing program gives 127" '^rc=127$' run --rm --network none $img /no/such
says "a directory gives 126" '^rc=126$' run --rm --network none $img /etc
says "-i passes stdin on" '^ABC$' bash -c "echo abc | $r -i --rm --network none $img tr a-z A-Z"
says "--user -w -e" '^1000:1001:/tmp:v$' run --rm --network none --user 1000:1001 -w /tmp -e X=v $img \
	sh -c 'echo $(id -u):$(id -g):$(pwd):$X'
says "--group-add" '77' run --rm --network none --user 1000 --group-add 77 $img id -G
says "-t is a terminal" 'isatty' converse isatty "$r -it --rm --network none $img sh -c 'test -t 0 && echo isatty; read x'"
says "-t has the window's size" '37 91' \
	converse '37 91' "stty rows 37 cols 91; $r -it --rm --network none $img sh -c 'until stty size | grep \"37 91\"; do sleep 0.1; done; read x'"
says "--hostname" '^hh1$' run --rm --network none --hostname hh1 $img hostname
says "--ulimit" '^777$' P run --rm --network none --ulimit nofile=777:777 --ulimit nproc=4096:4096 $img sh -c 'ulimit -n'
says "--sysctl" '^4242' run --rm --network none --sysctl net.ipv4.ip_local_port_range="4242 5000" $img \
	cat /proc/sys/net/ipv4/ip_local_port_range
says "--cap-drop" 'not permitted' run --rm --network none --cap-drop all $img chown 1 /etc/hostname
says "--device" 'zero2' run --rm --network none --device /dev/zero:/dev/zero2 $img ls /dev/zero2
says "the default seccomp profile" 'Seccomp:.*2' run --rm --network none $img grep Seccomp: /proc/self/status
says "seccomp=unconfined" 'Seccomp:.*0' run --rm --network none --security-opt seccomp=unconfined $img grep Seccomp: /proc/self/status
says "no-new-privileges" 'NoNewPrivs:.*1' run --rm --network none --security-opt no-new-privileges $img grep NoNew /proc/self/status
says "--pid is its own" '^1$' run --rm --network none $img sh -c 'echo $$'
says "--timeout ends it" '^rc=(137|255)$' run --rm --network none --timeout 1 $img sleep 100
says "--entrypoint" '^x y$' run --rm --network none --entrypoint echo $img x y
says "--secret" '^hush$' bash -c "printf hush | '$w/p' secret create $n - >/dev/null; $r --rm --network none --secret $n $img cat /run/secrets/$n; echo"
says "--preserve-fds" '^kept$' bash -c "exec 3< <(echo kept); $r --rm --network none --preserve-fds 1 $img sh -c 'cat <&3'"

# ---- files ----
also bash -c "mkdir '$w/v'; chmod 777 '$w/v'; echo hostdata >'$w/v/f'"
says "-v reads" '^hostdata$' run --rm --network none -v "$w/v:/v" $img cat /v/f
says "-v writes" '^fromc$' bash -c "$r --rm --network none -v '$w/v:/v' $img sh -c 'echo fromc >/v/g'; cat '$w/v/g'"
says "-v :ro" 'Read-only' run --rm --network none -v "$w/v:/v:ro" $img sh -c 'echo x >/v/h'
says "-v :O keeps writes to itself" '^hostdata$' bash -c "$r --rm --network none -v '$w/v:/v:O' $img sh -c 'echo x >/v/f'; cat '$w/v/f'"
also run --rm --network none -v "$n:/d" $img sh -c 'echo kept >/d/q'
says "a named volume is kept" '^kept$' run --rm --network none -v "$n:/d" $img cat /d/q
says "a volume begins with the image's files" 'passwd' run --rm --network none -v "$n-e:/etc" $img ls /etc
says "--tmpfs" ' /t tmpfs' run --rm --network none --tmpfs /t:size=8m $img cat /proc/mounts
says "--tmpfs begins with the image's files" 'passwd' run --rm --network none --tmpfs /etc $img ls /etc
says "--read-only" 'Read-only' run --rm --network none --read-only $img sh -c 'echo x >/x'
says "--read-only has a /tmp" '^y$' run --rm --network none --read-only $img sh -c 'echo y >/tmp/x; cat /tmp/x'
says "--shm-size" '16384|16\.0M|16M' run --rm --network none --shm-size 16m $img df /dev/shm
says "--init" '(podman|cat)init|catatonit' run --rm --network none --init $img sh -c 'tr "\0" " " </proc/1/cmdline'

# ---- a container that stays, on the bridge ----
also run -d --name "$n" -p 127.0.0.1:18090:8080 --memory 128m --cpus 0.5 --pids-limit 64 $img \
	sh -c 'echo started; mkdir /www; echo served >/www/index.html; httpd -p 8080 -h /www; exec sleep 1000'
fetch() { timeout 10 bash -c 'exec 3<>/dev/tcp/$0/$1; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3' "$@"; }
also until_ok 100 P exec "$n" test -e /www/index.html
ip=$(also true; [ $engine = 1 ] && P inspect -f '{{.NetworkSettings.IPAddress}}' "$n" 2>/dev/null)
also until_ok 100 fetch "$ip" 8080
says "the bridge's address" '^served' fetch "$ip" 8080
says "another container reaches it" '^served' run --rm $img sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 $ip 8080"
says "--network container: shares the other's network" '^served' run --rm --network "container:$n" $img \
	sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | nc -w 5 127.0.0.1 8080'
says "ps" "$n.*Up|Up.*$n" P ps
says "logs" '^started$' P logs "$n"
says "exec" '^e:[0-9]+$' P exec "$n" sh -c 'echo e:$$'
says "exec sees processes" 'sleep 1000' P exec "$n" sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "'
says "exec gives the exit status" '^rc=9$' P exec "$n" sh -c 'exit 9'
says "exec of a missing program" '^rc=127$' P exec "$n" /no/such
says "exec -u -w -e" '^1234:/tmp:v$' P exec -u 1234 -w /tmp -e X=v "$n" sh -c 'echo $(id -u):$(pwd):$X'
says "exec -i" '^ABC$' bash -c "echo abc | '$w/p' exec -i $n tr a-z A-Z"
says "exec -it" '/dev/pts' converse /dev/pts "$w/p exec -it $n sh -c 'tty; read x'"
says "exec -d" '^detached$' bash -c "'$w/p' exec -d $n sh -c 'echo detached >/tmp/d' >/dev/null; '$w/p' exec $n sh -c 'until [ -s /tmp/d ]; do sleep 0.1; done; cat /tmp/d'"
says "top by options of ps" 'sleep 1000' P top "$n" -o pid,args
says "stats" '[1-9][0-9.]*[kKM]i?B / ' P stats --no-stream "$n"
says "inspect knows its process" '^true [1-9][0-9]*$' P inspect -f '{{.State.Running}} {{.State.Pid}}' "$n"
says "diff" '^A /www/index.html$' P diff "$n"
also P commit -q "$n" "localhost/$n-b"
says "commit" '^served$' run --rm --network none "localhost/$n-b" cat /www/index.html
says "export" 'www/index.html' bash -c "'$w/p' export $n | tar t"
says "pause" '^paused$' bash -c "'$w/p' pause $n >/dev/null; '$w/p' inspect -f '{{.State.Status}}' $n"
says "a paused container does not answer" '^rc=124$' timeout 1 bash -c "exec 3<>/dev/tcp/${ip:-127.0.0.1}/8080; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3"
says "cp out of a paused container" '^served$' bash -c "'$w/p' cp $n:/www/index.html '$w/out' && cat '$w/out'"
also bash -c "echo zz >'$w/zz'; '$w/p' cp '$w/zz' $n:/home/zz"
says "unpause" '^served' bash -c "'$w/p' unpause $n >/dev/null; $(declare -f fetch); fetch ${ip:-127.0.0.1} 8080"
says "cp into a paused container" '^zz$' P exec "$n" cat /home/zz
says "update" '^rc=0$' P update --memory 200m "$n"
says "restart" '^rc=0$' P restart -t 1 "$n"
says "it runs after a restart" '^rc=0$' until_ok 100 P exec "$n" test -e /www/index.html
says "kill" '^137$' bash -c "'$w/p' kill $n >/dev/null; '$w/p' wait $n"
says "start again" '^rc=0$' bash -c "'$w/p' start $n && '$w/p' exec $n true"
also P rm -f -t 0 "$n"
also run -d --name "$n" --network none $img sh -c 'trap "echo got term; exit 3" TERM; echo up; while :; do sleep 0.1; done'
also until_ok 100 bash -c "'$w/p' logs $n | grep up"
also P stop -t 5 "$n"
says "stop sends SIGTERM" '^3$' P inspect -f '{{.State.ExitCode}}' "$n"
says "logs after the end" '^got term$' P logs "$n"
also P rm -f -t 0 "$n"
also run --name "$n" --network none --memory 32m --memory-swap 32m $img \
	sh -c 'x=$(head -c 200000000 /dev/zero | tr "\0" x); echo alive'
says "more memory than allowed ends it" '^137$' P inspect -f '{{.State.ExitCode}}' "$n"
also P rm -f -t 0 "$n"
says "--pids-limit" 'fork|resource' run --rm --network none --pids-limit 20 $img sh -c 'for i in $(seq 60); do sleep 2 & done; wait'
also run -d --name "$n" --network none --health-cmd 'test -e /tmp/ok' --health-interval disable $img sleep 100
says "a health check that fails" 'unhealthy|^rc=1$' P healthcheck run "$n"
also P exec "$n" touch /tmp/ok
says "a health check that succeeds" '^rc=0$' P healthcheck run "$n"
says "attach" '^att$' bash -c "'$w/p' rm -f -t 0 $n >/dev/null; $r -d -i --name $n --network none $img cat >/dev/null; mkfifo '$w/att'; exec 8<>'$w/att'; echo att >&8; timeout 20 '$w/p' attach $n <'$w/att' | head -1"
also P rm -f -t 0 "$n"

# ---- pods: the containers share a network, and what else the pod says ----
also P pod create --name "$n" --infra-image $img --infra-command 'sleep 1000'
also run -d --pod "$n" --name "$n-1" $img sh -c 'mkdir /www; echo pod >/www/index.html; exec httpd -f -p 80 -h /www'
also until_ok 100 P exec "$n-1" test -e /www/index.html
says "a pod's containers share a network" '^pod' run --rm --pod "$n" $img \
	sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | nc -w 5 127.0.0.1 80'
says "a pod's containers share a host name" "^$n\$" run --rm --pod "$n" $img hostname
says "pod ps" "$n.*Running" P pod ps
says "exec in a pod's container" '^1$' P exec "$n-1" sh -c 'echo $(ls /www | wc -l)'
says "pod stop" '^rc=0$' P pod stop -t 1 "$n"
says "pod start" '^rc=0$' P pod start "$n"
# Its status is of no use: podman 4 cannot remove its cgroup where controllers are split between the versions (nor under runc).
says "pod rm" '^rc=1$' bash -c "'$w/p' pod rm -f -t 0 $n >/dev/null 2>&1; '$w/p' pod exists $n"

# ---- networks ----
also P network create "$n"
says "a network of one's own" 'inet ' run --rm --network "$n" $img ip addr show dev eth0
if [ "$rt" = "$bin" ]; then
	says "--network host is refused" 'allow-host-network' run --rm --network host $img true
fi

# ---- builds ----
also bash -c "printf 'FROM $img\nRUN echo built >/b\nRUN echo more >>/b\nUSER 12\nCMD cat /b; id -u\n' >'$w/Dockerfile'"
says "build, and run the result" '^built more 12 ' bash -c "'$w/p' build --isolation oci --network none -q -t localhost/$n ${ulimits[*]} '$w' 2>&1; $r --rm --network none localhost/$n | tr '\n' ' '; echo"
echo "podman: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
