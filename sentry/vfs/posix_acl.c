/*
 * posix_acl.c - lists by themselves: their bytes, their meaning, what chmod and creat make of them.
 */
#include "sentry/vfs/posix_acl.h"
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/cred.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/perm.h"

#define XATTR_VERSION 2

struct xattr_entry { u16 tag, perm; u32 id; };          /* after a u32: the version */

struct posix_acl *acl_ref(struct posix_acl *a)
{
	if (a)
		ref_get(&a->ref);
	return a;
}

void acl_unref(struct posix_acl *a)
{
	if (a && ref_put(&a->ref))
		kfree(a);
}

static struct posix_acl *acl_new(u32 n)
{
	struct posix_acl *a = kbuf_alloc(sizeof(*a) + n * sizeof(a->e[0]));

	if (!a)
		return NULL;
	ref_init(&a->ref);
	a->n = n;
	return a;
}

static struct posix_acl *acl_copy(const struct posix_acl *from)
{
	struct posix_acl *a = acl_new(from->n);

	if (a)
		memcpy(a->e, from->e, from->n * sizeof(a->e[0]));
	return a;
}

/* ---- bytes ---- */

/* false: no such tag. */
static bool entry_of(const struct user_ns *u, const struct xattr_entry *x, struct acl_entry *ret)
{
	*ret = (struct acl_entry){ .tag = x->tag, .perm = x->perm, .id = ID_NONE };
	switch (x->tag) {
	case ACL_USER:
		ret->id = user_ns_uid(u, x->id);
		return true;
	case ACL_GROUP:
		ret->id = user_ns_gid(u, x->id);
		return true;
	case ACL_USER_OBJ:
	case ACL_GROUP_OBJ:
	case ACL_MASK:
	case ACL_OTHER:
		return true;
	default:
		return false;
	}
}

static bool is_named(const struct acl_entry *e) { return e->tag == ACL_USER || e->tag == ACL_GROUP; }

static int parse(const struct user_ns *u, const u8 *bytes, size_t n, bool nobody_ok, struct posix_acl **ret)
{
	struct xattr_entry x;
	struct posix_acl *a;
	u32 version;

	*ret = NULL;
	if (n < sizeof(version))
		return -EINVAL;
	memcpy(&version, bytes, sizeof(version));
	if (version != XATTR_VERSION)
		return -EOPNOTSUPP;
	n -= sizeof(version);
	if (n % sizeof(x) || n > ACL_MAX_BYTES)
		return -EINVAL;
	if (n == 0)
		return 0;
	a = acl_new((u32)(n / sizeof(x)));
	if (!a)
		return -ENOMEM;
	for (u32 i = 0; i < a->n; i++) {
		memcpy(&x, bytes + sizeof(version) + i * sizeof(x), sizeof(x));
		if (!entry_of(u, &x, &a->e[i]) || (!nobody_ok && is_named(&a->e[i]) && a->e[i].id == ID_NONE)) {
			acl_unref(a);
			return -EINVAL;
		}
	}
	*ret = a;
	return 0;
}

int acl_parse(const struct user_ns *u, const void *bytes, size_t n, struct posix_acl **ret)
{
	return parse(u, bytes, n, false, ret);
}

int acl_parse_host(const void *bytes, size_t n, struct posix_acl **ret)
{
	return parse(NULL, bytes, n, true, ret);
}

size_t acl_size(const struct posix_acl *a)
{
	return sizeof(u32) + a->n * sizeof(struct xattr_entry);
}

void acl_format(const struct user_ns *u, const struct posix_acl *a, void *bytes)
{
	u32 version = XATTR_VERSION;

	memcpy(bytes, &version, sizeof(version));
	for (u32 i = 0; i < a->n; i++) {
		const struct acl_entry *e = &a->e[i];
		struct xattr_entry x = { .tag = e->tag, .perm = e->perm, .id = ID_NONE };

		if (e->tag == ACL_USER)
			x.id = user_ns_from_uid(u, e->id);
		else if (e->tag == ACL_GROUP)
			x.id = user_ns_from_gid(u, e->id);
		memcpy((u8 *)bytes + sizeof(version) + i * sizeof(x), &x, sizeof(x));
	}
}

/* ---- meaning ---- */

/* Which entry may follow @last: the tags' order, and a mask before the others if anybody is @named. */
static bool may_follow(u16 last, u16 tag, bool named)
{
	switch (tag) {
	case ACL_USER_OBJ:
		return last == 0;
	case ACL_USER:
	case ACL_GROUP_OBJ:
		return last == ACL_USER_OBJ || last == ACL_USER;
	case ACL_GROUP:
	case ACL_MASK:
		return last == ACL_GROUP_OBJ || last == ACL_GROUP;
	case ACL_OTHER:
		return last == ACL_MASK || (last == ACL_GROUP_OBJ && !named);
	default:
		return false;
	}
}

