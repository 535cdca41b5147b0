/*
 * unix_scm.c - descriptors and credentials that travel in packets (unix(7), SCM_RIGHTS). See unix_int.h.
 *
 * Every descriptor in a queue is counted (table->inflight) and limited by the
 * sender's RLIMIT_NOFILE, unless it is privileged, and by a hard limit.
 *
 * Dropping a descriptor may end a socket whose queue holds descriptors, and so on:
 * unix_pkts_doom() turns that recursion into a list that one thread empties.
 */
#include <errno.h>
#include <linux/capability.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/socket/unix_int.h"
#include "sentry/vfs/fasync.h"

#define INFLIGHT_MAX (1u << 18)

/* ---- credentials ---- */

void unix_cred_of(struct task *t, struct unix_cred *ret)
{
	const struct cred *c = task_cred(t);

	*ret = (struct unix_cred){ .pid = t->tg->tgid, .uid = c->euid, .gid = c->egid, .tg = tgroup_ref(t->tg) };
}

void unix_cred_own(struct task *t, struct unix_cred *ret)
{
	unix_cred_of(t, ret);
	ret->who = cred_ref(task_cred(t));
}

void unix_cred_copy(struct unix_cred *to, const struct unix_cred *from)
{
	*to = *from;
	if (to->tg)
		tgroup_ref(to->tg);
	if (to->who)
		(void)cred_ref(to->who);
}

void unix_cred_done(struct unix_cred *c)
{
	if (c->tg)
		tgroup_unref(c->tg);
	if (c->who)
		cred_unref(c->who);
	c->tg = NULL;
	c->who = NULL;
}

/* ---- what sendmsg is given ---- */

static int add_rights(struct task *t, struct unix_scm *scm, const u8 *data, size_t len)
{
	size_t n = len / sizeof(int);

	if (n + (size_t)scm->nfiles > SOCK_FDS_MAX)
		return -EINVAL;
	if (!n)
		return 0;
	if (!scm->files) {
		scm->files = kbuf_array(SOCK_FDS_MAX, sizeof(*scm->files));
		if (!scm->files)
			return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct file *f;
		int fd;

		__builtin_memcpy(&fd, data + i * sizeof(int), sizeof(int));
		f = fd_get_path(t, fd);
		if (!f)
			return -EBADF;
		scm->files[scm->nfiles++] = f;
	}
	return 0;
}

static int set_creds(struct task *t, struct unix_scm *scm, const u8 *data, size_t len)
{
	const struct cred *c = task_cred(t);
	struct tgroup *tg = NULL;
	struct ucred uc;

	if (len != sizeof(uc))
		return -EINVAL;
	__builtin_memcpy(&uc, data, sizeof(uc));
	uc.pid = pid_from_nr(t, uc.pid);
	uc.uid = user_ns_uid(task_user_ns(t), uc.uid);
	uc.gid = user_ns_gid(task_user_ns(t), uc.gid);
	if (uc.uid == ID_NONE || uc.gid == ID_NONE)
		return -EINVAL;
	if (uc.pid != t->tg->tgid && !ns_capable(t, t->tg->pid_ns->ns.owner, CAP_SYS_ADMIN))
		return -EPERM;
	if (uc.uid != c->uid && uc.uid != c->euid && uc.uid != c->suid && !self_capable(t, CAP_SETUID))
		return -EPERM;
	if (uc.gid != c->gid && uc.gid != c->egid && uc.gid != c->sgid && !self_capable(t, CAP_SETGID))
		return -EPERM;
	if (uc.pid != t->tg->tgid) {
		tg = tgroup_find(t->kernel, uc.pid);
		if (!tg)
			return -ESRCH;
		unix_cred_done(&scm->cred);
		scm->cred.tg = tg;
	}
	scm->own_cred = true;
	scm->cred.pid = uc.pid;
	scm->cred.uid = uc.uid;
	scm->cred.gid = uc.gid;
	return 0;
}

static int parse_one(struct task *t, struct unix_scm *scm, const struct cmsghdr *h, const u8 *data, size_t len)
{
	if (h->cmsg_level != SOL_SOCKET)
		return 0;
	switch (h->cmsg_type) {
	case SCM_RIGHTS:
		return add_rights(t, scm, data, len);
	case SCM_CREDENTIALS:
		return set_creds(t, scm, data, len);
	default:
		return -EINVAL;
	}
}

