#!/bin/bash
# nested.sh CSANDBOX: what needs control groups of its own: systemd as the first process of a sandbox, with services, limits and an
# orderly end; other engines' runtimes (runc, crun) that make containers in it, and Docker with its bridges.  Needs root and a root file system with these
# (ROOTFS_TAR, default build/rootfs.tar of mkrootfs.sh).
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1")
tar=${ROOTFS_TAR:-build/rootfs.tar} base=$PWD/build/programs-root
passed=0 failed=0 skipped=0
skip() { echo "skip nested $1: $2"; skipped=$((skipped + 1)); }
finish() { echo "nested: $passed passed, $failed failed, $skipped skipped"; [ "$failed" = 0 ]; exit; }
if [ "$(id -u)" != 0 ] || [ ! -f "$tar" ]; then
	for t in systemd runc crun docker; do skip "$t" "needs root and $tar (ROOTFS_TAR, or MAKE_ROOTFS=1)"; done
	finish
fi
tests/lib/unpack.sh "$tar" "$base" || exit 1
w=$(mktemp -d) id=nested-$$
cs() { timeout -k 1 "${LIMIT:-180}" "$bin" --root "$w/state" "$@" </dev/null; }
cleanup() {
	cs delete --force $id >/dev/null 2>&1
	[ -z "$web" ] || kill "$web" 2>/dev/null
	ip netns del $id 2>/dev/null
	ip netns del ${id}w 2>/dev/null
	rm -rf "$w"
}
trap cleanup EXIT
check() {       # what got want
	if [ "$2" = "$3" ]; then echo "ok $1"; passed=$((passed + 1)); else echo "not ok $1: \"$2\", not \"$3\""; failed=$((failed + 1)); fi
}
bundle() {      # program...: with a control group file system that may be written, as podman --systemd=always gives one
	BUNDLE_ROOT=$base BUNDLE_ENV=container=oci tests/lib/bundle.py "$w" "$@"
	python3 - "$w/config.json" <<'P'
import json, sys
c = json.load(open(sys.argv[1]))
c["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw", "nosuid", "nodev", "noexec"]})
c["mounts"].append({"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=755"]})
json.dump(c, open(sys.argv[1], "w"))
P
}
begin() { bundle "$@"; cs --network="${NETWORK:-none}" --overlay=memory run --detach --bundle "$w" $id >/dev/null 2>"$w/err" || cat "$w/err"; }
inside() { cs exec $id bash -c "$1" 2>&1; }
ended() { for _ in $(seq 1 600); do [ "$(cs state $id 2>/dev/null | grep -c '"running"')" = 0 ] && return; sleep 0.1; done; false; }

systemd() {
	begin /lib/systemd/systemd
	for _ in $(seq 1 600); do inside 'test -S /run/dbus/system_bus_socket -o -S /run/systemd/private' && break; sleep 0.1; done
	check "systemd is up" "$(inside 'systemctl is-system-running --wait; systemctl --failed --no-legend')" running
	check "it has groups of its own" "$(inside 'cat /proc/1/cgroup')" 0::/init.scope
	check "a service and its exit status" "$(inside 'systemd-run --wait -q sh -c "exit 7"; echo $?')" 7
	check "a service in its group" "$(inside 'systemd-run --wait -q --unit=one --pipe cat /proc/self/cgroup')" 0::/system.slice/one.service
	check "TasksMax" "$(inside 'systemd-run --wait -q --pipe -p TasksMax=3 bash -c "(sleep 9 & sleep 9 & sleep 9 & wait) 2>&1" |
		grep -q "Resource temporarily unavailable" && echo held')" held
	check "stopping a service ends what it started" "$(inside 'systemd-run -q --unit=two -p KillMode=control-group sh -c "setsid sleep 1000 & exec sleep 1000"
		until [ "$(grep -c . /sys/fs/cgroup/system.slice/two.service/cgroup.procs)" = 2 ]; do :; done
		systemctl stop two; pgrep -xc sleep; ls -d /sys/fs/cgroup/system.slice/two.service 2>/dev/null')" 0
	check "a confined service" "$(inside 'systemd-run --wait -q --pipe -p DynamicUser=yes -p PrivateTmp=yes -p ProtectSystem=strict -p PrivateDevices=yes \
		-p NoNewPrivileges=yes -p SystemCallFilter=@system-service -p RestrictNamespaces=yes sh -c "touch /etc/x 2>/dev/null || echo refused; ls /tmp"')" refused
	cs kill $id SIGRTMIN+4 2>/dev/null          # poweroff.target
	check "an orderly end" "$(ended && echo ended)" ended
	cs delete --force $id >/dev/null 2>&1
}

