/*
 * cred_exec.c - what execve(2) does to credentials: set-id bits, capabilities(7).
 *
 * P'(amb) = set-id or file capabilities ? 0 : P(amb)
 * P'(prm) = (P(inh) & F(inh)) | (F(prm) & P(bnd)) | P'(amb)
 * P'(eff) = F(eff) ? P'(prm) : P'(amb)
 * and root's files count as having all capabilities, unless SECBIT_NOROOT.
 */
#include <errno.h>
#include <linux/securebits.h>
#include <sys/stat.h>

#include "sentry/kernel/task_int.h"

/* Set-id bits. True when an id changed. */
static bool apply_setid(struct cred *c, const struct exec_file_cred *f)
{
	u32 euid = c->euid, egid = c->egid;

	if (!f || f->nosuid || c->no_new_privs)
		return false;
	if (f->mode & S_ISUID)
		c->euid = f->uid;
	if ((f->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		c->egid = f->gid;
	return c->euid != euid || c->egid != egid;
}

int cred_exec(struct task *t, const struct exec_file_cred *f, struct cred **ret, bool *ret_secure)
{
	const struct cred *old = t->cred;
	struct cred *c = cred_dup(old);
	bool setid, fcaps, effective = false;
	u64 prm = 0;

	if (!c)
		return -ENOMEM;
	setid = apply_setid(c, f);
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	fcaps = f && f->has_caps && !f->nosuid && !old->no_new_privs;
	if (fcaps) {
		prm = (f->cap_prm & old->cap_bnd) | (f->cap_inh & old->cap_inh);
		effective = f->cap_eff;
	}
	if (!(old->securebits & (1u << SECURE_NOROOT)) && !(fcaps && c->uid != 0 && c->euid == 0)) {
		if (c->euid == 0 || c->uid == 0)
			prm = old->cap_bnd | old->cap_inh;
		effective |= c->euid == 0;
	}
	if (setid || fcaps)
		c->cap_amb = 0;
	c->cap_prm = prm | c->cap_amb;
	c->cap_eff = effective ? c->cap_prm : c->cap_amb;
	c->securebits &= ~(1u << SECURE_KEEP_CAPS);
	*ret_secure = setid || c->uid != c->euid || c->gid != c->egid ||
		      (c->uid != 0 && (effective || c->cap_prm != c->cap_amb));
	*ret = c;
	return 0;
}
