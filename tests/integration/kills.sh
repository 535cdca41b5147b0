#!/bin/bash
# kills.sh CSANDBOX: SIGKILL of each process of a busy sandbox - launcher, sentry, gofer, a stub - at KILLS (12)
# random moments each, start and end included.  Afterwards `delete --force` works, and no process, state,
# control group, mount or memfd is left; a neighbour sandbox runs on through all of it.  Root needed.
here=$(dirname "$(realpath "$0")")
[ "$(id -u)" = 0 ] || { echo "skip kills: needs root"; echo "kills: 0 passed, 0 failed, 1 skipped"; exit 0; }
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
chmod 755 "$w"
# A copy under a name of its own: what runs it is ours, stubs included.
cp "$1" "$w/csandbox"
for b in busy neighbour; do
	mkdir "$w/$b"
	"$here/../lib/busybox_root.sh" "$w/$b/rootfs"
done
python3 "$here/../lib/bundle.py" "$w/busy" /bin/sh -c \
	'while :; do (ls -lR /bin >/tmp/l; cat /tmp/l | wc -l >/root/n) & /bin/true; wait; done'
python3 "$here/../lib/bundle.py" "$w/neighbour" /bin/sh -c 'while [ ! -e /root/stop ]; do echo $((i += 1)) >/root/n; sleep 0.01; done; echo done'
exec python3 "$here/kills.py" "$w" "${KILLS:-12}"