int unix_scm_parse(struct task *t, const u8 *ctl, size_t len, struct unix_scm *ret)
{
	size_t off = 0;
	int r = 0;

	*ret = (struct unix_scm){ 0 };
	unix_cred_of(t, &ret->cred);
	while (r == 0 && len - off >= sizeof(struct cmsghdr)) {
		struct cmsghdr h;

		__builtin_memcpy(&h, ctl + off, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > len - off) {
			r = -EINVAL;
			break;
		}
		r = parse_one(t, ret, &h, ctl + off + sizeof(h), h.cmsg_len - sizeof(h));
		if (ALIGN_UP(h.cmsg_len, sizeof(long)) >= len - off)
			break;
		off += ALIGN_UP(h.cmsg_len, sizeof(long));
	}
	if (r < 0)
		unix_scm_done(ret);
	return r;
}

void unix_scm_done(struct unix_scm *scm)
{
	for (int i = 0; i < scm->nfiles; i++)
		file_unref(scm->files[i]);
	kfree(scm->files);
	scm->files = NULL;
	scm->nfiles = 0;
	unix_cred_done(&scm->cred);
}

/* ---- in flight ---- */

struct unix_sock *unix_of_file(struct file *f)
{
	struct socket *s = socket_of(f);

	return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}

int unix_scm_inflight(struct task *t, struct unix_scm *scm)
{
	struct unix_table *ut = t->kernel->unix_sockets;
	bool privileged = capable(t, CAP_SYS_RESOURCE) || capable(t, CAP_SYS_ADMIN);
	u64 limit = privileged ? INFLIGHT_MAX : MIN(task_rlimit(t, RLIMIT_NOFILE), (u64)INFLIGHT_MAX);
	int r = 0;

	mutex_lock(&ut->mu);
	if (ut->inflight > limit)
		r = -ETOOMANYREFS;
	else
		ut->inflight += (u64)scm->nfiles;
	for (int i = 0; i < scm->nfiles && r == 0; i++) {
		struct unix_sock *u = unix_of_file(scm->files[i]);

		if (u && u->inflight++ == 0)
			list_add_tail(&u->inflight_node, &ut->inflight_socks);
	}
	mutex_unlock(&ut->mu);
	return r;
}

void unix_scm_landed(struct kernel *k, struct file **files, int n)
{
	struct unix_table *ut = k->unix_sockets;

	mutex_lock(&ut->mu);
	ut->inflight -= (u64)n;
	for (int i = 0; i < n; i++) {
		struct unix_sock *u = unix_of_file(files[i]);

		if (u && --u->inflight == 0)
			list_del_init(&u->inflight_node);
	}
	mutex_unlock(&ut->mu);
}

/* Its files have been taken out, or are dropped here. */
void unix_pkt_free(struct unix_pkt *p)
{
	for (int i = 0; i < p->nfiles; i++)
		file_unref(p->files[i]);
	kfree(p->files);
	unix_cred_done(&p->cred);
	unix_unref(p->from);
	kfree(p);
}

void unix_pkts_doom(struct kernel *k, struct list_head *pkts)
{
	struct unix_table *ut = k->unix_sockets;
	struct unix_pkt *p;
	bool mine;

	mutex_lock(&ut->mu);
	list_splice_tail_init(pkts, &ut->doomed);
	mine = !ut->draining && !list_empty(&ut->doomed);
	if (mine)
		ut->draining = true;
	while (mine && !list_empty(&ut->doomed)) {
		p = list_first(&ut->doomed, struct unix_pkt, node);
		list_del_init(&p->node);
		mutex_unlock(&ut->mu);
		atomic_fetch_sub(&p->from->wmem, p->charge);
		waitq_wake(&p->from->wq, POLLOUT | POLLWRNORM | ASYNC_SPACE);
		if (p->nfiles)
			unix_scm_landed(k, p->files, p->nfiles);
		unix_pkt_free(p);
		mutex_lock(&ut->mu);
	}
	if (mine)
		ut->draining = false;
	mutex_unlock(&ut->mu);
}
