/*
 * launch.c - see launch.h: create a sandbox step by step; undo everything if a step fails.
 */
#include "runsc-cli/setup/launch.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "gofer/gofer.h"
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/boot_spec.h"
#include "runsc-cli/setup/cgroup.h"
#include "runsc-cli/setup/console.h"
#include "runsc-cli/setup/hooks.h"
#include "runsc-cli/setup/member.h"
#include "runsc-cli/setup/netjoin.h"
#include "runsc-cli/setup/oom_adj.h"
#include "runsc-cli/setup/preserve.h"
#include "runsc-cli/setup/procs.h"
#include "runsc-cli/setup/sys.h"

struct making {
	struct cli *cli;
	const struct launch_opts *o;
	struct launched *l;
	struct roots *roots;
	struct boot_config boot;
	struct ctl_process proc;
	int sync;                               /* our end */
	int socks[1 + GOFER_CTL][2];
	int null_fd, slave;
	int extra[CTL_EXTRA_FDS];
	s32 oom_adj;
	struct container first;                 /* member: whose sandbox it is made in */
	bool member;
};

static void close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int open_ctl(struct making *m)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0)
		return err_sys(&m->cli->err, -errno, "cannot make the control socket");
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/ctl.sock", m->l->c.dirfd);
	/* Nobody can connect before it listens. */
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || fchmodat(m->l->c.dirfd, "ctl.sock", 0600, 0) < 0 ||
	    listen(s, 64) < 0) {
		int e = -errno;

		close(s);
		return err_sys(&m->cli->err, e, "cannot bind the control socket (is /proc mounted?)");
	}
	m->boot.ctl_fd = s;
	return 0;
}

static int open_stdio(struct making *m)
{
	const struct oci_process *p = &m->l->spec.process;
	int master = -1, r;

	m->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (m->null_fd < 0)
		return err_sys(&m->cli->err, -errno, "cannot open /dev/null");
	if (!p->terminal) {
		if (m->o->console_socket)
			return err_set(&m->cli->err, -EINVAL, "--console-socket is given but process.terminal is false");
		for (int i = 0; i < 3; i++)
			m->boot.stdio[i] = fcntl(i, F_GETFD) < 0 ? m->null_fd : i;
		return 0;
	}
	if (!m->o->console_socket && !m->o->keep_master)
		return err_set(&m->cli->err, -EINVAL, "process.terminal is true: cannot allocate tty if the runtime "
		               "will detach without setting console socket; give --console-socket");
	r = console_open(m->cli, (u16)p->console_height, (u16)p->console_width, &master, &m->slave);
	if (r < 0)
		return r;
	m->boot.tty_fd = m->slave;
	if (!m->o->console_socket)
		console_foreground(m->slave);
	if (m->o->console_socket) {
		r = console_send(m->cli, m->o->console_socket, master);
		close(master);
	} else {
		m->l->master = master;
	}
	return r;
}

/* The sentry's own 0, 1 and 2 are nothing: what the guest has came by number. */
static int detach_stdio(struct making *m)
{
	for (int i = 0; i < 3; i++) {
		if (m->boot.stdio[i] < 0 || m->boot.stdio[i] == m->null_fd)
			continue;
		m->boot.stdio[i] = fcntl(m->boot.stdio[i], F_DUPFD_CLOEXEC, 10);
		if (m->boot.stdio[i] < 0)
			return err_sys(&m->cli->err, -errno, "cannot copy descriptor %d", i);
	}
	return 0;
}