# A container of @1 in the sandbox: what its config.json asks for of groups and devices holds.
runtime() {
	begin sleep infinity
	# As docker:dind does: nobody stays in the root, which then hands its controllers on.
	inside 'mkdir /sys/fs/cgroup/init && echo 1 >/sys/fs/cgroup/init/cgroup.procs && echo 0 >/sys/fs/cgroup/init/cgroup.procs
		sed "s/ / +/g; s/^/+/" /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
		mkdir -p /c/rootfs/bin && cp /bin/busybox /c/rootfs/bin && ln -s busybox /c/rootfs/bin/sh; cd /c && '"$1"' spec' >/dev/null
	inside 'cd /c && python3 -c "
import json
c = json.load(open(\"config.json\"))
c[\"process\"][\"terminal\"] = False
c[\"process\"][\"args\"] = [\"sh\", \"-c\", \"busybox cat /proc/self/cgroup /sys/fs/cgroup/pids.max; echo x >/dev/null && echo written; \" +
	\"busybox mknod /dev/log c 1 11; (: </dev/log) 2>&1 | busybox grep -c permitted\"]
for k in c[\"process\"][\"capabilities\"]: c[\"process\"][\"capabilities\"][k].append(\"CAP_MKNOD\")
c[\"linux\"][\"resources\"] = {\"pids\": {\"limit\": 20}, \"devices\": [{\"allow\": False, \"access\": \"rwm\"}]}
c[\"linux\"][\"cgroupsPath\"] = \"/inner\"
c[\"linux\"][\"namespaces\"].append({\"type\": \"cgroup\"}) if {\"type\": \"cgroup\"} not in c[\"linux\"][\"namespaces\"] else None
json.dump(c, open(\"config.json\", \"w\"))"'
	check "$1: a container with limits and devices" "$(inside "cd /c && $1 run inner")" "0::/
20
written
1"
	check "$1: nothing stays" "$(inside 'ls -d /sys/fs/cgroup/inner 2>/dev/null; '"$1"' list -q')" ""
	cs delete --force $id >/dev/null 2>&1
}

# The outside of Docker's sandbox: another namespace, with a web server at 10.79.0.2.
outside() {
	ip netns add $id && ip netns add ${id}w && ip link add o0 netns $id type veth peer name o1 netns ${id}w || return 1
	ip -n $id addr add 10.79.0.1/24 dev o0 && ip -n $id link set o0 up && ip -n $id link set lo up
	ip -n ${id}w addr add 10.79.0.2/24 dev o1 && ip -n ${id}w link set o1 up && ip -n ${id}w link set lo up
	mkdir "$w/web" && echo outside >"$w/web/index.html"
	ip netns exec ${id}w python3 -m http.server -d "$w/web" --bind 10.79.0.2 80 >/dev/null 2>&1 &
	web=$!
	for _ in $(seq 300); do ip netns exec ${id}w python3 -c 'import socket; socket.create_connection(("10.79.0.2", 80))' 2>/dev/null && return; sleep 0.1; done
	false
}

# Docker as it is, with its bridges, NAT, names and published ports.  Addresses are asked for: busybox is static, and does not look up all names.
docker_bridges() {
	outside || { skip docker "no network namespaces"; return; }
	BUNDLE_NETNS=/run/netns/$id NETWORK=sandbox begin sleep infinity
	inside 'mkdir /sys/fs/cgroup/init && echo 1 >/sys/fs/cgroup/init/cgroup.procs && echo 0 >/sys/fs/cgroup/init/cgroup.procs
		sed "s/ / +/g; s/^/+/" /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
		mkdir -p /var/lib/docker /etc/docker /i/bin && mount -t tmpfs tmpfs /var/lib/docker && echo "{}" >/etc/docker/daemon.json
		(dockerd </dev/null >/dev/null 2>&1 &)
		for _ in $(seq 600); do docker version >/dev/null 2>&1 && break; sleep 0.1; done
		cp /bin/busybox /i/bin; for i in sh nc httpd ping nslookup wget; do ln -s busybox /i/bin/$i; done; tar -C /i -c . | docker import - i' >/dev/null
	check "docker: outside is reached from its bridge" "$(inside 'docker run --rm i sh -c "printf \"GET / HTTP/1.0\\r\\n\\r\\n\" | nc 10.79.0.2 80" | tail -1')" outside
	inside 'docker network create net && docker run -d --name server --network net -p 8080:80 i sh -c "echo inside >/index.html; httpd -f -p 80 -h /"
		for _ in $(seq 300); do docker exec server nc -z 127.0.0.1 80 && break; sleep 0.1; done' >/dev/null
	check "docker: containers have names in a network" "$(inside 'docker run --rm --network net i sh -c "ping -c 1 server | grep -c ttl="')" 1
	check "docker: and reach each other" "$(inside 'at=$(docker inspect -f "{{.NetworkSettings.Networks.net.IPAddress}}" server)
		docker run --rm --network net i sh -c "printf \"GET / HTTP/1.0\\r\\n\\r\\n\" | nc $at 80" | tail -1')" inside
	check "docker: pause and unpause" "$(inside 'for do in pause unpause; do docker $do server >/dev/null; docker inspect -f "{{.State.Status}}" server; done' | xargs)" "paused running"
	check "docker: networks are apart" "$(inside 'at=$(docker inspect -f "{{.NetworkSettings.Networks.net.IPAddress}}" server)
		docker run --rm i nc -z -w 1 $at 80 >/dev/null 2>&1; echo $?')" 1
	check "docker: a published port, from within" "$(inside 'python3 -c "import urllib.request; print(urllib.request.urlopen(\"http://127.0.0.1:8080/\").read().decode().strip())"')" inside
	check "docker: a published port, from outside" "$(ip netns exec ${id}w python3 -c 'import urllib.request; print(urllib.request.urlopen("http://10.79.0.1:8080/").read().decode().strip())' 2>&1)" inside
	check "docker: nothing stays" "$(inside 'docker rm -f server >/dev/null; docker network rm net >/dev/null; ip -br link show type veth; ip -br link show type bridge | grep -c .')" 1
	cs delete --force $id >/dev/null 2>&1
}

if [ -x "$base/lib/systemd/systemd" ]; then systemd; else skip systemd "not in $tar"; fi
for r in runc crun; do
	if [ -x "$base/usr/bin/$r" ] || [ -x "$base/usr/sbin/$r" ]; then runtime $r; else skip $r "not in $tar"; fi
done
if [ -x "$base/usr/sbin/dockerd" ]; then docker_bridges; else skip docker "not in $tar"; fi
finish
