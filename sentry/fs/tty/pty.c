/*
 * pty.c - life of pseudo terminals: opening and closing both sides, hangup. See pty.h.
 */
#include "sentry/fs/tty/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>

#include "platform/base/alloc.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"

u32 pty_dev(const struct pty *p) { return (136 + p->index / 256) << 8 | (p->index & 0xff); }

int pty_new(struct kernel *k, struct pty **ret)
{
	struct pty *p = knew(struct pty);
	int r;

	if (!p)
		return -ENOMEM;
	tty_link_init(&p->link, k);
	p->kernel = k;
	mutex_init(&p->mu, RANK_FILE);
	ntty_init(&p->n);
	waitq_init(&p->slave_wq);
	waitq_init(&p->master_wq);
	p->hostfd = HOSTFD_NONE;
	r = devpts_add(p);
	if (r < 0) {
		kfree(p);
		return r;
	}
	p->link.dev = pty_dev(p);
	(void)snprintf(p->name, sizeof(p->name), "/dev/pts/%u", p->index);
	*ret = p;
	return 0;
}

struct pty *pty_ref(struct pty *p)
{
	ref_get(&p->link.ref);
	return p;
}

void pty_unref(struct pty *p)
{
	if (!p || !ref_put(&p->link.ref))
		return;
	tty_link_detach(&p->link);
	if (p->host)
		pty_host_done(p);
	kfree(p);
}

struct pty_file *pty_file_of(struct file *f)
{
	return f->ops == &pty_slave_ops || f->ops == &pty_master_ops ? container_of(f, struct pty_file, f) : NULL;
}

static void wake_both(struct pty *p)
{
	u32 all = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLHUP | POLLERR | POLLPRI;

	waitq_wake(&p->slave_wq, all);
	waitq_wake(&p->master_wq, all);
}

void pty_master_gone(struct pty *p)
{
	mutex_lock(&p->mu);
	p->master_open = false;
	p->hungup = true;
	ntty_flush_out(&p->n);
	mutex_unlock(&p->mu);
	devpts_remove(p);
	session_tty_hangup(&p->link);
	wake_both(p);
}

static struct pty_file *file_new(struct task *t, struct pty *p, bool master, const struct path *path,
				 struct inode *i, u32 flags)
{
	struct pty_file *pf = knew(struct pty_file);

	if (!pf)
		return NULL;
	file_init(&pf->f, master ? &pty_master_ops : &pty_slave_ops,
		  flags & (O_ACCMODE | O_NONBLOCK | O_APPEND | LX_LARGEFILE), FILE_STREAM | FILE_OWN_WAIT | FILE_ASYNC, path, i,
		  t ? task_cred(t) : NULL);
	pf->f.wq = master ? &p->master_wq : &p->slave_wq;
	if (!path || !path->dentry)
		pf->f.anon_name = master ? "/dev/ptmx" : p->name;
	pf->pty = pty_ref(p);
	pf->master = master;
	return pf;
}

int pty_open_slave(struct task *t, struct pty *p, const struct path *path, struct inode *i, u32 flags,
		   struct file **ret)
{
	struct pty_file *pf;
	int r = 0;

	mutex_lock(&p->mu);
	if (p->locked || p->hungup || !p->master_open)
		r = -EIO;
	else if (p->exclusive && t && !capable(t, CAP_SYS_ADMIN))
		r = -EBUSY;
	mutex_unlock(&p->mu);
	if (r < 0)
		return r;
	pf = file_new(t, p, false, path, i, flags);
	if (!pf)
		return -ENOMEM;
	mutex_lock(&p->mu);
	p->nslaves++;
	p->slave_seen = true;
	mutex_unlock(&p->mu);
	if (t && !(flags & O_NOCTTY))
		session_tty_opened(t, &p->link);
	*ret = &pf->f;
	return 0;
}

void pty_file_release(struct file *f)
{
	struct pty_file *pf = pty_file_of(f);
	struct pty *p = pf->pty;

	if (pf->master) {
		pty_master_gone(p);
	} else {
		mutex_lock(&p->mu);
		p->nslaves--;
		if (!p->nslaves)
			p->exclusive = false;           /* input waits for who opens it next */
		mutex_unlock(&p->mu);
		wake_both(p);
	}
	file_done(f);
	kfree(pf);
	pty_unref(p);
}

int ptmx_open(struct task *t, struct inode *i, const struct path *path, u32 flags, struct file **ret)
{
	struct pty_file *pf;
	struct pty *p;
	int r = pty_new(t->kernel, &p);

	if (r < 0)
		return r;
	p->locked = true;
	p->master_open = true;
	pf = file_new(t, p, true, path, i, flags);
	if (!pf)
		pty_master_gone(p);
	else
		*ret = &pf->f;
	pty_unref(p);
	return pf ? 0 : -ENOMEM;
}

int tty_open_current(struct task *t, const struct path *path, u32 flags, struct file **ret)
{
	struct tty_link *tl = session_tty_get(t);
	struct inode *i;
	struct pty *p;
	int r;

	(void)path;
	if (!tl)
		return -ENXIO;
	p = container_of(tl, struct pty, link);
	r = devpts_inode(p, &i);
	if (r == 0) {
		r = pty_open_slave(t, p, NULL, i, flags | O_NOCTTY, ret);
		inode_unref(i);
	}
	pty_unref(p);
	return r;
}

struct tty_link *tty_file_link(struct file *f)
{
	struct pty_file *pf = pty_file_of(f);

	return pf ? &pf->pty->link : NULL;
}

int tty_set_winsize(struct file *f, u16 rows, u16 cols)
{
	struct lx_winsize ws = { .row = rows, .col = cols };
	struct pty_file *pf = pty_file_of(f);

	if (!pf)
		return -ENOTTY;
	pty_set_winsize(pf->pty, &ws);
	return 0;
}