/* Sockets of systemd first, then what --preserve-fds names: 3, 4, ... in any case. */
static int open_extra(struct making *m)
{
	struct oci_process *p = &m->l->spec.process;
	u32 n = listen_fds(), all = n;
	const char **env;
	char text[32];
	int r;

	if (add_overflows(n, m->o->preserve_fds, &all))
		all = UINT32_MAX;
	r = preserved_fds(m->cli, all, m->extra);
	if (r < 0)
		return r;
	for (u32 i = 0; i < all; i++) {
		m->extra[i] = fcntl(m->extra[i], F_DUPFD_CLOEXEC, 10);
		if (m->extra[i] < 0)
			return err_sys(&m->cli->err, -errno, "cannot copy descriptor %u", 3 + i);
		m->proc.nextra++;
	}
	m->boot.extra = m->extra;
	if (!n)
		return 0;
	env = pool_alloc(&m->l->spec.pool, (size_t)p->nenv + 3, sizeof(*env));
	if (!env)
		return err_set(&m->cli->err, -ENOMEM, "no memory");
	memcpy(env, p->env, p->nenv * sizeof(*env));
	snprintf(text, sizeof(text), "LISTEN_FDS=%u", n);
	env[p->nenv] = pool_strdup(&m->l->spec.pool, text);
	env[p->nenv + 1] = "LISTEN_PID=1";
	m->proc.envp = (char **)env;
	m->proc.envc = p->nenv + 2;
	return env[p->nenv] ? 0 : err_set(&m->cli->err, -ENOMEM, "no memory");
}

static void stamp(struct container *c)
{
	char text[64];
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%09ldZ", ts.tv_nsec);
	c->created = pool_strdup(&c->pool, text);
}

static int find_sandbox(struct making *m, const struct oci_spec *s)
{
	struct container *c = &m->l->c;
	int r = member_of(m->cli, s, &m->first);

	if (r <= 0)
		return r;
	m->member = true;
	c->sandbox = pool_strdup(&c->pool, m->first.id);
	c->host = m->first.sentry;
	c->netns = m->first.netns;
	cli_note(m->cli, "container \"%s\" is made in the sandbox of \"%s\"", c->id, m->first.id);
	return c->sandbox ? 0 : err_set(&m->cli->err, -ENOMEM, "no memory");
}

static int load_bundle(struct making *m)
{
	struct container *c = &m->l->c;
	struct oci_spec *s = &m->l->spec;
	char bundle[PATH_MAX], file[PATH_MAX + 16];
	int r;

	if (!realpath(m->o->bundle, bundle))
		return err_sys(&m->cli->err, -errno, "--bundle: cannot find %s", m->o->bundle);
	snprintf(file, sizeof(file), "%s/config.json", bundle);
	r = spec_load(s, file, &m->cli->err);
	if (r == 0)
		r = spec_validate(s, bundle, &m->cli->err);
	if (r == 0)
		r = find_sandbox(m, s);
	if (r == 0 && !m->member)
		r = net_check(m->cli, s);
	if (r == 0)
		r = ids_resolve(m->cli, s, &m->roots->ids);
	if (r == 0)
		r = roots_resolve(m->cli, s, bundle, m->roots);
	if (r == 0 && s->root_readonly && !cli_overlay(m->cli))
		mountpoints_make(s, m->roots);
	if (r == 0)
		r = container_keep_spec(m->cli, c, file);
	if (r < 0)
		return r;
	for (u32 i = 0; i < s->nignored; i++)
		cli_note(m->cli, "%s: linux.%s is accepted without effect", file, s->ignored[i]);
	c->bundle = pool_strdup(&c->pool, bundle);
	c->rootfs = pool_strdup(&c->pool, m->roots->v[0].path);
	c->owner = geteuid() ? "" : "root";
	c->annotations = s->annotations;
	c->nannotations = s->nannotations;
	stamp(c);
	if (!c->bundle || !c->rootfs || !c->created)
		return err_set(&m->cli->err, -ENOMEM, "no memory");
	return 0;
}

static int open_sockets(struct making *m)
{
	int pair[2], r;

	r = gofer_sockets(m->socks, ARRAY_SIZE(m->socks));
	if (r < 0)
		return err_sys(&m->cli->err, r, "cannot make the gofer's sockets");
	m->boot.gofer_inval = m->socks[0][0];
	for (int i = 0; i < BOOT_GOFER_CTL; i++)
		m->boot.gofer_ctl[i] = m->socks[1 + i][0];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(&m->cli->err, -errno, "cannot make a socket pair");
	m->sync = pair[0];
	m->boot.sync_fd = pair[1];
	return 0;
}

