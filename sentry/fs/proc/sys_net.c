/*
 * sys_net.c - /proc/sys/net: a tree made of the paths of the network's settings.
 *
 * node->arg of a file is the index of its setting; of a directory, the index of the first setting
 * below it and how many bytes of that one's path lead here: index << 8 | bytes ("ipv4/": 5).
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include "sentry/fs/proc/proc.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"
#include "sentry/socket/net_show.h"

static int show(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	const char *name = net_sysctl_name(task_net(t), (unsigned)n->arg);

	return name ? net_sysctl_show(task_net(t), name, out) : -ENOENT;
}

static int store(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	const char *name = net_sysctl_name(task_net(t), (unsigned)n->arg);

	(void)len;
	if (!net_capable(t, task_net(t), CAP_NET_ADMIN))
		return -EPERM;
	return name ? net_sysctl_store(task_net(t), name, text) : -ENOENT;
}

static const struct pseudo_dir tree;
static const struct pseudo_entry setting = { .name = "", .mode = S_IFREG | 0644, .show = show, .store = store };
static const struct pseudo_entry branch = { .name = "", .mode = S_IFDIR | 0555, .dir = &tree };

/* What follows directory @arg in setting @i's path, or NULL if that is elsewhere. */
static const char *below(struct net *k, u64 arg, unsigned i)
{
	const char *name = net_sysctl_name(k, i);
	size_t n = arg & 0xff;

	return name && !strncmp(name, net_sysctl_name(k, (unsigned)(arg >> 8)), n) ? name + n : NULL;
}

/* Did an earlier setting already give this component? */
static bool told(struct net *k, u64 arg, unsigned i, const char *part, size_t len)
{
	for (unsigned j = 0; j < i; j++) {
		const char *p = below(k, arg, j);

		if (p && strcspn(p, "/") == len && !strncmp(p, part, len))
			return true;
	}
	return false;
}

static int tree_list(struct task *t, struct pseudo_node *dir, struct dir_ctx *c)
{
	struct net *k = task_net(t);

	for (unsigned i = (unsigned)(c->pos - PSEUDO_DYNAMIC); net_sysctl_name(k, i); i++) {
		const char *p = below(k, dir->arg, i);
		size_t len = p ? strcspn(p, "/") : 0;
		char name[64];

		c->pos = PSEUDO_DYNAMIC + i;
		if (!p || len >= sizeof(name) || told(k, dir->arg, i, p, len))
			continue;
		memcpy(name, p, len);
		name[len] = 0;
		if (!pseudo_emit(c, dir, name, p[len] ? S_IFDIR : S_IFREG, c->pos + 1))
			return 0;
		c->pos++;
	}
	return 0;
}

static int tree_find(struct task *t, struct pseudo_node *dir, const char *name, size_t len, struct inode **ret)
{
	struct net *k = task_net(t);

	for (unsigned i = 0; net_sysctl_name(k, i); i++) {
		const char *p = below(k, dir->arg, i);
		u64 arg = i;

		if (!p || strcspn(p, "/") != len || strncmp(p, name, len) != 0)
			continue;
		if (p[len])
			arg = (u64)i << 8 | ((dir->arg & 0xff) + len + 1);
		*ret = pseudo_new(dir->inode.sb, p[len] ? &branch : &setting, pseudo_ino(dir->inode.ino, name, len),
				  NULL, NULL, arg, dir->inode.uid, dir->inode.gid);
		return *ret ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

static const struct pseudo_dir tree = { .list = tree_list, .find = tree_find };

static const struct pseudo_entry unix_entries[] = {
	{ .name = "max_dgram_qlen", .mode = S_IFREG | 0444, .text = "512\n" },
};
static const struct pseudo_dir unix_dir = { .entries = unix_entries, .n = ARRAY_SIZE(unix_entries) };
static const struct pseudo_entry net_entries[] = { { .name = "unix", .mode = S_IFDIR | 0555, .dir = &unix_dir } };

/* Its node's arg is 0: the path below it is the whole path. */
const struct pseudo_dir proc_sys_net_dir = {
	.entries = net_entries, .n = ARRAY_SIZE(net_entries), .list = tree_list, .find = tree_find,
};
