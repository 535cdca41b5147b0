/*
 * super.c - making an overlay from directories.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/overlay/overlay_int.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"

#define LAYERS_MAX 500
#define DEPTH_MAX 2             /* Linux's FILESYSTEM_MAX_STACK_DEPTH: each takes stack, and locks within locks */

static int ovl_statfs(struct task *t, struct super *sb, struct statfs *ret)
{
	struct overlay *ov = container_of(sb, struct overlay, sb);
	struct super *real = ov->backing;

	return real->ops->statfs ? real->ops->statfs(t, real, ret) : 0;
}

static void ovl_sb_release(struct super *sb)
{
	struct overlay *ov = container_of(sb, struct overlay, sb);

	inode_unref(ov->work);
	super_unref(ov->backing);
	kfree((void *)(uintptr_t)sb->source);
	kfree(ov);
}

static const struct super_ops ovl_super_ops = {
	.fstype = "overlay", .statfs = ovl_statfs, .release = ovl_sb_release,
};

static const struct ovl_marks trusted_marks = { "trusted.overlay.", "trusted.overlay.opaque" };
static const struct ovl_marks user_marks = { "user.overlay.", "user.overlay.opaque" };

/* All borrowed: @upper may be NULL (read-only), and @work. */
struct parts {
	struct inode *upper, *work;
	struct inode *const *lower;
	u32 nlower;
	const struct ovl_marks *marks;
};

static int overlay_new(struct task *t, struct kernel *k, const struct parts *p, const char *source,
                       struct super **ret_sb, struct inode **ret_root)
{
	struct inode *upper = p->upper, *const *lower = p->lower;
	u32 nlower = p->nlower;
	struct overlay *ov = knew(struct overlay);
	struct inode **low = kbuf_array(MAX(nlower, 1), sizeof(*low));
	struct onode *root;
	int r;

	if (!ov || !low) {
		kfree(ov);
		kfree(low);
		return -ENOMEM;
	}
	super_init(&ov->sb, &ovl_super_ops, k, OVERLAYFS_SUPER_MAGIC);
	mutex_init(&ov->copy_mu, RANK_COPYUP);
	ov->sb.source = kbuf_strdup(source ? source : "overlay");
	ov->writable = upper != NULL;
	ov->many = nlower > 1;
	ov->marks = p->marks;
	ov->work = p->work ? inode_ref(p->work) : NULL;
	ov->backing = super_ref(upper ? upper->sb : lower[0]->sb);
	for (u32 i = 0; i < nlower; i++)
		low[i] = inode_ref(lower[i]);
	r = onode_new(t, ov, NULL, "", 0, upper, low, nlower, &root);
	if (r < 0) {
		super_unref(&ov->sb);
		return r;
	}
	*ret_sb = &ov->sb;
	*ret_root = &root->i;
	return 0;
}

int overlay_memory(struct task *t, struct kernel *k, struct inode *lower, struct super **ret_sb,
                   struct inode **ret_root)
{
	struct inode *upper;
	struct super *sb;
	struct kstat st;
	char opts[96];
	struct strbuf s;
	int r = inode_getattr(t, lower, &st);

	if (r < 0)
		return r;
	strbuf_fixed(&s, opts, sizeof(opts));
	strbuf_printf(&s, "mode=%o,uid=%u,gid=%u,ino_base=%llu", st.mode & 07777, st.uid, st.gid, 1ull << 40);
	r = tmpfs_make(t, k, "overlay", opts, &sb, &upper);
	if (r < 0)
		return r;
	r = overlay_new(t, k, &(struct parts){ .upper = upper, .lower = &lower, .nlower = 1, .marks = &trusted_marks },
	                "overlay", ret_sb, ret_root);
	inode_unref(upper);
	super_unref(sb);
	return r;
}

int overlay_kept(struct task *t, struct kernel *k, struct inode *lower, struct inode *store, struct super **ret_sb,
                 struct inode **ret_root)
{
	auto_inode *upper = NULL, *work = NULL;
	int r = store->ops->lookup(t, store, "upper", 5, &upper);

	if (r == 0)
		r = store->ops->lookup(t, store, "work", 4, &work);
	if (r == 0 && (!S_ISDIR(upper->mode) || !S_ISDIR(work->mode)))
		r = -ENOTDIR;
	if (r < 0)
		return r;
	return overlay_new(t, k, &(struct parts){ .upper = upper, .work = work, .lower = &lower, .nlower = 1,
	                   .marks = &user_marks }, "overlay", ret_sb, ret_root);
}

int overlay_tidy(struct task *t, struct super *sb)
{
	struct overlay *ov = container_of(sb, struct overlay, sb);

	return ov->work ? ovl_clear_dir(t, ov->work) : 0;
}

