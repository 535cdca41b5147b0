/*
 * unix_addr.c - names of AF_UNIX sockets: pathnames, abstract names, autobind. See unix_int.h.
 *
 * A pathname socket is found through its inode: inode->unix_bound is a plain pointer that the
 * socket clears before it dies, under inode->mu; finders take a reference under the same lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdio.h>

#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"
#include "sentry/socket/unix_int.h"
#include "sentry/vfs/landlock.h"
#include "sentry/vfs/vfs.h"

#define NAME_OFF offsetof(struct sockaddr_un, sun_path)

struct unix_addr *unix_addr_ref(struct unix_addr *a)
{
	if (a)
		ref_get(&a->ref);
	return a;
}

void unix_addr_unref(struct unix_addr *a)
{
	if (a && ref_put(&a->ref))
		kfree(a);
}

int unix_addr_put(const struct unix_addr *a, void *name)
{
	struct sockaddr_un none = { .sun_family = AF_UNIX };
	const struct sockaddr_un *src = a ? &a->name : &none;
	u32 len = a ? a->len : NAME_OFF;

	__builtin_memcpy(name, src, MIN(len, sizeof(*src)));
	return (int)len;                /* 111 of a full path: the terminator is in the caller's zeros */
}

static struct unix_addr *addr_new(const struct sockaddr_un *sun, u32 len)
{
	struct unix_addr *a = knew(struct unix_addr);

	if (!a)
		return NULL;
	ref_init(&a->ref);
	a->len = len;
	__builtin_memcpy(&a->name, sun, MIN(len, (u32)sizeof(*sun)));
	return a;
}

/* A copy of the guest's name, checked. The length that counts, or -errno. */
static int addr_check(const void *name, u32 len, struct sockaddr_un *ret, char path[sizeof(ret->sun_path) + 1])
{
	size_t n;

	if (len < NAME_OFF || len > sizeof(*ret))
		return -EINVAL;
	__builtin_memset(ret, 0, sizeof(*ret));
	__builtin_memcpy(ret, name, len);
	if (ret->sun_family != AF_UNIX)
		return -EINVAL;
	if (len == NAME_OFF || !ret->sun_path[0])
		return (int)len;
	for (n = 0; n < len - NAME_OFF && ret->sun_path[n]; n++)
		path[n] = ret->sun_path[n];
	path[n] = 0;
	return (int)(NAME_OFF + n + 1);         /* Linux counts the terminator, though it may not fit */
}

int unix_name_check(const void *name, u32 len)
{
	const sa_family_t own = AF_UNIX;

	return len <= NAME_OFF || len > sizeof(struct sockaddr_un) || memcmp(name, &own, sizeof(own)) != 0 ? -EINVAL : 0;
}

/* ---- the abstract table ---- */

/* Names are per type and network namespace, as on Linux. */
static u64 abstract_hash(struct unix_table *ut, const struct unix_addr *a, int type, u64 net)
{
	return hash_bytes(&ut->key, &a->name, a->len) ^ (u64)type ^ net << 8;
}

static struct unix_sock *abstract_find(struct unix_table *ut, const struct unix_addr *a, int type, u64 net)
	REQUIRES(ut->mu)
{
	u64 h = abstract_hash(ut, a, type, net);

	for (struct hnode *n = htable_find(&ut->abstract, h); n; n = htable_find_next(n)) {
		struct unix_sock *u = hnode_entry(n, struct unix_sock, abstract);

		if (u->type == type && u->net == net && u->addr->len == a->len &&
		    !__builtin_memcmp(&u->addr->name, &a->name, a->len))
			return u;
	}
	return NULL;
}

/* 0 or -EADDRINUSE. Takes @a over on success. u->mu held. */
static int abstract_add(struct unix_sock *u, struct unix_addr *a)
{
	struct unix_table *ut = u->kernel->unix_sockets;
	int r = -EADDRINUSE;

	mutex_lock(&ut->mu);
	if (!abstract_find(ut, a, u->type, u->net)) {
		unix_addr_set(u, a);
		u->hashed = true;
		htable_add(&ut->abstract, &u->abstract, abstract_hash(ut, a, u->type, u->net));
		r = 0;
	}
	mutex_unlock(&ut->mu);
	return r;
}

int unix_autobind(struct task *t, struct unix_sock *u)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct unix_addr *a;
	char digits[8];
	int r = -EADDRINUSE;

	(void)t;
	for (int tries = 0; r == -EADDRINUSE && tries < 4096; tries++) {
		(void)snprintf(digits, sizeof(digits), "%05x", (unsigned)(rand_u64() & 0xfffff));
		__builtin_memcpy(sun.sun_path + 1, digits, 5);
		a = addr_new(&sun, NAME_OFF + 6);
		if (!a)
			return -ENOMEM;
		mutex_lock(&u->mu);
		r = u->addr ? 0 : abstract_add(u, a);
		if (r < 0 || u->addr != a)
			unix_addr_unref(a);
		mutex_unlock(&u->mu);
	}
	return r == -EADDRINUSE ? -ENOSPC : r;
}