static void tell(struct making *m, char what)
{
	(void)!send(m->sync, &what, 1, MSG_NOSIGNAL);
}

static int spawn(struct making *m)
{
	struct container *c = &m->l->c;
	int r, netns;
	pid_t pid;

	m->oom_adj = oom_adj_take(m->cli, &m->l->spec);
	pid = spawn_gofer(m->cli, m->roots, m->socks, ARRAY_SIZE(m->socks), m->boot.log_fd);
	if (pid < 0)
		return pid;
	(void)!proc_id_of(pid, &c->gofer);
	if (m->roots->ids.ns_fd >= 0 && !m->member)
		ids_shown(pid, &m->boot);
	/* What the sentry must not have it closes itself; what only we have must not keep its peers alive. */
	for (size_t i = 0; i < ARRAY_SIZE(m->socks); i++)
		close_p(&m->socks[i][1]);
	close_p(&m->roots->lock_fd);
	if (m->member) {
		pid = spawn_keeper(m->cli, c, &m->first, &m->boot, m->sync, &m->l->sentry_pidfd);
	} else {
		(void)oom_adj_set(0, oom_adj_stub(&m->l->spec.res, m->oom_adj));        /* its stubs keep that */
		netns = net_named(&m->l->spec);
		pid = spawn_sentry(m->cli, &m->boot, netns, &m->l->sentry_pidfd);
		close_p(&netns);
		(void)oom_adj_set(0, m->oom_adj);
	}
	if (pid < 0)
		return pid;
	(void)!proc_id_of(pid, &c->sentry);
	close_p(&m->boot.sync_fd);
	if (!m->member) {
		r = map_sentry_ids(m->cli, pid);
		if (r < 0)
			return r;
		tell(m, BOOT_SYNC_MAPPED);
	}
	r = cgroup_create(m->cli, c, &m->l->spec, c->gofer.pid);
	if (r == 0)
		r = cgroup_join(m->cli, c, c->gofer.pid);
	if (r == 0)
		r = cgroup_join(m->cli, c, pid);
	return r < 0 ? r : container_save(m->cli, c);
}

/* The sentry says @what next, or why it cannot. */
static int await(struct making *m, char what)
{
	char text[1024];
	ssize_t n;
	int status;

	do {
		n = recv(m->sync, text, sizeof(text) - 1, 0);
	} while (n < 0 && errno == EINTR);
	text[MAX(n, 0)] = 0;
	if (n > 0 && text[0] == what)
		return 0;
	if (n > 0 && text[0] == BOOT_SYNC_ERROR)
		return err_set(&m->cli->err, -EIO, "%s", text + 1);
	if (waitpid(m->l->c.sentry.pid, &status, 0) < 0)
		status = 0;
	m->l->c.sentry.pid = 0;
	if (WIFSIGNALED(status))
		return err_set(&m->cli->err, -EIO, "the sandbox's kernel was killed by signal %d (%s) while it started; "
		               "--debug --log FILE tells more", WTERMSIG(status), strsignal(WTERMSIG(status)));
	return err_set(&m->cli->err, -EIO, "the sandbox's kernel ended with status %d while it started; "
	               "--debug --log FILE tells more", WEXITSTATUS(status));
}

static int run_hooks(struct making *m)
{
	struct launched *l = m->l;
	int r = hooks_run(m->cli, &l->c, &l->spec, HOOK_PRESTART, "creating");

	if (r == 0)
		r = hooks_run(m->cli, &l->c, &l->spec, HOOK_CREATE_RUNTIME, "creating");
	if (r == 0)
		r = hooks_run(m->cli, &l->c, &l->spec, HOOK_CREATE_CONTAINER, "creating");
	return r;
}

