/*
 * pseudo.c - directories of tables and files of text.
 */
#include "sentry/fs/pseudo/pseudo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/task.h"

#define STORE_MAX 65536u

struct pseudo_file {
	struct file file;
	struct strbuf text;                     /* guarded by the file's pos_mu */
	bool made;                              /* same */
	struct cgroup *cgroup_root;             /* immutable: a reference; NULL: not a file of a control group */
};

static const struct inode_ops pseudo_ops, strict_ops;

/* Asked whenever something is told: since it was opened the process may have become a more privileged program. */
static int permitted(struct task *t, struct pseudo_node *n)
{
	return n->e->permit ? n->e->permit(t, n) : 0;
}

struct pseudo_node *to_pseudo(struct inode *i) { return container_of(i, struct pseudo_node, inode); }

u64 pseudo_ino(u64 dir, const char *name, size_t len)
{
	u64 h = 0xcbf29ce484222325ull ^ dir * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (u8)name[i]) * 0x100000001b3ull;
	return (h >> 16 | 1) & 0xffffffffffull;
}

struct inode *pseudo_new(struct super *sb, const struct pseudo_entry *e, u64 ino, struct tgroup *tg,
                         struct task *task, u64 arg, u32 uid, u32 gid)
{
	struct pseudo_node *n = knew(struct pseudo_node);

	if (!n)
		return NULL;
	inode_init(&n->inode, e->permission ? &strict_ops : &pseudo_ops, sb, ino, e->mode, uid, gid);
	n->e = e;
	n->tg = tg ? tgroup_ref(tg) : NULL;
	n->task = task ? task_ref(task) : NULL;
	n->arg = arg;
	return &n->inode;
}

struct inode *pseudo_new_cgroup(struct super *sb, const struct pseudo_entry *e, struct cgroup *cg, u32 uid, u32 gid)
{
	struct inode *i = pseudo_new(sb, e, pseudo_ino(cg->id, e->name, strlen(e->name)), NULL, NULL, 0, uid, gid);

	if (i)
		to_pseudo(i)->cg = cgroup_ref(cg);
	return i;
}

static void node_release(struct inode *i)
{
	struct pseudo_node *n = to_pseudo(i);

	if (n->tg)
		tgroup_unref(n->tg);
	task_unref(n->task);
	cgroup_unref(n->cg);
	inode_done(i);
	kfree(n);
}

/* ---- names ---- */

static const struct pseudo_entry *entry_find(const struct pseudo_dir *d, const char *name, size_t len)
{
	for (size_t i = 0; i < d->n; i++)
		if (strlen(d->entries[i].name) == len && !memcmp(d->entries[i].name, name, len))
			return &d->entries[i];
	return NULL;
}

static int node_lookup(struct task *t, struct inode *dir, const char *name, size_t len, struct inode **ret)
{
	struct pseudo_node *n = to_pseudo(dir);
	const struct pseudo_entry *e;

	if (!n->e->dir)
		return -ENOTDIR;
	e = entry_find(n->e->dir, name, len);
	if (!e)
		return n->e->dir->find ? n->e->dir->find(t, n, name, len, ret) : -ENOENT;
	*ret = pseudo_new(dir->sb, e, pseudo_ino(dir->ino, name, len), n->tg, n->task, n->arg, dir->uid,
	                  dir->gid);
	return *ret ? 0 : -ENOMEM;
}

bool pseudo_emit(struct dir_ctx *c, struct pseudo_node *dir, const char *name, u32 mode, s64 next)
{
	size_t len = strlen(name);

	return c->emit(c, name, len, pseudo_ino(dir->inode.ino, name, len), (mode & S_IFMT) >> 12, next);
}

static int dir_readdir(struct task *t, struct file *f, struct dir_ctx *c)
{
	struct pseudo_node *n = to_pseudo(f->inode);
	const struct pseudo_dir *d = n->e->dir;

	for (s64 i = c->pos; i < (s64)d->n + 2; i++) {
		bool more;

		if (i < 2)
			more = c->emit(c, "..", i ? 2 : 1, n->inode.ino, DT_DIR, i + 1);
		else
			more = pseudo_emit(c, n, d->entries[i - 2].name, d->entries[i - 2].mode, i + 1);
		if (!more)
			return 0;
		c->pos = i + 1;
	}
	if (!d->list)
		return 0;
	if (c->pos < PSEUDO_DYNAMIC)
		c->pos = PSEUDO_DYNAMIC;
	return d->list(t, n, c);
}

