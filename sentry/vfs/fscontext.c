/*
 * fscontext.c - see fscontext.h.
 *
 * Options are collected into the comma-separated text that mount(2) would have been
 * given, so a file system knows one way to be made.
 */
#include "sentry/vfs/fscontext.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/mount_ops.h"

#define OPTIONS_MAX 4096

enum phase { PARAMS, CREATED, RECONF, MOUNTED };

struct fscontext {
	struct file f;
	struct mutex mu;                /* RANK_FPOS: all below */
	enum phase phase;
	const struct fstype *type;      /* immutable; NULL: picked */
	struct path at;                 /* immutable: picked */
	char *source;
	char options[OPTIONS_MAX];
	bool readonly;
	struct super *sb;               /* CREATED: references */
	struct inode *root;
};

static const struct file_ops ctx_ops;

bool is_fscontext(const struct file *f) { return f->ops == &ctx_ops; }

static struct fscontext *ctx_of(struct file *f) { return container_of(f, struct fscontext, f); }

/* Messages for the caller: there are none. */
static ssize_t ctx_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	(void)t;
	(void)f;
	(void)b;
	(void)pos;
	return -ENODATA;
}

static void drop_made(struct fscontext *c)
{
	inode_unref(c->root);
	if (c->sb)
		super_unref(c->sb);
	c->root = NULL;
	c->sb = NULL;
}

static void ctx_release(struct file *f)
{
	struct fscontext *c = ctx_of(f);

	drop_made(c);
	if (c->at.mnt)
		path_put(&c->at);
	file_done(f);
	kfree(c->source);
	kfree(c);
}

static const struct file_ops ctx_ops = { .name = "fscontext", .read = ctx_read, .release = ctx_release };

static struct fscontext *ctx_new(struct task *t, const char *name)
{
	struct fscontext *c = knew(struct fscontext);

	if (!c)
		return NULL;
	mutex_init(&c->mu, RANK_FPOS);
	file_init(&c->f, &ctx_ops, O_RDWR, FILE_STREAM, NULL, NULL, task_cred(t));
	c->f.anon_name = name;
	c->f.anon_ino = kernel_next_ino(t->kernel);
	return c;
}

int fscontext_new(struct task *t, const struct fstype *type, struct file **ret)
{
	struct fscontext *c = ctx_new(t, "anon_inode:[fscontext]");

	if (!c)
		return -ENOMEM;
	c->type = type;
	*ret = &c->f;
	return 0;
}

int fscontext_pick(struct task *t, const struct path *at, struct file **ret)
{
	struct fscontext *c;

	if (!path_is_mount_root(at) || vfs_is_proxy(path_inode(at)))
		return -EINVAL;
	c = ctx_new(t, "anon_inode:[fscontext]");
	if (!c)
		return -ENOMEM;
	c->phase = RECONF;
	c->at = *at;
	path_get(&c->at);
	c->readonly = mount_flags(at->mnt) & MNT_READONLY;
	*ret = &c->f;
	return 0;
}

static int add_option(struct fscontext *c, const char *key, const char *value)
{
	size_t n = strlen(c->options), more = strlen(key) + (value ? strlen(value) + 1 : 0);
	struct strbuf b;

	if (strchr(key, ',') || (value && strchr(value, ',')))
		return -EINVAL;
	if (n + more + 2 > sizeof(c->options))
		return -EINVAL;
	strbuf_fixed(&b, c->options + n, sizeof(c->options) - n);
	strbuf_printf(&b, value ? "%s%s=%s" : "%s%s", n ? "," : "", key, value);
	return 0;
}

static int set_locked(struct fscontext *c, const char *key, const char *value)
{
	char *source;

	if (c->phase != PARAMS && c->phase != RECONF)
		return -EBUSY;
	if (!strcmp(key, "source")) {
		if (!value || c->source)
			return -EINVAL;
		source = kbuf_strdup(value);
		c->source = source;
		return source ? 0 : -ENOMEM;
	}
	if (!value && (!strcmp(key, "ro") || !strcmp(key, "rw"))) {
		c->readonly = key[1] == 'o';
		return 0;
	}
	return add_option(c, key, value);
}

int fscontext_set(struct file *f, const char *key, const char *value)
{
	struct fscontext *c = ctx_of(f);
	int r;

	mutex_lock(&c->mu);
	r = set_locked(c, key, value);
	mutex_unlock(&c->mu);
	return r;
}

int fscontext_create(struct task *t, struct file *f)
{
	struct fscontext *c = ctx_of(f);
	int r = -EBUSY;

	mutex_lock(&c->mu);
	if (c->phase == PARAMS)
		r = c->type->make(t, t->kernel, c->source, c->options[0] ? c->options : NULL, &c->sb, &c->root);
	if (r == 0)
		c->phase = CREATED;
	mutex_unlock(&c->mu);
	return r;
}

int fscontext_reconfigure(struct task *t, struct file *f)
{
	struct fscontext *c = ctx_of(f);
	struct mount_attrs a = { .set = c->readonly ? MNT_READONLY : 0, .clear = MNT_READONLY, .prop = -1 };
	int r = -EINVAL;

	mutex_lock(&c->mu);
	if (c->phase == RECONF)
		r = mount_set_attr(t, &c->at, &a, false);
	mutex_unlock(&c->mu);
	return r;
}

int fscontext_mount(struct task *t, struct file *f, u32 mnt_flags, struct mnt_ns **ret)
{
	struct fscontext *c = ctx_of(f);
	int r;

	mutex_lock(&c->mu);
	r = c->phase == MOUNTED ? -EBUSY : -EINVAL;
	if (c->phase == CREATED) {
		r = mount_new_ns(t, c->sb, c->root, mnt_flags | (c->readonly ? MNT_READONLY : 0),
				 c->source ? c->source : "none", ret);
		if (r == 0) {
			drop_made(c);
			c->phase = MOUNTED;
		}
	}
	mutex_unlock(&c->mu);
	return r;
}
