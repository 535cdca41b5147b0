/*
 * dnotify.c - F_NOTIFY: a signal to the owner of an open directory when something happens in it (fcntl(2)).
 *
 * A watch belongs to an open file and a descriptor table, and lies beside inotify's marks of the directory's inode.
 * It ends with its first event, unless DN_MULTISHOT is set, with a mask of 0,
 * and with the first close of the file by that table.
 *
 * Locks: vfs->notify_mu guards all of it.
 */
#include "sentry/vfs/dnotify.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/fasync.h"
#include "sentry/vfs/inotify.h"
#include "sentry/vfs/mount_int.h"

struct dnotify {
	struct list_head node;          /* in the inode's list */
	struct file *file;              /* borrowed: closing it ends the watch */
	const void *table;              /* identity only */
	int fd;
	u32 events;                     /* DN_* */
};

static struct vfs *vfs_of(const struct inode *i) { return i->sb->kernel->vfs; }

/* What of @dn an event of inotify's means, as many signals as there are bits. */
static u32 matched(u32 events, u32 mask)
{
	u32 hit = 0;

	if (mask & IN_ACCESS)
		hit |= DN_ACCESS;
	if (mask & IN_MODIFY)
		hit |= DN_MODIFY;
	if (mask & (IN_CREATE | IN_MOVED_TO))
		hit |= DN_CREATE;
	if (mask & (IN_DELETE | IN_MOVED_FROM))
		hit |= DN_DELETE;
	if (mask & IN_MOVED_FROM)
		hit |= DN_RENAME;
	if (mask & IN_ATTRIB)
		hit |= DN_ATTRIB;
	return hit & events;
}

static void end_locked(struct inode *i, struct dnotify *dn)
{
	list_del_init(&dn->node);
	atomic_fetch_sub(&i->sb->nmarks, 1);
	kfree(dn);
}

void dnotify_tell_locked(struct inode *i, struct list_head *watches, u32 mask)
{
	struct dnotify *dn, *n;

	list_for_each_safe(dn, n, watches, node) {
		u32 hit = matched(dn->events, mask);
		bool last = !(dn->events & DN_MULTISHOT);

		for (; hit; hit = last ? 0 : hit & (hit - 1))
			fowner_tell(dn->file, dn->fd, POLL_MSG);
		if (last && matched(dn->events, mask))
			end_locked(i, dn);
	}
}

static struct dnotify *find_locked(struct list_head *watches, struct file *f, const void *table)
{
	struct dnotify *dn;

	list_for_each(dn, watches, node)
		if (dn->file == f && (!table || dn->table == table))
			return dn;
	return NULL;
}

void dnotify_close(struct file *f, const void *table)
{
	struct list_head *watches = f->inode && S_ISDIR(f->inode->mode) ? marks_dnotify(f->inode, false) : NULL;
	struct dnotify *dn;

	if (!watches)
		return;
	mutex_lock(&vfs_of(f->inode)->notify_mu);
	while ((dn = find_locked(watches, f, table)) != NULL)
		end_locked(f->inode, dn);
	mutex_unlock(&vfs_of(f->inode)->notify_mu);
}

long dnotify_set(struct task *t, struct file *f, int fd, u64 events)
{
	struct dnotify *fresh, *dn;
	struct list_head *watches;
	int r;

	if (!setting_get(&t->kernel->settings, SETTING_DNOTIFY))
		return -EINVAL;
	if (!(events & ~(u64)DN_MULTISHOT)) {
		dnotify_close(f, t->files);
		return 0;
	}
	if (!f->inode || !S_ISDIR(f->inode->mode))
		return -ENOTDIR;
	watches = marks_dnotify(f->inode, true);
	fresh = knew(struct dnotify);
	r = watches && fresh ? fowner_default(t, f, 0) : -ENOMEM;
	if (r < 0) {
		kfree(fresh);
		return r;
	}
	if (f->inode->ops->watched)
		f->inode->ops->watched(f->inode);
	mutex_lock(&vfs_of(f->inode)->notify_mu);
	dn = find_locked(watches, f, t->files);
	if (dn) {
		dn->fd = fd;
		dn->events |= (u32)events;
	} else {
		*fresh = (struct dnotify){ .file = f, .table = t->files, .fd = fd, .events = (u32)events };
		list_add_tail(&fresh->node, watches);
		atomic_fetch_add(&f->inode->sb->nmarks, 1);
	}
	mutex_unlock(&vfs_of(f->inode)->notify_mu);
	if (dn)
		kfree(fresh);
	return 0;
}
