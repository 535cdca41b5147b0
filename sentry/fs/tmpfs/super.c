/*
 * super.c - a tmpfs as a whole: options, limits, statfs, /proc/mounts.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/tmpfs/tmpfs_int.h"
#include "sentry/kernel/kernel.h"

#define BLOCK 4096u

static int tmpfs_statfs(struct task *t, struct super *sb, struct statfs *ret)
{
	struct tmpfs *ts = container_of(sb, struct tmpfs, sb);

	(void)t;
	mutex_lock(&ts->mu);
	ret->f_blocks = ts->max_blocks;
	ret->f_bfree = ret->f_bavail = ts->max_blocks - MIN(ts->blocks, ts->max_blocks);
	ret->f_files = ts->max_inodes;
	ret->f_ffree = ts->max_inodes - MIN(ts->inodes, ts->max_inodes);
	mutex_unlock(&ts->mu);
	return 0;
}

static void tmpfs_show(struct super *sb, struct strbuf *s)
{
	struct tmpfs *ts = container_of(sb, struct tmpfs, sb);

	if (ts->max_blocks != ts->unasked)
		strbuf_printf(s, ",size=%lluk", (unsigned long long)ts->max_blocks * (BLOCK / 1024));
	if (ts->max_inodes != ts->unasked)
		strbuf_printf(s, ",nr_inodes=%llu", (unsigned long long)ts->max_inodes);
	if (ts->root_mode != 01777)
		strbuf_printf(s, ",mode=%03o", ts->root_mode);
	if (ts->root_uid)
		strbuf_printf(s, ",uid=%u", ts->root_uid);
	if (ts->root_gid)
		strbuf_printf(s, ",gid=%u", ts->root_gid);
	strbuf_puts(s, ",inode64");
}

static void tmpfs_release(struct super *sb)
{
	struct tmpfs *ts = container_of(sb, struct tmpfs, sb);

	kfree((void *)(uintptr_t)sb->source);
	kfree(ts);
}

static const struct super_ops tmpfs_super_ops = {
	.fstype = "tmpfs", .statfs = tmpfs_statfs, .show_options = tmpfs_show, .release = tmpfs_release,
};

/* ---- options ---- */

/* "64m", "50%" of memory, "1048576". */
static int parse_size(const struct kernel *k, const char *v, u64 *ret)
{
	char num[32];
	size_t len = strlen(v);
	unsigned shift = 0;
	u64 n;
	int r;

	if (len == 0 || len >= sizeof(num))
		return -EINVAL;
	memcpy(num, v, len + 1);
	switch (num[len - 1]) {
	case '%':
	case 'k': case 'K':
		shift = 10;
		break;
	case 'm': case 'M':
		shift = 20;
		break;
	case 'g': case 'G':
		shift = 30;
		break;
	case 't': case 'T':
		shift = 40;
		break;
	default:
		break;
	}
	if (shift)
		num[len - 1] = 0;
	r = str_to_u64(num, 10, &n);
	if (r < 0)
		return -EINVAL;
	if (v[len - 1] == '%')
		*ret = k->mem_total / 100 * MIN(n, 100);
	else if (mul_overflows(n, 1ull << shift, &n))
		return -EINVAL;
	else
		*ret = n;
	return 0;
}

static int parse_id(const char *v, int base, u64 max, u32 *ret)
{
	u64 n;

	if (str_to_u64(v, base, &n) < 0 || n > max)
		return -EINVAL;
	*ret = (u32)n;
	return 0;
}

static int set_option(struct tmpfs *ts, struct kernel *k, const char *name, const char *v)
{
	u64 n;
	int r;

	if (!v) {
		static const char *const ignored[] = { "inode32", "inode64", "noswap", "rw", "ro", "defaults" };

		for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
			if (str_eq(name, ignored[i]))
				return 0;
		return -EINVAL;
	}
	if (str_eq(name, "mode"))
		return parse_id(v, 8, 07777, &ts->root_mode);
	if (str_eq(name, "uid"))
		return parse_id(v, 10, UINT32_MAX, &ts->root_uid);
	if (str_eq(name, "gid"))
		return parse_id(v, 10, UINT32_MAX, &ts->root_gid);
	if (str_eq(name, "ino_base"))   /* ours, for overlays */
		return str_to_u64(v, 10, &ts->ino_base);
	if (str_eq(name, "huge") || str_eq(name, "mpol") || str_eq(name, "context"))
		return 0;
	if (!str_eq(name, "size") && !str_eq(name, "nr_blocks") && !str_eq(name, "nr_inodes"))
		return -EINVAL;
	r = parse_size(k, v, &n);
	if (r < 0)
		return r;
	if (str_eq(name, "nr_inodes"))
		ts->max_inodes = n;
	else
		ts->max_blocks = str_eq(name, "size") ? n / BLOCK + (n % BLOCK != 0) : n;
	return 0;
}

static int parse_options(struct tmpfs *ts, struct kernel *k, const char *opts)
{
	auto_kfree char *copy = opts ? kbuf_strdup(opts) : NULL;
	int r = 0;

	if (!opts)
		return 0;
	if (!copy)
		return -ENOMEM;
	for (char *p = copy, *next; r == 0 && p; p = next) {
		char *v;

		next = strchr(p, ',');
		if (next)
			*next++ = 0;
		if (!*p)
			continue;
		v = strchr(p, '=');
		if (v)
			*v++ = 0;
		r = set_option(ts, k, p, v);
	}
	return r;
}

int tmpfs_make(struct task *t, struct kernel *k, const char *source, const char *opts, struct super **ret_sb,
               struct inode **ret_root)
{
	struct tmpfs *ts = knew(struct tmpfs);
	struct tnode *root;
	int r;

	(void)t;
	if (!ts)
		return -ENOMEM;
	super_init(&ts->sb, &tmpfs_super_ops, k, TMPFS_MAGIC);
	ts->sb.source = kbuf_strdup(source ? source : "tmpfs");
	mutex_init(&ts->mu, RANK_LEAF);
	hash_key_init(&ts->key);
	ts->max_blocks = ts->max_inodes = ts->unasked = k->mem_total / 2 / BLOCK;
	ts->root_mode = 01777;
	r = ts->sb.source ? parse_options(ts, k, opts) : -ENOMEM;
	if (r == 0)
		r = tnode_new(ts, S_IFDIR | ts->root_mode, ts->root_uid, ts->root_gid, &root);
	if (r < 0) {
		super_unref(&ts->sb);
		return r;
	}
	*ret_sb = &ts->sb;
	*ret_root = &root->i;
	return 0;
}