static int bind_path(struct task *t, struct unix_sock *u, const char *path, struct unix_addr *a)
{
	struct inode *i;
	struct path at;
	int r;

	r = vfs_bind_socket(t, path, 0777, &at);
	if (r < 0)
		return r == -EEXIST ? -EADDRINUSE : r;
	i = path_inode(&at);
	mutex_lock(&u->mu);
	if (u->addr || u->state == UNIX_DEAD) {
		r = -EINVAL;                    /* named already: as in Linux the node was made first, and goes again */
	} else {
		unix_addr_set(u, a);
		u->path = at;
	}
	mutex_unlock(&u->mu);
	if (r < 0) {
		path_put(&at);
		(void)!vfs_unlink(t, AT_FDCWD, path);
		return r;
	}
	mutex_lock(&i->mu);
	i->unix_bound = u;
	mutex_unlock(&i->mu);
	return 0;
}

int unix_bind(struct task *t, struct socket *s, const void *name, u32 len)
{
	struct unix_sock *u = unix_of(s);
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct sockaddr_un sun;
	struct unix_addr *a;
	int r = addr_check(name, len, &sun, path);

	if (r < 0)
		return r;
	if (r == NAME_OFF)
		return unix_autobind(t, u);
	a = addr_new(&sun, (u32)r);
	if (!a)
		return -ENOMEM;
	if (sun.sun_path[0]) {
		r = bind_path(t, u, path, a);
	} else {
		mutex_lock(&u->mu);
		r = u->addr ? -EINVAL : abstract_add(u, a);
		mutex_unlock(&u->mu);
	}
	if (r < 0)
		unix_addr_unref(a);
	return r;
}

void unix_unbind(struct unix_sock *u)
{
	struct unix_table *ut = u->kernel->unix_sockets;
	struct path at = { 0 };

	mutex_lock(&ut->mu);
	if (u->hashed) {
		htable_del(&ut->abstract, &u->abstract);
		u->hashed = false;
	}
	mutex_unlock(&ut->mu);
	mutex_lock(&u->mu);
	at = u->path;
	u->path = (struct path){ 0 };
	mutex_unlock(&u->mu);
	if (at.dentry) {
		struct inode *i = path_inode(&at);

		mutex_lock(&i->mu);
		if (i->unix_bound == u)
			i->unix_bound = NULL;
		mutex_unlock(&i->mu);
		path_put(&at);
	}
}

int unix_bound_file(struct task *t, struct unix_sock *u)
{
	auto_path at = { 0 };
	auto_file *f = NULL;
	int r;

	if (!net_capable(t, task_net(t), CAP_NET_ADMIN))
		return -EPERM;
	mutex_lock(&u->mu);
	at = u->path;
	if (at.dentry)
		path_get(&at);
	mutex_unlock(&u->mu);
	if (!at.dentry)
		return -ENOENT;
	r = vfs_open_place(t, &at, &f);
	return r < 0 ? r : fd_install(t, f, true);
}

static int find_path(struct task *t, const char *path, struct unix_sock **ret)
{
	auto_path at = { 0 };
	struct inode *i;
	int r = vfs_lookup(t, AT_FDCWD, path, LOOKUP_FOLLOW, &at);

	if (r < 0)
		return r;
	i = path_inode(&at);
	r = inode_permission(t, i, W_OK);
	if (r < 0)
		return r;
	if (!S_ISSOCK(i->mode))
		return -ECONNREFUSED;
	r = -ECONNREFUSED;
	mutex_lock(&i->mu);
	if (i->unix_bound) {
		*ret = unix_ref(i->unix_bound);
		r = 0;
	}
	mutex_unlock(&i->mu);
	return r;
}

int unix_find(struct task *t, const void *name, u32 len, int type, struct unix_sock **ret)
{
	struct unix_table *ut = t->kernel->unix_sockets;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct unix_addr key;
	struct unix_sock *u;
	int r = addr_check(name, len, &key.name, path);

	if (r < 0)
		return r;
	if (r == NAME_OFF)
		return -EINVAL;
	if (key.name.sun_path[0]) {
		r = find_path(t, path, &u);
		if (r < 0)
			return r;
		if (u->type != type) {
			unix_unref(u);
			return -EPROTOTYPE;
		}
		*ret = u;
		return 0;
	}
	key.len = len;
	mutex_lock(&ut->mu);
	u = abstract_find(ut, &key, type, net_ns_number(task_net(t)));
	if (u)
		unix_ref(u);
	mutex_unlock(&ut->mu);
	if (!u)
		return -ECONNREFUSED;
	*ret = u;
	return 0;
}

bool unix_out_of_reach(struct task *t, struct unix_sock *to)
{
	const struct landlock *from = task_cred(t)->landlock;
	struct unix_table *ut = t->kernel->unix_sockets;
	bool ret;

	if (!from || !to->addr || to->addr->len == NAME_OFF || to->addr->name.sun_path[0])
		return false;
	mutex_lock(&ut->mu);
	ret = to->file && landlock_scoped(from, to->file->cred->landlock, LL_SCOPE_ABSTRACT);
	mutex_unlock(&ut->mu);
	return ret;
}

int unix_getname(struct socket *s, bool peer, void *name)
{
	struct unix_sock *u = unix_of(s), *of = u;
	struct unix_addr *a;
	int r;

	mutex_lock(&u->mu);
	if (peer)
		of = u->peer;
	if (of)
		unix_ref(of);
	mutex_unlock(&u->mu);
	if (!of)
		return -ENOTCONN;
	mutex_lock(&of->mu);
	a = unix_addr_ref(of->addr);
	mutex_unlock(&of->mu);
	r = unix_addr_put(a, name);
	unix_addr_unref(a);
	unix_unref(of);
	return r;
}
