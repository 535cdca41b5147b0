/*
 * hooks.c - see hooks.h.
 *
 * Hooks run in the namespaces of the caller (the runtime's): the container's own are a sandbox that no host
 * program could run in.  startContainer hooks are programs of the container, and run inside.
 */
#include "runsc-cli/setup/hooks.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/exec_send.h"
#include "runsc-cli/setup/sys.h"

static int state_memfd(const char *text)
{
	int fd = memfd_create("state", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		int e = -errno;

		close(fd);
		return e;
	}
	return fd;
}

static void run_child(const struct oci_hook *h, int state, const char *bundle)
{
	const char *self[] = { h->path, NULL };
	sigset_t mask;

	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	dup2(state, 0);
	if (fcntl(1, F_GETFD) < 0)
		dup2(2, 1);
	(void)!chdir(bundle);
	setup_close_range(3, ~0u);
	execve(h->path, (char **)(h->nargs ? h->args : self), h->env ? (char **)h->env : environ);
	_exit(127);
}

/* In runc's words. */
static int ended(struct cli *cli, const char *kind, u32 nr, const char *path, int status)
{
	char name[64];

	if (WIFEXITED(status))
		return err_set(&cli->err, -EIO, "error running %s hook #%u: %s: exit status %d", kind, nr, path, WEXITSTATUS(status));
	(void)str_copy(name, sizeof(name), strsignal(WTERMSIG(status)));
	name[0] = (char)tolower((unsigned char)name[0]);
	return err_set(&cli->err, -EIO, "error running %s hook #%u: %s: signal: %s (%d)", kind, nr, path, name, WTERMSIG(status));
}

static int run_hook(struct cli *cli, const struct oci_hook *h, u32 nr, int state, const char *bundle,
                    const char *kind)
{
	struct pollfd pf = { .events = POLLIN };
	int status = 0, r;
	pid_t pid;

	pid = setup_fork(0, &pf.fd);
	if (pid < 0)
		return err_sys(&cli->err, pid, "%s hook %s: cannot fork", kind, h->path);
	if (pid == 0)
		run_child(h, state, bundle);
	do {
		r = poll(&pf, 1, h->timeout ? (int)MIN(h->timeout, 86400u) * 1000 : -1);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		(void)setup_pidfd_signal(pf.fd, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(pf.fd);
	if (r == 0)
		return err_set(&cli->err, -ETIMEDOUT, "%s hook %s: not finished after %u seconds", kind, h->path, h->timeout);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(&cli->err, -ENOENT, "error running %s hook #%u: %s: cannot be run, or exited with 127", kind, nr,
		               h->path);
	return ended(cli, kind, nr, h->path, status);
}

int hooks_run(struct cli *cli, struct container *c, const struct oci_spec *s, enum oci_hook_kind kind,
              const char *status)
{
	const struct oci_hooks *hs = &s->hooks[kind];
	char *text;
	int r = 0;

	if (!hs->n)
		return 0;
	text = container_state_json(c, status, kind == HOOK_POSTSTOP ? 0 : c->sentry.pid);
	if (!text)
		return err_set(&cli->err, -ENOMEM, "no memory for the state that hooks read");
	for (u32 i = 0; i < hs->n && r == 0; i++) {
		int fd = state_memfd(text);

		if (fd < 0)
			r = err_sys(&cli->err, fd, "%s hooks: cannot make their input", oci_hook_names[kind]);
		else
			r = run_hook(cli, &hs->v[i], i, fd, c->bundle, oci_hook_names[kind]);
		if (fd >= 0)
			close(fd);
	}
	kfree(text);
	return r;
}

/* How it ended, or -ETIMEDOUT, or -EPIPE: the sandbox did. */
static int await_exit(int sock, u32 timeout, int *ret_status)
{
	struct pollfd pf = { .fd = sock, .events = POLLIN };
	struct ctl_exit e;
	struct ctl_hdr h;
	void *reply = NULL;
	int got[CTL_MAX_FDS], r;
	size_t ngot;

	do {
		r = poll(&pf, 1, timeout ? (int)MIN(timeout, 86400u) * 1000 : -1);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return -ETIMEDOUT;
	r = ctl_recv(sock, 0, &h, &reply, got, &ngot);
	if (r == 0 && h.len >= sizeof(e)) {
		memcpy(&e, reply, sizeof(e));
		*ret_status = e.wstatus;
	} else if (r == 0) {
		r = -EPROTO;
	}
	kfree(reply);
	return r;
}

static int run_inside(struct cli *cli, struct container *c, const struct oci_hook *h, u32 nr,
                      const struct oci_process *proc, int state)
{
	struct oci_process p = *proc;
	const char *self[] = { h->path, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[3] = { state, null, fcntl(2, F_GETFD) < 0 ? null : 2 }, status = 0, r;
	int sock = container_connect(c);

	p.terminal = false;
	p.sched = (struct oci_sched){ 0 };
	p.args = h->nargs ? h->args : self;
	p.nargs = h->nargs ? h->nargs : 1;
	p.program = h->path;
	if (h->nenv) {
		p.env = h->env;
		p.nenv = h->nenv;
	}
	r = sock < 0 ? err_sys(&cli->err, sock, "container \"%s\" does not answer", c->id)
	             : exec_send(cli, sock, CTL_HOOK, &p, fds, 3, 0);
	if (r >= 0) {
		r = await_exit(sock, h->timeout, &status);
		if (r < 0)
			r = err_sys(&cli->err, r, "startContainer hook %s", h->path);
		else if (status)
			r = ended(cli, oci_hook_names[HOOK_START_CONTAINER], nr, h->path, status);
	}
	if (sock >= 0)
		close(sock);
	if (null >= 0)
		close(null);
	return r;
}

int hooks_run_inside(struct cli *cli, struct container *c, const struct oci_spec *s)
{
	const struct oci_hooks *hs = &s->hooks[HOOK_START_CONTAINER];
	char *text;
	int r = 0;

	if (!hs->n)
		return 0;
	text = container_state_json(c, "created", c->sentry.pid);
	if (!text)
		return err_set(&cli->err, -ENOMEM, "no memory for the state that hooks read");
	for (u32 i = 0; i < hs->n && r == 0; i++) {
		int fd = state_memfd(text);

		r = fd < 0 ? err_sys(&cli->err, fd, "startContainer hooks: cannot make their input")
		           : run_inside(cli, c, &hs->v[i], i, &s->process, fd);
		if (fd >= 0)
			close(fd);
	}
	kfree(text);
	return r;
}