struct counter {
	struct dir_ctx ctx;
	u64 all, dirs;
};

static bool count_one(struct dir_ctx *c, const char *name unused_ok, size_t len unused_ok, u64 ino unused_ok, unsigned type,
                      s64 next unused_ok)
{
	struct counter *k = container_of(c, struct counter, ctx);

	k->all++;
	k->dirs += type == DT_DIR;
	return true;
}

/* Directories have a link from each directory in them: who asks /proc/self/task for its threads counts these (Chromium does). */
static int node_getattr(struct task *t, struct inode *i, struct kstat *ret)
{
	struct pseudo_node *n = to_pseudo(i);
	const struct pseudo_dir *d = n->e->dir;
	struct counter k = { .ctx = { .emit = count_one, .pos = PSEUDO_DYNAMIC } };

	inode_fields(i, ret);
	if (!d)
		return 0;
	for (size_t e = 0; e < d->n; e++)
		k.dirs += S_ISDIR(d->entries[e].mode);
	if (d->list)
		(void)!d->list(t, n, &k.ctx);
	ret->nlink = 2 + (u32)k.dirs;
	if (d->sized)
		ret->size = k.all;
	return 0;
}

/* ---- files ---- */

static struct pseudo_file *to_pfile(struct file *f) { return container_of(f, struct pseudo_file, file); }

/* With pos_mu: pread and sendfile come without it. */
static ssize_t read_locked(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct pseudo_file *pf = to_pfile(f);
	struct pseudo_node *n = to_pseudo(f->inode);
	ssize_t r;

	if (!pf->made || *pos == 0) {
		r = permitted(t, n);
		if (r < 0)
			return r;
		strbuf_clear(&pf->text);
		pf->made = false;
		if (n->e->show) {
			int e = n->e->show(t, n, &pf->text);

			if (e < 0)
				return e;
		} else if (n->e->text) {
			strbuf_puts(&pf->text, n->e->text);
		}
		if (strbuf_err(&pf->text))
			return strbuf_err(&pf->text);
		pf->made = true;
	}
	if (*pos < 0 || (u64)*pos >= pf->text.len)
		return 0;
	r = iobuf_put(b, pf->text.p + *pos, MIN(b->left, pf->text.len - (size_t)*pos));
	if (r > 0)
		*pos += r;
	return r;
}

static ssize_t text_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	bool locked = file_lock_pos(f, pos);
	ssize_t r = read_locked(t, f, b, pos);

	file_unlock_pos(f, locked);
	return r;
}

static bool takes_text(const struct pseudo_entry *e) { return e->store || e->store_as; }

static ssize_t text_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct pseudo_node *n = to_pseudo(f->inode);
	struct pseudo_opener by = { f->cred, to_pfile(f)->cgroup_root };
	size_t len = MIN(b->left, STORE_MAX);
	auto_kfree char *text = kbuf_alloc(len + 1);
	ssize_t r;
	int e;

	if (!takes_text(n->e))
		return n->cg ? -EINVAL : -EPERM;
	if (!text)
		return -ENOMEM;
	r = iobuf_get(b, text, len);
	if (r < 0)
		return r;
	text[r] = 0;
	e = n->e->store ? n->e->store(t, n, text, (size_t)r) : n->e->store_as(t, &by, n, text);
	if (e < 0)
		return e;
	*pos += r;
	return r;
}

static s64 text_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	(void)t;
	if (whence == SEEK_CUR)
		off += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

static long text_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct pseudo_node *n = to_pseudo(f->inode);
	int r = permitted(t, n);

	if (r < 0)
		return r;
	return n->e->ioctl ? n->e->ioctl(t, n, cmd, arg) : -ENOTTY;
}

static void text_release(struct file *f)
{
	struct pseudo_file *pf = to_pfile(f);

	strbuf_done(&pf->text);
	cgroup_unref(pf->cgroup_root);
	file_done(f);
	kfree(pf);
}

