/*
 * oom_watch.c - see oom_watch.h.
 *
 * Version 1 tells through an eventfd, also when the group is removed; version 2 changes a file, memory.events, in which one counts.
 */
#include "runsc-cli/setup/oom_watch.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "runsc-cli/setup/cgroup_files.h"

static u64 kills_of(int file)
{
	char text[512];
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);
	const char *at;

	text[n > 0 ? n : 0] = 0;
	at = strstr(text, "oom_kill ");
	return at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0;
}

static int open_file(const char *dir, const char *name, struct oom_watch *w)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	w->file = open(path, O_RDONLY | O_CLOEXEC);
	if (w->file < 0)
		return -errno;
	w->fd = w->v2 ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0)
		return -errno;
	return w->v2 && inotify_add_watch(w->fd, path, IN_MODIFY) < 0 ? -errno : 0;
}

static int watch(const char *dir, struct oom_watch *w)
{
	char line[32];
	int r = open_file(dir, w->v2 ? "memory.events" : "memory.oom_control", w);

	if (r < 0)
		return r;
	if (w->v2) {
		w->kills = kills_of(w->file);
		return 0;
	}
	snprintf(line, sizeof(line), "%d %d", w->fd, w->file);
	return cg_write(dir, "cgroup.event_control", line);
}

void oom_watch_open(struct cli *cli, struct container *c, struct oom_watch *ret)
{
	int r = -ENOENT;

	*ret = (struct oom_watch){ .fd = -1, .file = -1 };
	for (u32 i = 0; i < c->ncgroups && r == -ENOENT; i++) {
		ret->v2 = cg_has(c->cgroups[i], "memory.events");
		if (ret->v2 || cg_has(c->cgroups[i], "memory.oom_control"))
			r = watch(c->cgroups[i], ret);
	}
	if (r < 0) {
		cli_note(cli, "events: nothing will be told of processes that a memory limit kills: %s", strerror(-r));
		oom_watch_close(ret);
	}
}

bool oom_watch_fired(struct oom_watch *w)
{
	u64 n, before = w->kills;
	char buf[4096] __attribute__((aligned(8)));

	while (read(w->fd, buf, w->v2 ? sizeof(buf) : sizeof(n)) > 0)
		;
	if (!w->v2)
		return pread(w->file, buf, sizeof(buf), 0) > 0;         /* ENODEV: it is removed */
	w->kills = kills_of(w->file);
	return w->kills > before;
}

void oom_watch_close(struct oom_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->file >= 0)
		close(w->file);
	w->fd = w->file = -1;
}