static int make(struct making *m)
{
	struct launched *l = m->l;
	int r = load_bundle(m);

	if (r == 0)
		r = spec_to_boot(m->cli, &l->spec, m->roots, &m->proc, &m->boot);
	if (r == 0) {
		m->boot.id = l->c.id;
		m->boot.own_ns = m->member ? member_own_ns(&l->spec) : 0;
		/* Not the stderr of one who leaves: its reader would wait for our end of it, after the guest's. */
		if (m->cli->log || m->cli->debug || m->cli->strace || (!l->spec.process.terminal && !m->o->detach))
			m->boot.log_fd = m->cli->log_fd;
		r = open_ctl(m);
	}
	if (r == 0)
		r = open_stdio(m);
	if (r == 0)
		r = detach_stdio(m);
	if (r == 0)
		r = open_extra(m);
	if (r == 0)
		r = open_sockets(m);
	if (r == 0)
		r = cgroup_name(m->cli, &l->c, &l->spec);
	if (r == 0)
		r = container_save(m->cli, &l->c);      /* from here on `delete --force` finds all */
	if (r == 0)
		r = spawn(m);
	if (r == 0)
		r = await(m, BOOT_SYNC_JAILED);
	if (r == 0)
		r = run_hooks(m);       /* the namespaces are there, nothing has looked at them yet */
	if (r == 0) {
		tell(m, BOOT_SYNC_GO);
		r = await(m, BOOT_SYNC_READY);
		(void)oom_adj_set(l->c.sentry.pid, m->oom_adj);         /* its zygotes are there */
	}
	if (r == 0 && m->o->pidfd_socket)
		r = console_send_pidfd(m->cli, m->o->pidfd_socket, l->sentry_pidfd);
	if (r == 0 && m->o->pid_file)
		r = write_pid_file(m->cli, m->o->pid_file, l->c.sentry.pid);
	if (r == 0)
		tell(m, BOOT_SYNC_COMMIT);
	return r;
}

static void close_making(struct making *m)
{
	for (int i = 0; i < 3; i++)
		if (m->boot.stdio[i] > 2 && m->boot.stdio[i] != m->null_fd)
			close_p(&m->boot.stdio[i]);
	for (u32 i = 0; i < m->proc.nextra; i++)
		close_p(&m->extra[i]);
	for (size_t i = 0; i < ARRAY_SIZE(m->socks); i++) {
		close_p(&m->socks[i][0]);
		close_p(&m->socks[i][1]);
	}
	close_p(&m->boot.sync_fd);
	close_p(&m->boot.ctl_fd);
	close_p(&m->sync);
	close_p(&m->null_fd);
	close_p(&m->slave);
	if (m->member)
		container_close(&m->first);
	if (m->roots)
		roots_done(m->roots);
	kfree(m->roots);
}

int launch_create(struct cli *cli, const char *id, const struct launch_opts *o, struct launched *l)
{
	struct making m = {
		.cli = cli, .o = o, .l = l, .sync = -1, .null_fd = -1, .slave = -1,
		.boot = { .sync_fd = -1, .ctl_fd = -1, .stdio = { -1, -1, -1 } },
	};
	int r;

	memset(m.socks, 0xff, sizeof(m.socks));
	memset(l, 0, sizeof(*l));
	l->master = l->sentry_pidfd = -1;
	m.roots = kbuf_alloc(sizeof(*m.roots));
	if (!m.roots)
		return err_set(&cli->err, -ENOMEM, "no memory");
	m.roots->upper = m.roots->lock_fd = m.roots->ids.ns_fd = -1;
	r = container_new(cli, id, &l->c);
	if (r == 0) {
		r = make(&m);
		if (r < 0) {
			struct cli quiet = *cli;        /* the first error is the one to tell */

			(void)!launch_delete(&quiet, &l->c, true);
		}
	}
	close_making(&m);
	return r;
}

