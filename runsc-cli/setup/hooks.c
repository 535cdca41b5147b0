/*
 * hooks.c - see hooks.h.
 *
 * All hooks run in the namespaces of the caller (the runtime's): the container's
 * own are a sandbox that no host program could run in.  startContainer hooks, which
 * would have to run inside, are refused by launch.c.
 */
#include "runsc-cli/setup/hooks.h"
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
	const char *none[] = { NULL }, *self[] = { h->path, NULL };
	sigset_t mask;

	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	dup2(state, 0);
	if (fcntl(1, F_GETFD) < 0)
		dup2(2, 1);
	(void)!chdir(bundle);
	setup_close_range(3, ~0u);
	execve(h->path, (char **)(h->nargs ? h->args : self), (char **)(h->nenv ? h->env : none));
	_exit(127);
}

static int run_hook(struct cli *cli, const struct oci_hook *h, int state, const char *bundle, const char *kind)
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
		return err_set(&cli->err, -ENOENT, "%s hook %s: cannot be run, or exited with 127", kind, h->path);
	return err_set(&cli->err, -EIO, "error running hook: %s hook %s: %s %d", kind, h->path,
	               WIFEXITED(status) ? "exit status" : "killed by signal",
	               WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
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
			r = run_hook(cli, &hs->v[i], fd, c->bundle, oci_hook_names[kind]);
		if (fd >= 0)
			close(fd);
	}
	kfree(text);
	return r;
}
