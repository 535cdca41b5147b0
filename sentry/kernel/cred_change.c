/*
 * cred_change.c - what setuid and friends do to ids and capabilities.
 *
 * Each call works on a private copy and publishes it, so that readers see all
 * of a change or nothing.  The capability rules are capabilities(7), "Effect
 * of user ID changes on capabilities".
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>

#include "sentry/ipc/keys.h"
#include "sentry/kernel/task_int.h"
#include "sentry/kernel/user_ns.h"

#define KEEP ((u32)-1)
/* Capabilities that follow the file system uid (CAP_FS_SET of Linux). */
#define CAP_FS_SET ((1ull << CAP_CHOWN) | (1ull << CAP_MKNOD) | (1ull << CAP_DAC_OVERRIDE) | \
		    (1ull << CAP_DAC_READ_SEARCH) | (1ull << CAP_FOWNER) | (1ull << CAP_FSETID) | \
		    (1ull << CAP_LINUX_IMMUTABLE) | (1ull << CAP_MAC_OVERRIDE))

static bool secure(const struct cred *c, int bit)
{
	return (c->securebits & (1u << bit)) != 0;
}

static bool is_root(const struct cred *c, u32 uid)
{
	return user_ns_is_root(c->user_ns, uid);
}

static void fix_caps(struct cred *c, const struct cred *old)
{
	bool was_root = is_root(old, old->uid) || is_root(old, old->euid) || is_root(old, old->suid);

	if (secure(old, SECURE_NO_SETUID_FIXUP))
		return;
	if (was_root && !is_root(c, c->uid) && !is_root(c, c->euid) && !is_root(c, c->suid)) {
		if (!secure(old, SECURE_KEEP_CAPS)) {
			c->cap_prm = 0;
			c->cap_eff = 0;
		}
		c->cap_amb = 0;
	}
	if (is_root(old, old->euid) && !is_root(c, c->euid))
		c->cap_eff = 0;
	if (!is_root(old, old->euid) && is_root(c, c->euid))
		c->cap_eff = c->cap_prm;
}

/* Publish; a change of what others may do to the process makes it undumpable. */
static void commit(struct task *t, struct cred *c)
{
	const struct cred *old = t->cred;
	bool changed = old->euid != c->euid || old->egid != c->egid || old->fsuid != c->fsuid ||
		       old->fsgid != c->fsgid || (c->cap_prm & ~old->cap_prm) != 0, ids;

	if (changed) {
		mutex_lock(&t->tg->mu);
		t->tg->dumpable = false;
		mutex_unlock(&t->tg->mu);
		t->pdeath_signal = 0;
	}
	ids = old->fsuid != c->fsuid || old->fsgid != c->fsgid;
	task_set_cred(t, c);
	if (ids)
		keys_ids_changed(t);
}

int cred_setuid(struct task *t, u32 uid)
{
	const struct cred *old = t->cred;
	struct cred *c;

	if (uid == KEEP)
		return -EINVAL;
	if (!self_capable(t, CAP_SETUID) && uid != old->uid && uid != old->suid)
		return -EPERM;
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	if (self_capable(t, CAP_SETUID))
		c->uid = c->suid = uid;
	c->euid = c->fsuid = uid;
	fix_caps(c, old);
	commit(t, c);
	return 0;
}

int cred_setgid(struct task *t, u32 gid)
{
	const struct cred *old = t->cred;
	struct cred *c;

	if (gid == KEEP)
		return -EINVAL;
	if (!self_capable(t, CAP_SETGID) && gid != old->gid && gid != old->sgid)
		return -EPERM;
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	if (self_capable(t, CAP_SETGID))
		c->gid = c->sgid = gid;
	c->egid = c->fsgid = gid;
	commit(t, c);
	return 0;
}

int cred_setreuid(struct task *t, u32 ruid, u32 euid)
{
	const struct cred *old = t->cred;
	bool priv = self_capable(t, CAP_SETUID);
	struct cred *c;

	if (!priv && ruid != KEEP && ruid != old->uid && ruid != old->euid)
		return -EPERM;
	if (!priv && euid != KEEP && euid != old->uid && euid != old->euid && euid != old->suid)
		return -EPERM;
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	if (ruid != KEEP)
		c->uid = ruid;
	if (euid != KEEP)
		c->euid = euid;
	if (ruid != KEEP || (euid != KEEP && euid != old->uid))
		c->suid = c->euid;
	c->fsuid = c->euid;
	fix_caps(c, old);
	commit(t, c);
	return 0;
}

