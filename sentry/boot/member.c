/*
 * member.c - a further container in a sandbox that runs already.
 *
 * Containers of a pod, and those that share another's network, are processes of one kernel: they have files (and a gofer), mounts,
 * and those namespaces that they do not share, of their own.  A host process, the member's keeper, holds
 * the connection that made it and exits with the status of its first process; when it is killed,
 * the member's processes are.  The sandbox ends with its first container, and members with it.
 *
 * Everything here is the main thread's.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "platform/base/alloc.h"
#include "sentry/boot/boot_int.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/gofer/gofer.h"
#include "sentry/kernel/ns.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/sysinfo.h"

#define OWN_NS (CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

struct member {
	struct boot b;
	struct boot_config cfg;
	struct ctl_process process;
	void *mem, *process_mem;
	int listen_fd;
	int extra[CTL_EXTRA_FDS];
};

int member_listen_fd(const struct boot *b)
{
	return b->member->listen_fd;
}

struct each { u32 number; void (*fn)(void *arg, struct tgroup *tg); void *arg; };

static int if_ours(void *arg, struct tgroup *tg)
{
	const struct each *e = arg;

	if (tg->container == e->number)
		e->fn(e->arg, tg);
	return 0;
}

void boot_for_each_process(struct boot *b, void (*fn)(void *arg, struct tgroup *tg), void *arg)
{
	struct each e = { b->number, fn, arg };

	(void)tgroup_for_each(b->kernel, if_ours, &e);
}

static void kill_one(void *arg, struct tgroup *tg)
{
	(void)arg;
	(void)signal_send_tgroup(tg, SIGKILL, NULL);
}

static void close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void member_free(struct boot *b)
{
	struct member *m = b->member;

	boot_for_each_process(b, kill_one, NULL);
	close_p(&m->listen_fd);
	if (!b->fds_taken) {
		for (int i = 0; i < 3; i++)
			close_p(&m->cfg.stdio[i]);
		close_p(&m->cfg.tty_fd);
		for (u32 i = 0; i < m->process.nextra; i++)
			close_p(&m->extra[i]);
	}
	file_unref(b->tty);
	seccomp_unref(b->seccomp);
	if (b->hands)
		task_free_kernel(b->hands);
	if (b->fs)
		fs_unref(b->fs);
	mnt_ns_unref(b->mnt_ns);
	nsset_unref(b->nsset);
	gofer_put(b->gofer);
	kfree(m->mem);
	kfree(m->process_mem);
	kfree(m);
}

/* Namespaces of its own, as far as it has any; the others are the first container's. */
static int make_namespaces(struct boot *first, struct boot *b)
{
	const struct boot_config *c = b->cfg;
	u64 own = c->own_ns & OWN_NS;
	struct uts *uts;
	int r = nsset_copy(first->hands, own, first->hands->cred, &b->nsset);

	if (r < 0)
		return boot_fail(b, r, "the sandbox cannot make namespaces: %s", strerror(-r));
	if (!(own & CLONE_NEWUTS))
		return 0;
	uts = container_of(b->nsset->of[NS_UTS], struct uts, ns);
	if (*c->hostname)
		uts_set(uts, false, c->hostname);
	if (*c->domainname)
		uts_set(uts, true, c->domainname);
	return 0;
}

static int take_fds(struct member *m, int *fds, size_t nfds)
{
	u32 std = m->process.tty ? 1 : 3, nextra = m->process.nextra;

	if (nfds != MEMBER_FD_STDIO + std + nextra)
		return -EINVAL;
	memcpy(m->extra, fds + MEMBER_FD_STDIO + std, nextra * sizeof(*fds));
	m->cfg.extra = m->extra;
	m->listen_fd = fds[MEMBER_FD_LISTEN];
	m->cfg.gofer_inval = fds[MEMBER_FD_INVAL];
	for (int i = 0; i < BOOT_GOFER_CTL; i++)
		m->cfg.gofer_ctl[i] = fds[MEMBER_FD_CTL + i];
	if (m->process.tty)
		m->cfg.tty_fd = fds[MEMBER_FD_STDIO];
	for (int i = 0; i < 3 && !m->process.tty; i++)
		m->cfg.stdio[i] = fds[MEMBER_FD_STDIO + i];
	return 0;
}

/* Those of its gofer's sockets that nobody has taken. */
static void close_sockets(struct member *m)
{
	if (m->b.gofer)
		return;
	close_p(&m->cfg.gofer_inval);
	for (int i = 0; i < BOOT_GOFER_CTL; i++)
		close_p(&m->cfg.gofer_ctl[i]);
}

static int build(struct boot *first, struct member *m)
{
	struct boot *b = &m->b;
	int r = make_namespaces(first, b);

	if (r == 0)
		r = boot_member(b);
	if (r < 0)
		memcpy(first->error, b->error, sizeof(first->error));
	return r;
}

int member_new(struct boot *first, u32 number, const void *payload, size_t n, int *fds, size_t nfds,
               struct boot **ret)
{
	struct member *m = knew(struct member);
	int r;

	if (!m)
		return -ENOMEM;
	r = boot_config_unpack(payload, n, &m->cfg, &m->process, &m->mem, &m->process_mem);
	if (r == 0 && (r = take_fds(m, fds, nfds)) < 0) {
		kfree(m->mem);
		kfree(m->process_mem);
	}
	if (r < 0) {
		kfree(m);
		return r;
	}
	for (size_t i = 0; i < nfds; i++)
		fds[i] = -1;
	m->b = (struct boot){
		.cfg = &m->cfg, .kernel = first->kernel, .platform = first->platform, .control = first->control,
		.number = number, .member = m,
	};
	r = build(first, m);
	close_sockets(m);
	if (r < 0) {
		member_free(&m->b);
		return r;
	}
	*ret = &m->b;
	return 0;
}
