/*
 * fd.c - /proc/PID/fd and /proc/PID/fdinfo.
 *
 * node->task is whose descriptors these are, node->arg the number.  A link of fd/
 * is magic: following it gives the open file's own place, whatever its name says now.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "platform/base/str.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"

static struct file *node_file(struct pseudo_node *n)
{
	struct fdtable *ft = task_files_get(n->task);
	struct file *f;

	if (!ft)
		return NULL;
	f = fdtable_get(ft, (int)n->arg);
	fdtable_unref(n->task, ft);
	return f;
}

static int link_show(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_file *f = node_file(n);
	char name[4096];
	ssize_t r;

	if (!f)
		return -ENOENT;
	if (nsfs_ns(f)) {
		strbuf_printf(out, "%s:[%lu]", ns_name(nsfs_ns(f)->kind), nsfs_ns(f)->ino);
		return 0;
	}
	if (!f->path.dentry) {
		const char *a = f->anon_name ? f->anon_name : "anon_inode:[unknown]";

		if (a[strlen(a) - 1] == ':')
			strbuf_printf(out, "%s[%lu]", a, f->anon_ino);
		else
			strbuf_puts(out, a);
		return 0;
	}
	r = vfs_path_name(t, &f->path, name, sizeof(name));
	if (r < 0)
		return (int)r;
	strbuf_write(out, name, strnlen(name, (size_t)r));
	return 0;
}

static int link_follow(struct task *t, struct pseudo_node *n, struct path *ret)
{
	auto_file *f = node_file(n);

	if (!f)
		return -ENOENT;
	if (!f->path.dentry)
		return vfs_proxy_place(t, f, ret);
	*ret = f->path;
	path_get(ret);
	return 0;
}

static int info_show(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_file *f = node_file(n);
	struct fdtable *ft;
	u32 flags;

	(void)t;
	if (!f)
		return -ENOENT;
	flags = file_flags(f);
	ft = task_files_get(n->task);
	if (ft) {
		if (n->task == t && fd_get_cloexec(t, (int)n->arg) > 0)
			flags |= O_CLOEXEC;
		fdtable_unref(n->task, ft);
	}
	strbuf_printf(out, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%lu\n", (long)f->pos, flags,
	              f->path.mnt ? mount_id(f->path.mnt) : 1,
	              f->inode ? f->inode->ino : f->anon_ino);
	if (f->ops->fdinfo)
		f->ops->fdinfo(f, out);
	return 0;
}

static const struct pseudo_entry fd_link = {
	.name = "", .mode = S_IFLNK | 0700, .show = link_show, .follow = link_follow, .permit = proc_permit,
};
static const struct pseudo_entry fd_info = {
	.name = "", .mode = S_IFREG | 0400, .show = info_show, .permit = proc_permit,
};

struct lister { struct pseudo_node *dir; struct dir_ctx *c; u32 mode; };

static int list_one(void *arg, int fd, struct file *f, bool cloexec)
{
	struct lister *l = arg;
	char name[16];

	(void)f;
	(void)cloexec;
	if (fd + PSEUDO_DYNAMIC < l->c->pos)
		return 0;
	snprintf(name, sizeof(name), "%d", fd);
	if (!pseudo_emit(l->c, l->dir, name, l->mode, fd + PSEUDO_DYNAMIC + 1))
		return 1;
	l->c->pos = fd + PSEUDO_DYNAMIC + 1;
	return 0;
}

static int list_fds(struct pseudo_node *dir, struct dir_ctx *c, u32 mode)
{
	struct lister l = { dir, c, mode };
	struct fdtable *ft = task_files_get(dir->task);

	if (!ft)
		return 0;
	(void)fdtable_for_each(ft, list_one, &l);
	fdtable_unref(dir->task, ft);
	return 0;
}

static int find_fd(struct pseudo_node *dir, const char *name, size_t len, const struct pseudo_entry *e,
                   struct inode **ret)
{
	struct fdtable *ft;
	struct file *f;
	char num[16];
	u64 fd;

	if (len >= sizeof(num))
		return -ENOENT;
	memcpy(num, name, len);
	num[len] = 0;
	if (str_to_u64(num, 10, &fd) < 0 || fd > INT32_MAX || (num[0] == '0' && len > 1))
		return -ENOENT;
	ft = task_files_get(dir->task);
	f = ft ? fdtable_get(ft, (int)fd) : NULL;
	if (ft)
		fdtable_unref(dir->task, ft);
	if (!f)
		return -ENOENT;
	file_unref(f);
	*ret = pseudo_new(dir->inode.sb, e, pseudo_ino(dir->inode.ino, name, len), dir->tg, dir->task, fd,
	                  dir->inode.uid, dir->inode.gid);
	return *ret ? 0 : -ENOMEM;
}

static int fd_list(struct task *t, struct pseudo_node *dir, struct dir_ctx *c)
{
	(void)t;
	return list_fds(dir, c, S_IFLNK);
}

static int fd_find(struct task *t, struct pseudo_node *dir, const char *name, size_t len, struct inode **ret)
{
	(void)t;
	return find_fd(dir, name, len, &fd_link, ret);
}

static int fdinfo_list(struct task *t, struct pseudo_node *dir, struct dir_ctx *c)
{
	(void)t;
	return list_fds(dir, c, S_IFREG);
}

static int fdinfo_find(struct task *t, struct pseudo_node *dir, const char *name, size_t len,
                       struct inode **ret)
{
	(void)t;
	return find_fd(dir, name, len, &fd_info, ret);
}

const struct pseudo_dir proc_fd_dir = { .list = fd_list, .find = fd_find, .sized = true };
const struct pseudo_dir proc_fdinfo_dir = { .list = fdinfo_list, .find = fdinfo_find };
