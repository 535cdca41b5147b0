/*
 * mountfd.c - descriptors of trees that are not (yet) in any namespace: open_tree(2), fsmount(2).
 *
 * Such a file is a place (O_PATH) and holds the tree; what has not been moved
 * somewhere by the last close goes with it.
 */
#include <errno.h>
#include <fcntl.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/mount_ops.h"

struct mountfd {
	struct file f;
	struct mnt_ns *ns;              /* immutable; a reference */
};

static void mountfd_release(struct file *f)
{
	struct mountfd *m = container_of(f, struct mountfd, f);

	file_done(f);
	mnt_ns_unref(m->ns);
	kfree(m);
}

static const struct file_ops mountfd_ops = { .name = "mount", .release = mountfd_release };

int mountfd_new(struct task *t, struct mnt_ns *ns, struct file **ret)
{
	struct mountfd *m = knew(struct mountfd);
	struct path p;

	if (!m)
		return -ENOMEM;
	p = mnt_ns_root(ns);
	m->ns = ns;
	file_init(&m->f, &mountfd_ops, O_PATH, FILE_PATH, &p, path_inode(&p), task_cred(t));
	path_put(&p);
	*ret = &m->f;
	return 0;
}

struct mnt_ns *mount_detached_root(const struct path *p)
{
	struct vfs *v = mount_vfs(p->mnt);
	struct mnt_ns *ns;

	mutex_lock(&v->mu);
	ns = p->mnt->ns;
	/* Its last descriptor may be closed right now: the mounts leave it under this lock, after its last reference is gone. */
	if (!ns || !ns->detached || ns->root != p->mnt || p->dentry != p->mnt->root ||
	    !ref_get_unless_zero(&mnt_ns_common(ns)->ref))
		ns = NULL;
	mutex_unlock(&v->mu);
	return ns;
}