int cred_setregid(struct task *t, u32 rgid, u32 egid)
{
	const struct cred *old = t->cred;
	bool priv = self_capable(t, CAP_SETGID);
	struct cred *c;

	if (!priv && rgid != KEEP && rgid != old->gid && rgid != old->egid)
		return -EPERM;
	if (!priv && egid != KEEP && egid != old->gid && egid != old->egid && egid != old->sgid)
		return -EPERM;
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	if (rgid != KEEP)
		c->gid = rgid;
	if (egid != KEEP)
		c->egid = egid;
	if (rgid != KEEP || (egid != KEEP && egid != old->gid))
		c->sgid = c->egid;
	c->fsgid = c->egid;
	commit(t, c);
	return 0;
}

static bool one_of(u32 id, u32 a, u32 b, u32 c)
{
	return id == KEEP || id == a || id == b || id == c;
}

int cred_setresuid(struct task *t, u32 r, u32 e, u32 s)
{
	const struct cred *old = t->cred;
	struct cred *c;

	if (!self_capable(t, CAP_SETUID) &&
	    !(one_of(r, old->uid, old->euid, old->suid) && one_of(e, old->uid, old->euid, old->suid) &&
	      one_of(s, old->uid, old->euid, old->suid)))
		return -EPERM;
	if ((r == KEEP || r == old->uid) && (e == KEEP || (e == old->euid && e == old->fsuid)) &&
	    (s == KEEP || s == old->suid))
		return 0;               /* then fsuid stays, too */
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	if (r != KEEP)
		c->uid = r;
	if (e != KEEP)
		c->euid = e;
	if (s != KEEP)
		c->suid = s;
	c->fsuid = c->euid;
	fix_caps(c, old);
	commit(t, c);
	return 0;
}

int cred_setresgid(struct task *t, u32 r, u32 e, u32 s)
{
	const struct cred *old = t->cred;
	struct cred *c;

	if (!self_capable(t, CAP_SETGID) &&
	    !(one_of(r, old->gid, old->egid, old->sgid) && one_of(e, old->gid, old->egid, old->sgid) &&
	      one_of(s, old->gid, old->egid, old->sgid)))
		return -EPERM;
	if ((r == KEEP || r == old->gid) && (e == KEEP || (e == old->egid && e == old->fsgid)) &&
	    (s == KEEP || s == old->sgid))
		return 0;
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	if (r != KEEP)
		c->gid = r;
	if (e != KEEP)
		c->egid = e;
	if (s != KEEP)
		c->sgid = s;
	c->fsgid = c->egid;
	commit(t, c);
	return 0;
}

/* setfsuid and setfsgid cannot fail: they return the old id, changed or not. */
long cred_setfsuid(struct task *t, u32 uid)
{
	const struct cred *old = t->cred;
	u32 was = old->fsuid;
	struct cred *c;

	if (uid == KEEP || uid == was ||
	    (!self_capable(t, CAP_SETUID) && uid != old->uid && uid != old->euid && uid != old->suid))
		return was;
	c = cred_dup(old);
	if (!c)
		return was;
	c->fsuid = uid;
	if (!secure(old, SECURE_NO_SETUID_FIXUP)) {
		if (is_root(c, was))
			c->cap_eff &= ~CAP_FS_SET;
		else if (is_root(c, uid))
			c->cap_eff |= c->cap_prm & CAP_FS_SET;
	}
	commit(t, c);
	return was;
}

long cred_setfsgid(struct task *t, u32 gid)
{
	const struct cred *old = t->cred;
	u32 was = old->fsgid;
	struct cred *c;

	if (gid == KEEP || gid == was ||
	    (!self_capable(t, CAP_SETGID) && gid != old->gid && gid != old->egid && gid != old->sgid))
		return was;
	c = cred_dup(old);
	if (!c)
		return was;
	c->fsgid = gid;
	commit(t, c);
	return was;
}

int cred_set_groups(struct task *t, u32 n, u32 *groups)
{
	struct cred *c;

	if (!self_capable(t, CAP_SETGID) || !user_ns_may_setgroups(t->cred->user_ns))
		return -EPERM;
	c = cred_dup(t->cred);
	if (!c)
		return -ENOMEM;
	cred_take_groups(c, n, groups);
	commit(t, c);
	return 0;
}

int cred_set_caps(struct task *t, u64 eff, u64 prm, u64 inh)
{
	const struct cred *old = t->cred;
	struct cred *c;

	if (!self_capable(t, CAP_SETPCAP) && (inh & ~(old->cap_inh | old->cap_prm)) != 0)
		return -EPERM;
	if ((inh & ~(old->cap_inh | old->cap_bnd)) != 0 || (prm & ~old->cap_prm) != 0 || (eff & ~prm) != 0)
		return -EPERM;
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	c->cap_eff = eff;
	c->cap_prm = prm;
	c->cap_inh = inh;
	c->cap_amb &= prm & inh;
	commit(t, c);
	return 0;
}
