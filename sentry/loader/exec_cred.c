/*
 * exec_cred.c - the credentials that a program gets (capabilities(7), "Transformation of
 * capabilities during execve"; Linux: security/commoncap.c).
 *
 * Set-id bits and file capabilities count unless the mount is nosuid or the
 * task has no_new_privs.  All of it is the guest's: no host privilege is involved.
 */
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/loader/loader_int.h"

struct file_caps { bool present, effective; u64 permitted, inheritable; };

/* The xattr security.capability: revisions 2 and 3 (with a root id of 0). */
static void read_file_caps(struct task *t, struct inode *i, struct file_caps *ret)
{
	struct { u32 magic; struct { u32 permitted, inheritable; } w[2]; u32 rootid; } v;
	const size_t size2 = sizeof(v) - sizeof(v.rootid);
	ssize_t n;
	u32 magic;

	*ret = (struct file_caps){ 0 };
	if (!i->ops->getxattr)
		return;
	memset(&v, 0, sizeof(v));
	n = i->ops->getxattr(t, i, "security.capability", &v, sizeof(v));
	if (n < (ssize_t)size2)
		return;
	magic = le32toh(v.magic);
	if (!((magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_2 && (size_t)n == size2) &&
	    !((magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_3 && (size_t)n == sizeof(v) && !v.rootid))
		return;
	ret->present = true;
	ret->effective = magic & VFS_CAP_FLAGS_EFFECTIVE;
	ret->permitted = le32toh(v.w[0].permitted) | (u64)le32toh(v.w[1].permitted) << 32;
	ret->inheritable = le32toh(v.w[0].inheritable) | (u64)le32toh(v.w[1].inheritable) << 32;
}

static bool is_root(const struct cred *c, u32 uid)
{
	return user_ns_is_root(c->user_ns, uid);
}

static void apply_setid(struct cred *c, const struct kstat *st)
{
	/* Ids that the user namespace does not have cannot be had. */
	if (user_ns_from_uid(c->user_ns, st->uid) == ID_NONE || user_ns_from_gid(c->user_ns, st->gid) == ID_NONE)
		return;
	if (st->mode & S_ISUID)
		c->euid = st->uid;
	/* Set-gid without group execution once meant mandatory locking. */
	if ((st->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		c->egid = st->gid;
}

/* The new permitted, effective and ambient sets. */
static int apply_caps(struct cred *c, const struct cred *old, const struct file_caps *fc, bool nnp, bool *ret_eff)
{
	bool setid = c->euid != old->uid || c->egid != old->gid, eff = fc->effective;
	bool root = !(c->securebits & SECBIT_NOROOT) && (is_root(c, c->euid) || is_root(c, c->uid));
	u64 permitted = 0;

	if (fc->present) {
		permitted = (fc->permitted & c->cap_bnd) | (fc->inheritable & c->cap_inh);
		/* A program that relies on its capabilities must not run with fewer. */
		if (eff && (fc->permitted & ~permitted) && !root)
			return -EPERM;
	}
	if (root && !(fc->present && is_root(c, c->euid) && !is_root(c, c->uid))) {
		permitted = c->cap_bnd | c->cap_inh;
		eff = eff || is_root(c, c->euid);
	}
	/* Being root gives nothing then that one has given up. */
	if (nnp)
		permitted &= old->cap_prm;
	if (fc->present || setid)
		c->cap_amb = 0;
	c->cap_prm = permitted | c->cap_amb;
	c->cap_eff = eff ? c->cap_prm : c->cap_amb;
	*ret_eff = eff;
	return 0;
}

static bool same(const struct cred *a, const struct cred *b)
{
	return a->euid == b->euid && a->suid == b->suid && a->fsuid == b->fsuid && a->egid == b->egid &&
		a->sgid == b->sgid && a->fsgid == b->fsgid && a->cap_prm == b->cap_prm &&
		a->cap_eff == b->cap_eff && a->cap_amb == b->cap_amb && a->securebits == b->securebits;
}

int exec_cred(struct task *t, struct file *f, struct cred **ret, bool *ret_secure)
{
	const struct cred *old = task_cred(t);
	bool nnp = t->no_new_privs, nosuid = nnp || (f->path.mnt && (mount_flags(f->path.mnt) & MNT_NOSUID));
	struct file_caps fc = { 0 };
	struct cred *c = cred_dup(old);
	bool eff = false, setid;
	struct kstat st;
	int r;

	*ret = NULL;
	if (!c)
		return -ENOMEM;
	if (!nosuid && f->inode) {
		r = inode_getattr(t, f->inode, &st);
		if (r < 0) {
			cred_unref(c);
			return r;
		}
		apply_setid(c, &st);
		read_file_caps(t, f->inode, &fc);
	}
	setid = c->euid != old->uid || c->egid != old->gid;
	r = apply_caps(c, old, &fc, nnp, &eff);
	if (r < 0) {
		cred_unref(c);
		return r;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	c->securebits &= ~(u32)SECBIT_KEEP_CAPS;
	*ret_secure = setid || (!is_root(old, old->uid) && (eff || (c->cap_prm & ~c->cap_amb)));
	if (same(c, old))
		cred_unref(c);
	else
		*ret = c;
	return 0;
}
