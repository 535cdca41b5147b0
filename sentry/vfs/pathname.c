/*
 * pathname.c - from a place back to a name (d_path), and /proc/PID/mounts.
 *
 * A name is built from its end, dentry by dentry and mount by mount, under
 * vfs->mu, so that the mounts passed cannot move meanwhile.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "platform/base/str.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/mount_int.h"

enum reach { REACHED, UNREACHABLE, TOO_LONG };

struct name_builder {
	char *start, *p;        /* text is [p, end) */
};

static bool prepend(struct name_builder *b, const char *s, size_t n)
{
	if ((size_t)(b->p - b->start) < n)
		return false;
	b->p -= n;
	memcpy(b->p, s, n);
	return true;
}

/* "/name" of every dentry from @d up to @stop; what the walk ended at is in *top. */
static bool prepend_dentries(struct name_builder *b, struct dentry *d, const struct dentry *stop,
                             const struct dentry *stop2, struct dentry **top)
{
	struct dcache *dc = &d->sb->dcache;
	bool ok = true;

	mutex_lock(&dc->mu);
	while (ok && d != stop && d != stop2 && d->parent) {
		ok = prepend(b, d->name, d->len) && prepend(b, "/", 1);
		d = d->parent;
	}
	mutex_unlock(&dc->mu);
	*top = d;
	return ok;
}

static enum reach build_locked(struct name_builder *b, const struct mount *m, struct dentry *d,
                               const struct path *root)
{
	for (;;) {
		struct dentry *top;

		if (!prepend_dentries(b, d, m->root, m == root->mnt ? root->dentry : m->root, &top))
			return TOO_LONG;
		if (m == root->mnt && top == root->dentry)
			return REACHED;
		if (top != m->root || !m->parent)
			return UNREACHABLE;
		d = m->point;
		m = m->parent;
	}
}

static ssize_t name_of(struct task *t, const struct path *p, const char *outside, char *buf, size_t cap)
{
	struct path root;
	struct name_builder b;
	enum reach how;
	bool ok = true;
	size_t n;

	if (cap < 2)
		return -ERANGE;
	root = fs_root(t->fs);
	b = (struct name_builder){ buf, buf + cap - 1 };
	*b.p = 0;
	if (p->dentry->parent && dentry_is_deleted(p->dentry))
		ok = prepend(&b, " (deleted)", 10);
	mutex_lock(&t->kernel->vfs->mu);
	how = build_locked(&b, p->mnt, p->dentry, &root);
	mutex_unlock(&t->kernel->vfs->mu);
	path_put(&root);
	n = (size_t)(buf + cap - 1 - b.p);
	if (ok && how != TOO_LONG && (n == 0 || *b.p != '/'))
		ok = prepend(&b, "/", 1);
	if (ok && how == UNREACHABLE)
		ok = prepend(&b, outside, strlen(outside));
	if (!ok || how == TOO_LONG)
		return -ENAMETOOLONG;
	n = (size_t)(buf + cap - 1 - b.p);
	memmove(buf, b.p, n + 1);
	return (ssize_t)n;
}

ssize_t vfs_path_name(struct task *t, const struct path *p, char *buf, size_t cap)
{
	return name_of(t, p, "", buf, cap);
}

ssize_t vfs_cwd_name(struct task *t, const struct path *p, char *buf, size_t cap)
{
	return name_of(t, p, "(unreachable)", buf, cap);
}

const char *mount_point_name_locked(const struct mount *m, const struct path *root, char *buf, size_t cap)
{
	struct name_builder b = { buf, buf + cap - 1 };

	*b.p = 0;
	if (build_locked(&b, m, m->root, root) != REACHED)
		return "";
	return *b.p ? b.p : "/";
}

const char *mount_root_name(const struct mount *m, char *buf, size_t cap)
{
	struct name_builder b = { buf, buf + cap - 1 };
	struct dentry *top;

	*b.p = 0;
	if (nsfs_is(m->root->inode))
		return nsfs_text(m->root->inode, buf, cap);
	return prepend_dentries(&b, m->root, NULL, NULL, &top) && *b.p ? b.p : "/";
}

/* ---- /proc/PID/{mounts,mountinfo,mountstats} ---- */

static void show_flags(u32 f, struct strbuf *out)
{
	static const struct { u32 bit; const char *text; } map[] = {
		{ MNT_NOSUID, ",nosuid" }, { MNT_NODEV, ",nodev" }, { MNT_NOEXEC, ",noexec" },
		{ MNT_NOATIME, ",noatime" }, { MNT_NODIRATIME, ",nodiratime" }, { MNT_RELATIME, ",relatime" },
		{ MNT_NOSYMFOLLOW, ",nosymfollow" },
	};

	strbuf_puts(out, f & MNT_READONLY ? "ro" : "rw");
	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (f & map[i].bit)
			strbuf_puts(out, map[i].text);
}