bool acl_valid(const struct posix_acl *a)
{
	bool named = false;
	u16 last = 0;

	for (u32 i = 0; i < a->n; i++) {
		const struct acl_entry *e = &a->e[i];

		if ((e->perm & ~7u) || !may_follow(last, e->tag, named))
			return false;
		named |= is_named(e);
		last = e->tag;
	}
	return last == ACL_OTHER;
}

bool acl_to_mode(const struct posix_acl *a, u32 *mode)
{
	u32 bits = 0, mask = ~0u;

	for (u32 i = 0; i < a->n; i++) {
		const struct acl_entry *e = &a->e[i];

		if (e->tag == ACL_USER_OBJ)
			bits |= (u32)e->perm << 6;
		else if (e->tag == ACL_GROUP_OBJ)
			bits |= (u32)e->perm << 3;
		else if (e->tag == ACL_OTHER)
			bits |= e->perm;
		else if (e->tag == ACL_MASK)
			mask = e->perm;
	}
	if (mask != ~0u)
		bits = (bits & ~070u) | mask << 3;
	*mode = (*mode & ~0777u) | bits;
	return a->n == 3;
}

/* The first entry that is @c's and, if it is a group's, grants @mask; NULL: only groups that don't. */
static const struct acl_entry *entry_for(const struct posix_acl *a, const struct cred *c, u32 uid, u32 gid, u32 mask)
{
	bool in_group = false;

	for (u32 i = 0; i < a->n; i++) {
		const struct acl_entry *e = &a->e[i];
		u32 group = e->tag == ACL_GROUP ? e->id : gid;

		if ((e->tag == ACL_USER_OBJ && c->fsuid == uid) || (e->tag == ACL_USER && c->fsuid == e->id && e->id != ID_NONE))
			return e;
		if (e->tag == ACL_OTHER)
			return in_group ? NULL : e;
		if ((e->tag != ACL_GROUP_OBJ && e->tag != ACL_GROUP) || group == ID_NONE)
			continue;
		if (c->fsgid != group && !cred_in_group(c, group))
			continue;
		if ((e->perm & mask) == mask)
			return e;
		in_group = true;
	}
	return NULL;
}

int acl_check(const struct posix_acl *a, const struct cred *c, u32 uid, u32 gid, int mask)
{
	const struct acl_entry *e = entry_for(a, c, uid, gid, (u32)mask);
	u32 perm = e ? e->perm : 0;

	if (e && e->tag != ACL_USER_OBJ && e->tag != ACL_OTHER)
		for (const struct acl_entry *m = e; m < a->e + a->n; m++)
			if (m->tag == ACL_MASK)
				perm &= m->perm;
	return e && (perm & (u32)mask) == (u32)mask ? 0 : -EACCES;
}

/* ---- changes ---- */

/* The entries that the three classes of a mode stand for. */
static struct acl_entry *entry_of_class(struct posix_acl *a, u16 tag)
{
	for (u32 i = 0; i < a->n; i++)
		if (a->e[i].tag == tag)
			return &a->e[i];
	return NULL;
}

struct acl_classes { struct acl_entry *owner, *group, *other; };

static bool classes_of(struct posix_acl *a, struct acl_classes *ret)
{
	ret->owner = entry_of_class(a, ACL_USER_OBJ);
	ret->group = entry_of_class(a, ACL_MASK);
	if (!ret->group)
		ret->group = entry_of_class(a, ACL_GROUP_OBJ);
	ret->other = entry_of_class(a, ACL_OTHER);
	return ret->owner && ret->group && ret->other;
}

struct posix_acl *acl_chmod(const struct posix_acl *old, u32 mode)
{
	struct posix_acl *a = acl_copy(old);
	struct acl_classes c;

	if (a && classes_of(a, &c)) {
		c.owner->perm = mode >> 6 & 7;
		c.group->perm = mode >> 3 & 7;
		c.other->perm = mode & 7;
	}
	return a;
}

struct posix_acl *acl_for_new(const struct posix_acl *dir_default, u32 *mode)
{
	struct posix_acl *a = acl_copy(dir_default);
	struct acl_classes c;

	if (!a || !classes_of(a, &c))
		return a;
	c.owner->perm &= *mode >> 6 & 7;
	c.group->perm &= *mode >> 3 & 7;
	c.other->perm &= *mode & 7;
	*mode = (*mode & ~0777u) | (u32)c.owner->perm << 6 | (u32)c.group->perm << 3 | c.other->perm;
	return a;
}

void acl_heritage_done(struct acl_heritage *h)
{
	for (int i = 0; i < ACL_TYPES; i++)
		acl_unref(h->acl[i]);
}
