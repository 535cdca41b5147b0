/*
 * container.c - the state directory of one container: made, opened, locked, removed.
 */
#include "runsc-cli/container.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/state_file.h"

#define ANSWER_SECONDS 30               /* a sandbox that takes longer is taken for hung */

int container_check_id(struct cli *cli, const char *id)
{
	size_t n = strlen(id);

	if (n == 0)
		return cli_usage(cli, "container id cannot be empty");
	if (n > 255 || strcmp(id, ".") == 0 || strcmp(id, "..") == 0 ||
	    strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.") != n)
		return cli_usage(cli, "invalid container ID format: \"%.64s\"; use letters, digits, _ + - . (at most 255)", id);
	return 0;
}

static int make_root(struct cli *cli)
{
	char path[PATH_MAX], *p;

	if (snprintf(path, sizeof(path), "%s", cli->root) >= (int)sizeof(path))
		return err_set(&cli->err, -ENAMETOOLONG, "--root: the path is too long");
	for (p = path + 1; ; p++) {
		if (*p != '/' && *p)
			continue;
		char c = *p;

		*p = 0;
		if (mkdir(path, 0711) < 0 && errno != EEXIST)
			return err_sys(&cli->err, -errno, "cannot make %s (choose another --root?)", path);
		if (!c)
			return 0;
		*p = c;
	}
}

static void init(struct container *c, struct cli *cli, const char *id)
{
	memset(c, 0, sizeof(*c));
	pool_init(&c->pool);
	c->id = id;
	c->root = cli->root;
	c->dirfd = c->lockfd = -1;
	c->bundle = c->rootfs = c->created = c->owner = c->sandbox = c->scope = "";
}

static int take_lock(struct cli *cli, struct container *c)
{
	c->lockfd = openat(c->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->lockfd < 0)
		return err_sys(&cli->err, -errno, "%s/%s/lock: cannot open", c->root, c->id);
	while (flock(c->lockfd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(&cli->err, -errno, "%s/%s/lock: cannot lock", c->root, c->id);
	return 0;
}

int container_new(struct cli *cli, const char *id, struct container *c)
{
	char path[PATH_MAX];
	int r = container_check_id(cli, id);

	if (r < 0)
		return r;
	init(c, cli, id);
	r = make_root(cli);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s", cli->root, id);
	if (mkdir(path, 0711) < 0)
		return errno == EEXIST
		       ? err_set(&cli->err, -EEXIST, "container with given ID already exists: %s", id)
		       : err_sys(&cli->err, -errno, "cannot make %s", path);
	c->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = c->dirfd < 0 ? err_sys(&cli->err, -errno, "cannot open %s", path) : take_lock(cli, c);
	if (r < 0)
		container_remove_dir(c);
	return r;
}

int container_open(struct cli *cli, const char *id, bool lock, struct container *c)
{
	char path[PATH_MAX];
	struct stat st;
	int r = container_check_id(cli, id);

	if (r < 0)
		return r;
	init(c, cli, id);
	snprintf(path, sizeof(path), "%s/%s", cli->root, id);
	c->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dirfd < 0)
		return errno == ENOENT ? err_set(&cli->err, -ENOENT, "container \"%s\" does not exist", id)
		                       : err_sys(&cli->err, -errno, "cannot open %s", path);
	r = lock ? take_lock(cli, c) : 0;
	if (r == 0 && (fstat(c->dirfd, &st) < 0 || st.st_nlink == 0))
		r = err_set(&cli->err, -ENOENT, "container \"%s\" does not exist", id);  /* deleted while we waited */
	if (r == 0)
		r = state_load(c, &cli->err);
	if (r < 0)
		container_close(c);
	return r;
}

int container_save(struct cli *cli, struct container *c)
{
	return state_save(c, &cli->err);
}

static int copy_file(int from, int to)
{
	char buf[16384];
	ssize_t n, put;

	while ((n = read(from, buf, sizeof(buf))) > 0) {
		put = write(to, buf, (size_t)n);
		if (put != n)
			return put < 0 ? -errno : -ENOSPC;
	}
	return n < 0 ? -errno : 0;
}

int container_keep_spec(struct cli *cli, struct container *c, const char *file)
{
	int from = open(file, O_RDONLY | O_CLOEXEC), to, r;

	if (from < 0)
		return err_sys(&cli->err, -errno, "cannot open %s", file);
	to = openat(c->dirfd, "config.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	r = to < 0 ? -errno : copy_file(from, to);
	close(from);
	if (to >= 0)
		close(to);
	return r < 0 ? err_sys(&cli->err, r, "cannot keep %s in %s/%s", file, c->root, c->id) : 0;
}

int container_spec(struct cli *cli, struct container *c, struct oci_spec *ret)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/config.json", c->root, c->id);
	return spec_load(ret, path, &cli->err);
}

void container_remove_dir(struct container *c)
{
	static const char *const files[] = { "state.json", "state.json.new", "config.json", "ctl.sock", "lock" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(files) && c->dirfd >= 0; i++)
		(void)unlinkat(c->dirfd, files[i], 0);
	snprintf(path, sizeof(path), "%s/%s", c->root, c->id);
	(void)rmdir(path);
	container_close(c);
}

void container_close(struct container *c)
{
	if (c->dirfd >= 0)
		close(c->dirfd);
	if (c->lockfd >= 0)
		close(c->lockfd);
	c->dirfd = c->lockfd = -1;
	pool_done(&c->pool);
}

const char *status_name(enum status s)
{
	static const char *const names[] = {
		[ST_CREATING] = "creating", [ST_CREATED] = "created", [ST_RUNNING] = "running",
		[ST_PAUSED] = "paused", [ST_STOPPED] = "stopped",
	};

	return names[s];
}

const struct proc_id *container_host(const struct container *c)
{
	return *c->sandbox ? &c->host : &c->sentry;
}

enum status container_status(struct container *c)
{
	struct ctl_state st;
	int r;

	if (c->sentry.pid == 0)
		return ST_CREATING;
	if (!proc_alive(&c->sentry))
		return ST_STOPPED;
	if (proc_state(container_host(c)) == 'T')
		return ST_PAUSED;
	r = container_call(c, CTL_STATE, NULL, 0, &st, sizeof(st));
	if (r < 0)
		return proc_alive(&c->sentry) && r != -ECONNREFUSED ? ST_RUNNING : ST_STOPPED;
	return st.started ? ST_RUNNING : ST_CREATED;
}

int container_connect(struct container *c)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), one = (int)CTL_MAX, r;
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };

	if (s < 0)
		return -errno;
	/* Through the descriptor: the full name may not fit into sun_path. */
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/ctl.sock", c->dirfd);
	if (setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &one, sizeof(one)) < 0)
		(void)!setsockopt(s, SOL_SOCKET, SO_SNDBUF, &one, sizeof(one));
	/* One that accepts nothing any more has a queue that is full some time. */
	(void)!setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0) {
		r = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(s);
		return r;
	}
	(void)!setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){ 0 }, sizeof(limit));
	return s;
}

int container_call(struct container *c, u32 op, const void *req, size_t n, void *ret, size_t ret_n)
{
	int s = container_connect(c), fds[CTL_MAX_FDS], r;
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	struct ctl_hdr h;
	void *payload;
	size_t nfds;

	if (s < 0)
		return s;
	(void)!setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	r = ctl_send(s, op, 0, req, n, NULL, 0);
	if (r == 0)
		r = ctl_recv(s, 0, &h, &payload, fds, &nfds);
	close(s);
	if (r < 0)
		return r == -EAGAIN ? -ETIMEDOUT : r;
	if (h.result >= 0 && ret)
		memcpy(ret, payload, MIN(ret_n, (size_t)h.len));
	if (h.op != op || (h.result >= 0 && h.len < ret_n))
		h.result = -EPROTO;
	kfree(payload);
	return h.result;
}
