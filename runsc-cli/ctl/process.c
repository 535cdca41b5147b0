/*
 * process.c - struct ctl_process as bytes.
 *
 * Layout: struct fixed, groups, then NUL-terminated strings: cwd, program, argv..., envp...
 */
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "runsc-cli/ctl/ctl.h"

#define MAX_STRINGS 131072u
#define MAX_GROUPS  65536u

struct fixed {
	u32 uid, gid, umask, ngroups;
	u64 cap_bnd, cap_eff, cap_inh, cap_prm, cap_amb;
	u64 rlim_soft[CTL_RLIMITS], rlim_hard[CTL_RLIMITS];
	u32 rlim_set, tty, no_new_privs;
	s32 oom_score_adj;
	u32 argc, envc;
	u16 rows, cols;
	u32 nextra, personality;
	struct ctl_sched sched;
	u32 strings;                            /* bytes */
};

static size_t strings_size(const struct ctl_process *p)
{
	size_t n = strlen(p->cwd) + strlen(p->program ? p->program : "") + 2;

	for (u32 i = 0; i < p->argc; i++)
		n += strlen(p->argv[i]) + 1;
	for (u32 i = 0; i < p->envc; i++)
		n += strlen(p->envp[i]) + 1;
	return n;
}

static char *put_str(char *at, const char *s)
{
	size_t n = strlen(s) + 1;

	memcpy(at, s, n);
	return at + n;
}

long ctl_process_pack(const struct ctl_process *p, void *buf, size_t cap)
{
	struct fixed f = {
		.uid = p->uid, .gid = p->gid, .umask = p->umask, .ngroups = p->ngroups,
		.cap_bnd = p->cap_bnd, .cap_eff = p->cap_eff, .cap_inh = p->cap_inh, .cap_prm = p->cap_prm,
		.cap_amb = p->cap_amb, .rlim_set = p->rlim_set, .tty = p->tty, .no_new_privs = p->no_new_privs,
		.oom_score_adj = p->oom_score_adj, .argc = p->argc, .envc = p->envc, .rows = p->rows, .cols = p->cols,
		.nextra = p->nextra, .sched = p->sched, .personality = p->personality,
	};
	size_t strings = strings_size(p), groups = (size_t)p->ngroups * sizeof(u32);
	size_t total = sizeof(f) + groups + strings;
	char *at = buf;

	if (total > CTL_MAX || p->ngroups > MAX_GROUPS || p->argc > MAX_STRINGS || p->envc > MAX_STRINGS)
		return -E2BIG;
	if (cap == 0)
		return (long)total;
	if (total > cap)
		return -E2BIG;
	f.strings = (u32)strings;
	memcpy(f.rlim_soft, p->rlim_soft, sizeof(f.rlim_soft));
	memcpy(f.rlim_hard, p->rlim_hard, sizeof(f.rlim_hard));
	memcpy(at, &f, sizeof(f));
	at += sizeof(f);
	if (groups)
		memcpy(at, p->groups, groups);
	at = put_str(at + groups, p->cwd);
	at = put_str(at, p->program ? p->program : "");
	for (u32 i = 0; i < p->argc; i++)
		at = put_str(at, p->argv[i]);
	for (u32 i = 0; i < p->envc; i++)
		at = put_str(at, p->envp[i]);
	return (long)total;
}

/* The next string of [*at, end), or NULL when none is complete. */
static char *take_str(char **at, char *end)
{
	char *s = *at, *nul = s < end ? memchr(s, 0, (size_t)(end - s)) : NULL;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return s;
}

static int check_fixed(const struct fixed *f, size_t n)
{
	if (f->ngroups > MAX_GROUPS || f->argc == 0 || f->argc > MAX_STRINGS || f->envc > MAX_STRINGS)
		return -EINVAL;
	if (n != sizeof(*f) + (size_t)f->ngroups * sizeof(u32) + f->strings)
		return -EINVAL;
	if (f->rlim_set >> CTL_RLIMITS || f->nextra > CTL_EXTRA_FDS)
		return -EINVAL;
	for (int i = 0; i < CTL_RLIMITS; i++)
		if (f->rlim_soft[i] > f->rlim_hard[i])
			return -EINVAL;
	return 0;
}

static void from_fixed(struct ctl_process *p, const struct fixed *f)
{
	*p = (struct ctl_process){
		.uid = f->uid, .gid = f->gid, .umask = f->umask & 0777, .ngroups = f->ngroups,
		.cap_bnd = f->cap_bnd, .cap_eff = f->cap_eff, .cap_inh = f->cap_inh, .cap_prm = f->cap_prm,
		.cap_amb = f->cap_amb, .rlim_set = f->rlim_set, .tty = f->tty, .no_new_privs = f->no_new_privs,
		.oom_score_adj = f->oom_score_adj, .argc = f->argc, .envc = f->envc, .rows = f->rows, .cols = f->cols,
		.nextra = f->nextra, .sched = f->sched, .personality = f->personality,
	};
	memcpy(p->rlim_soft, f->rlim_soft, sizeof(p->rlim_soft));
	memcpy(p->rlim_hard, f->rlim_hard, sizeof(p->rlim_hard));
}

int ctl_process_unpack(const void *buf, size_t n, struct ctl_process *ret, void **ret_mem)
{
	struct fixed f;
	size_t vecs, groups;
	char *mem, *at, *end;

	if (n < sizeof(f))
		return -EINVAL;
	memcpy(&f, buf, sizeof(f));
	if (check_fixed(&f, n) < 0)
		return -EINVAL;
	vecs = ((size_t)f.argc + f.envc + 2) * sizeof(char *);
	groups = (size_t)f.ngroups * sizeof(u32);
	mem = kbuf_alloc(vecs + groups + f.strings);
	if (!mem)
		return -ENOMEM;
	memcpy(mem + vecs, (const char *)buf + sizeof(f), groups + f.strings);
	from_fixed(ret, &f);
	ret->argv = (char **)(void *)mem;
	ret->envp = ret->argv + f.argc + 1;
	ret->groups = (u32 *)(void *)(mem + vecs);
	at = mem + vecs + groups;
	end = at + f.strings;
	ret->cwd = take_str(&at, end);
	ret->program = ret->cwd ? take_str(&at, end) : NULL;
	for (u32 i = 0; i < f.argc && ret->cwd; i++)
		if (!(ret->argv[i] = take_str(&at, end)))
			ret->cwd = NULL;
	for (u32 i = 0; i < f.envc && ret->cwd; i++)
		if (!(ret->envp[i] = take_str(&at, end)))
			ret->cwd = NULL;
	if (!ret->cwd || !ret->program || at != end) {
		kfree(mem);
		return -EINVAL;
	}
	*ret_mem = mem;
	return 0;
}