static const struct file_ops text_ops = {
	.name = "pseudo",
	.read = text_read,
	.write = text_write,
	.lseek = text_lseek,
	.ioctl = text_ioctl,
	.release = text_release,
};

static const struct file_ops dir_ops = {
	.name = "pseudo-dir",
	.lseek = text_lseek,
	.readdir = dir_readdir,
	.release = text_release,
};

static int node_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct pseudo_node *n = to_pseudo(i);
	struct pseudo_file *pf;
	int r = permitted(t, n);

	if (r < 0)
		return r;
	if (n->e->open)
		return n->e->open(t, n, p, flags, ret);
	pf = knew(struct pseudo_file);
	if (!pf)
		return -ENOMEM;
	file_init(&pf->file, n->e->dir ? &dir_ops : &text_ops, flags, n->e->dir ? 0 : FILE_COMMAND, p, i,
		  task_cred(t));
	strbuf_init_limit(&pf->text, 64u << 20);
	pf->cgroup_root = n->cg ? cgroup_ref(task_cgroup_root(t)) : NULL;
	*ret = &pf->file;
	return 0;
}

/* ---- links and attributes ---- */

static ssize_t node_readlink(struct task *t, struct inode *i, char *buf, size_t cap)
{
	struct pseudo_node *n = to_pseudo(i);
	auto_strbuf s = { 0 };
	int r;

	strbuf_init(&s);
	if (!S_ISLNK(n->e->mode))
		return -EINVAL;
	r = permitted(t, n);
	if (r < 0)
		return r;
	if (n->e->show)
		r = n->e->show(t, n, &s);
	else
		r = (strbuf_puts(&s, n->e->text), 0);
	if (r == 0)
		r = strbuf_err(&s);
	if (r < 0)
		return r;
	memcpy(buf, s.p, MIN(cap, s.len));
	return (ssize_t)MIN(cap, s.len);
}

/* Ordinary links of a pseudo file system are followed by their text: -EINVAL tells the walk. */
static int node_follow(struct task *t, struct inode *i, struct path *ret)
{
	struct pseudo_node *n = to_pseudo(i);
	int r;

	if (!n->e->follow)
		return -EINVAL;
	r = permitted(t, n);
	return r < 0 ? r : n->e->follow(t, n, ret);
}

static int node_setattr(struct task *t, struct inode *i, const struct iattr *a)
{
	struct iattr kept = *a;

	(void)t;
	kept.valid &= ~(u32)IATTR_SIZE;
	if (to_pseudo(i)->cg) {
		mutex_lock(&i->mu);
		inode_apply_attr(i, &kept);
		mutex_unlock(&i->mu);
		return 0;
	}
	/* Opening a sysctl with O_TRUNC is usual (echo 1 > file). */
	if (!(a->valid & ~(IATTR_SIZE | IATTR_MTIME | IATTR_MTIME_NOW)) && takes_text(to_pseudo(i)->e))
		return 0;
	return -EPERM;
}

static int node_permission(struct task *t, struct inode *i, int mask)
{
	return to_pseudo(i)->e->permission(t, to_pseudo(i), mask);
}

#define COMMON_OPS \
	.lookup = node_lookup, .open = node_open, .readlink = node_readlink, .follow = node_follow, \
	.getattr = node_getattr, .setattr = node_setattr, .release = node_release
static const struct inode_ops pseudo_ops = { COMMON_OPS };
static const struct inode_ops strict_ops = { COMMON_OPS, .permission = node_permission };

int pseudo_mount(struct kernel *k, const struct super_ops *ops, u32 magic,
                 const struct pseudo_entry *root, struct super **ret_sb, struct inode **ret_root)
{
	struct super *sb = knew(struct super);
	struct inode *i;

	if (!sb)
		return -ENOMEM;
	super_init(sb, ops, k, magic);
	sb->nodcache = true;
	sb->source = ops->fstype;
	i = pseudo_new(sb, root, 1, NULL, NULL, 0, 0, 0);
	if (!i) {
		super_unref(sb);
		return -ENOMEM;
	}
	*ret_sb = sb;
	*ret_root = i;
	return 0;
}

void pseudo_super_release(struct super *sb) { kfree(sb); }