/* ---- mount(2) ---- */

struct layers {
	struct inode *lower[LAYERS_MAX];
	u32 n;
	struct path upper, work;        /* {NULL, NULL}: not given */
	const char *work_name;          /* borrowed from the options */
	bool userxattr;
};

static int find_dir(struct task *t, const char *name, struct path *ret)
{
	return vfs_lookup(t, AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, ret);
}

static int add_lowers(struct task *t, struct layers *l, char *list)
{
	for (char *p = list, *next; p; p = next) {
		auto_path at = { 0 };
		int r;

		next = strchr(p, ':');
		if (next)
			*next++ = 0;
		if (l->n == LAYERS_MAX)
			return -EINVAL;
		r = find_dir(t, p, &at);
		if (r < 0)
			return r;
		l->lower[l->n++] = inode_ref(path_inode(&at));
	}
	return 0;
}

static int parse(struct task *t, struct layers *l, char *opts)
{
	int r = 0;

	for (char *p = opts, *next; r == 0 && p; p = next) {
		next = strchr(p, ',');
		if (next)
			*next++ = 0;
		if (str_starts(p, "lowerdir="))
			r = add_lowers(t, l, p + 9);
		else if (str_starts(p, "upperdir=") && !l->upper.dentry)
			r = find_dir(t, p + 9, &l->upper);
		else if (str_starts(p, "workdir=") && !l->work.dentry)
			r = find_dir(t, l->work_name = p + 8, &l->work);
		else if (str_eq(p, "userxattr"))
			l->userxattr = true;
		else if (*p && !str_starts(p, "redirect_dir=") && !str_starts(p, "index=") && !str_starts(p, "xino=") &&
		         !str_starts(p, "metacopy=") && !str_starts(p, "volatile"))
			r = -EINVAL;
	}
	return r;
}

/* Of the overlay that these make.  That of --overlay does not count: guests don't know of it. */
static u32 depth_of(const struct layers *l)
{
	u32 depth = l->upper.dentry ? l->upper.dentry->sb->depth : 0;

	for (u32 i = 0; i < l->n; i++)
		depth = MAX(depth, l->lower[i]->sb->depth);
	return depth + 1;
}

/* Everything that is asked of an upper directory: those of tmpfs and the gofer have it, proc's and their like don't. */
static bool fit_as_upper(const struct inode *i)
{
	const struct inode_ops *ops = i->ops;

	return ops->lookup && ops->open && ops->create && ops->mkdir && ops->mknod && ops->symlink && ops->unlink &&
	       ops->rmdir && ops->rename;
}

/*
 * As on Linux an upper layer needs a work directory of its file system, beside it, in which there is a "work"
 * then (Docker sets its owner).  What is changed is made in place all the same.
 */
static int prepare_work(struct task *t, const struct layers *l)
{
	auto_strbuf name = { 0 };
	int r;

	if (!l->work.dentry || l->work.mnt != l->upper.mnt || dentry_is_below(l->work.dentry, l->upper.dentry) ||
	    dentry_is_below(l->upper.dentry, l->work.dentry))
		return -EINVAL;
	strbuf_init(&name);
	strbuf_printf(&name, "%s/work", l->work_name);
	r = strbuf_err(&name);
	if (r == 0)
		r = vfs_mkdir(t, AT_FDCWD, name.p, 0);
	return r == -EEXIST ? 0 : r;
}

static int check_layers(struct task *t, const struct layers *l)
{
	if (l->n == 0 || depth_of(l) > DEPTH_MAX || (l->upper.dentry && !fit_as_upper(path_inode(&l->upper))))
		return -EINVAL;
	return l->upper.dentry ? prepare_work(t, l) : 0;
}

int overlay_make(struct task *t, struct kernel *k, const char *source, const char *opts, struct super **ret_sb,
                 struct inode **ret_root)
{
	struct layers *l = knew(struct layers);
	auto_kfree char *copy = kbuf_strdup(opts ? opts : "");
	int r = l && copy ? parse(t, l, copy) : -ENOMEM;

	if (r == 0)
		r = check_layers(t, l);
	if (r == 0)
		r = overlay_new(t, k, &(struct parts){ .upper = l->upper.dentry ? path_inode(&l->upper) : NULL, .lower = l->lower, .nlower = l->n,
		                .marks = l->userxattr ? &user_marks : &trusted_marks }, source, ret_sb, ret_root);
	if (r == 0)
		(*ret_sb)->depth = depth_of(l);
	for (u32 i = 0; l && i < l->n; i++)
		inode_unref(l->lower[i]);
	if (l) {
		path_put(&l->upper);
		path_put(&l->work);
	}
	kfree(l);
	return r;
}
