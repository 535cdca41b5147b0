#!/bin/bash
# hostevents.sh CSANDBOX: inotify inside a sandbox sees what the host changes in a tree that is written through, and what the
# guest changes itself once only.  Oracle: the same watcher run natively.  Root needed.
here=$(dirname "$(realpath "$0")")
bin=$(realpath "$1")
passed=0 failed=0
finish() { echo "hostevents: $passed passed, $failed failed, ${skipped:-0} skipped"; [ "$failed" = 0 ]; exit; }
[ "$(id -u)" = 0 ] || { skipped=1; echo "skip hostevents: needs root"; finish; }
w=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'timeout 20 "$bin" --root "$w/state" delete --force w 2>/dev/null; rm -rf "$w"' EXIT
chmod 755 "$w"
cat >"$w/watcher.c" <<'C'
/* watcher MODE DIR: print the events in DIR, of DIR/known and of DIR/sub, until a file "end" appears in DIR.  MODE "own": make changes, too. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#define ASKED (IN_ALL_EVENTS & ~(IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE))
static void put(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | flags, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	usleep(30000);
	close(fd);
	usleep(30000);
}
#define STEP(call) do { if (call) perror(#call); usleep(60000); } while (0)
static void own(void)
{
	put("new", "1", O_CREAT);
	put("new", "2", O_APPEND);
	put("known", "longer text", O_TRUNC);
	STEP(chmod("known", 0600));
	STEP(chown("known", 1, 1));
	STEP(truncate("known", 3));
	STEP(utimensat(AT_FDCWD, "known", NULL, 0));
	STEP(setxattr("known", "user.a", "b", 1, 0));
	STEP(link("known", "another"));
	STEP(rename("new", "newer"));
	STEP(rename("newer", "another"));
	STEP(mkdir("dir", 0755));
	STEP(rename("another", "dir/another"));
	STEP(symlink("x", "dir/link"));
	STEP(rename("dir/link", "link"));
	STEP(unlink("dir/another"));
	STEP(rmdir("dir"));
	STEP(unlink("link"));
	put("sub/f", "x", O_CREAT);
	STEP(unlink("sub/f"));
	STEP(chmod("sub", 0700));
	STEP(rmdir("sub"));
	STEP(unlink("known"));
	put("end", "", O_CREAT);
}
int main(int argc, char **argv)
{
	static const char *const names[] = { "access", "modify", "attrib", "close_write", "close_nowrite", "open", "moved_from",
		"moved_to", "create", "delete", "delete_self", "move_self", "", "unmount", "overflow", "ignored" };
	_Alignas(8) char buf[8192];
	int fd = inotify_init();

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3 || chdir(argv[2]) || inotify_add_watch(fd, ".", ASKED) != 1 ||
	    inotify_add_watch(fd, "known", ASKED) != 2 || inotify_add_watch(fd, "sub", ASKED) != 3)
		return 1;
	puts("ready");
	if (!strcmp(argv[1], "own") && !fork()) {
		own();
		return 0;
	}
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		for (ssize_t at = 0; at < n;) {
			struct inotify_event *e = (void *)(buf + at);

			if (e->len && !strcmp(e->name, "end"))
				return 0;
			printf("%d", e->wd);
			for (int i = 0; i < 16; i++)
				if (e->mask & 1u << i)
					printf(" %s", names[i]);
			printf("%s%s %s\n", e->mask & IN_ISDIR ? " dir" : "", e->cookie ? " cookie" : "", e->len ? e->name : "");
			at += sizeof(*e) + e->len;
		}
	}
}
C
${CC:-cc} -O1 -static -o "$w/watcher" "$w/watcher.c" || { failed=1; finish; }
mkdir "$w/b"
"$here/../lib/busybox_root.sh" "$w/b/rootfs"
cp "$w/watcher" "$w/b/rootfs/bin/watcher"

reset() { rm -rf "${1:?}"; mkdir -p "$1/sub"; echo text >"$1/known"; sleep 0.1; }
await() { for _ in $(seq 100); do [ -s "$1" ] && return; sleep 0.05; done; }

native() { reset "$w/n"; timeout 20 "$w/watcher" "$1" "$w/n" >"$w/native.$2" & local p=$!; await "$w/native.$2"; $3 "$w/n"; wait $p; }
inside() {      # mode name changes directory-on-the-host directory-in-the-sandbox
	reset "$4"
	BUNDLE_TMPFS=0 python3 "$here/../lib/bundle.py" "$w/b" /bin/watcher "$1" "$5"
	timeout -k 1 20 "$bin" --root "$w/state" --network=none run -b "$w/b" w >"$w/inside.$2" 2>&1 </dev/null & local p=$!
	await "$w/inside.$2"
	$3 "$4"
	wait $p
}
same() {
	# Not the order in which a directory and what was removed from it are told: kernels differ.
	if diff -y -W 70 <(sort "$w/native.$2") <(sort "$w/inside.$2") >"$w/diff"; then passed=$((passed + 1)); else
		failed=$((failed + 1)); echo "FAIL $1 (< natively, > inside):"; head -60 "$w/diff"; fi
}
# Each change is far enough from the next one that neither is merged.
step() { "$@"; sleep 0.06; }
write() { { sleep 0.03; echo more; sleep 0.03; } >>"$1"; sleep 0.03; }
changes() (
	cd "$1" || exit
	step write known
	step write new
	step chmod 600 known
	step touch known
	step mkdir dir
	step write dir/f
	step mv new newer
	step mv newer dir/x
	step mv dir/x back
	step mv back known2
	step ln known2 hard
	step rm hard
	step write sub/f
	step mv sub/f f
	step rm f
	step rm dir/f
	step rmdir dir
	step mv known moved
	step rm moved
	step rmdir sub
	: >end
)
nothing() { :; }

native own own nothing
native host host changes
own_dir=$w/b/rootfs/work
inside own own nothing "$own_dir" /work
same "the guest's own changes are told once" own
inside host host changes "$own_dir" /work
same "what the host changes in the root is told" host
finish