int launch_start(struct cli *cli, struct container *c, const struct oci_spec *s)
{
	char text[512] = "";
	struct ctl_hdr h;
	int sock = container_connect(c), fds[CTL_MAX_FDS], r;
	void *payload = NULL;
	size_t nfds;

	if (sock < 0)
		return err_sys(&cli->err, sock, "container \"%s\" does not answer; is it stopped?", c->id);
	if (strcmp(cli->network, "none") != 0 && !*c->sandbox) {
		r = net_join(cli, c, s, sock);
		if (r < 0) {
			close(sock);
			return r;
		}
	}
	r = hooks_run_inside(cli, c, s);
	if (r < 0) {
		close(sock);
		(void)proc_kill(&c->sentry, SIGKILL);
		return r;
	}
	r = ctl_send(sock, CTL_START, 0, NULL, 0, NULL, 0);
	if (r == 0)
		r = ctl_recv(sock, 0, &h, &payload, fds, &nfds);
	close(sock);
	if (r < 0)
		return err_sys(&cli->err, r, "container \"%s\" died when it was started", c->id);
	(void)str_copy(text, sizeof(text), payload);
	kfree(payload);
	if (h.result < 0)
		return err_set(&cli->err, h.result, "%s", *text ? text : strerror(-h.result));
	r = hooks_run(cli, c, s, HOOK_POSTSTART, "running");
	if (r < 0) {    /* as runc, and the specification since 1.3: on to what `delete` does */
		struct cli quiet = *cli;

		(void)!launch_delete(&quiet, c, true);
	}
	return r;
}

static void end_proc(const struct proc_id *p)
{
	int status;

	(void)proc_kill(p, SIGKILL);
	(void)!proc_wait_gone(p, 10000);
	(void)waitpid(p->pid, &status, WNOHANG);        /* when it is our child */
}

int launch_delete(struct cli *cli, struct container *c, bool force)
{
	struct cli quiet = *cli;
	struct oci_spec s;
	int r = 0;

	if (c->sentry.pid && proc_alive(&c->sentry)) {
		if (!force)
			return err_set(&cli->err, -EBUSY, "cannot delete container %s that is not stopped: %s", c->id,
			               status_name(container_status(c)));
		cgroup_thaw(c);
		end_proc(&c->sentry);
	}
	/* The gofer ends with its sockets; this only shortens it. */
	if (c->gofer.pid)
		end_proc(&c->gofer);
	cgroup_remove(cli, c);
	quiet.err.code = 0;
	if (c->sentry.pid && container_spec(&quiet, c, &s) == 0) {
		r = hooks_run(&quiet, c, &s, HOOK_POSTSTOP, "stopped");
		if (r < 0)
			cli_note(cli, "%s", quiet.err.msg);
		spec_done(&s);
	}
	container_remove_dir(c);
	c->sentry.pid = c->gofer.pid = 0;       /* nothing is left for who asks again */
	return 0;
}

void launched_done(struct launched *l)
{
	close_p(&l->master);
	close_p(&l->sentry_pidfd);
	container_close(&l->c);
	spec_done(&l->spec);
}

int write_pid_file(struct cli *cli, const char *file, pid_t pid)
{
	char tmp[PATH_MAX], text[16];
	int fd, n, r = 0;

	/* Readers wait for the file: it must appear whole. */
	if (snprintf(tmp, sizeof(tmp), "%s.%d.tmp", file, getpid()) >= (int)sizeof(tmp))
		return err_set(&cli->err, -ENAMETOOLONG, "--pid-file: the path is too long");
	/* And be ours: in a directory that others may write to, somebody may have guessed the other name. */
	(void)unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(&cli->err, -errno, "--pid-file: cannot write %s", tmp);
	n = snprintf(text, sizeof(text), "%d", pid);
	if (write(fd, text, (size_t)n) != n || rename(tmp, file) < 0) {
		r = err_sys(&cli->err, -errno, "--pid-file: cannot write %s", file);
		(void)unlink(tmp);
	}
	close(fd);
	return r;
}