static void show_super_options(struct mount *m, struct strbuf *out)
{
	if (m->sb->ops->show_options)
		m->sb->ops->show_options(m->sb, out);
}

static void show_propagation(const struct mount *m, struct strbuf *out)
{
	int from = m->master ? prop_from_locked(m) : 0;

	if (m->group)
		strbuf_printf(out, " shared:%d", m->group);
	if (m->master)
		strbuf_printf(out, " master:%d", m->master->group);
	if (from && from != m->master->group)
		strbuf_printf(out, " propagate_from:%d", from);
	if (m->unbindable)
		strbuf_puts(out, " unbindable");
}

static void show_mountinfo(struct mount *m, const char *point, struct strbuf *out)
{
	char buf[PATH_MAX] no_init;

	strbuf_printf(out, "%d %d 0:%u ", m->id, m->parent ? m->parent->id : 1, m->sb->dev_minor);
	strbuf_put_octal(out, mount_root_name(m, buf, sizeof(buf)), " \t\n\\");
	strbuf_putc(out, ' ');
	strbuf_put_octal(out, point, " \t\n\\");
	strbuf_putc(out, ' ');
	show_flags(mount_flags(m), out);
	show_propagation(m, out);
	strbuf_printf(out, " - %s ", m->sb->ops->fstype);
	strbuf_put_octal(out, m->source, " \t\n\\");
	strbuf_puts(out, " rw");
	show_super_options(m, out);
	strbuf_putc(out, '\n');
}

static void show_mounts(struct mount *m, const char *point, struct strbuf *out)
{
	strbuf_put_octal(out, m->source, " \t\n\\");
	strbuf_putc(out, ' ');
	strbuf_put_octal(out, point, " \t\n\\");
	strbuf_printf(out, " %s ", m->sb->ops->fstype);
	show_flags(mount_flags(m), out);
	show_super_options(m, out);
	strbuf_puts(out, " 0 0\n");
}

static void show_mountstats(struct mount *m, const char *point, struct strbuf *out)
{
	strbuf_puts(out, "device ");
	strbuf_put_octal(out, m->source, " \t\n\\");
	strbuf_puts(out, " mounted on ");
	strbuf_put_octal(out, point, " \t\n\\");
	strbuf_printf(out, " with fstype %s\n", m->sb->ops->fstype);
}

static void show_one(struct mount *m, const struct path *root, int kind, struct strbuf *out)
{
	char buf[PATH_MAX] no_init;
	const char *point = mount_point_name_locked(m, root, buf, sizeof(buf));

	if (!*point)
		return;
	if (kind == 0)
		show_mounts(m, point, out);
	else if (kind == 1)
		show_mountinfo(m, point, out);
	else
		show_mountstats(m, point, out);
}

/* Each mount costs as much as it lies deep: others get the lock after so many. */
#define SHOW_PART 128

/* The mount with that id, or, when it is gone, what is in its place now, @at mounts after the first. */
static struct mount *resume_locked(const struct mnt_ns *ns, int id, size_t at)
{
	struct mount *m;

	list_for_each(m, &ns->mounts, ns_node)
		if (m->id == id)
			return m;
	list_for_each(m, &ns->mounts, ns_node)
		if (at-- == 0)
			return m;
	return NULL;
}

int mounts_show(struct task *t, struct mnt_ns *ns, struct fs *fs, int kind, struct strbuf *out)
{
	struct vfs *v = t->kernel->vfs;
	struct path root = fs_root(fs);
	struct mount *m, *next;

	mutex_lock(&v->mu);
	m = list_empty(&ns->mounts) ? NULL : list_first(&ns->mounts, struct mount, ns_node);
	for (size_t n = 1; m; m = next, n++) {
		show_one(m, &root, kind, out);
		next = m->ns_node.next == &ns->mounts ? NULL : list_entry(m->ns_node.next, struct mount, ns_node);
		if (n % SHOW_PART == 0 && next) {
			u64 seen = atomic_load(&ns->changes);
			int id = next->id;

			mutex_breathe(&v->mu);
			if (strbuf_err(out) < 0 || task_killed(t))
				break;
			if (atomic_load(&ns->changes) != seen)
				next = resume_locked(ns, id, n);
		}
	}
	mutex_unlock(&v->mu);
	path_put(&root);
	return strbuf_err(out);
}

int mount_id(const struct mount *m)
{
	return m->id;
}
