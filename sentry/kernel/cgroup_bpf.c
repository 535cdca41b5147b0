/*
 * cgroup_bpf.c - see cgroup_bpf.h.
 */
#include "sentry/kernel/cgroup_bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/kernel/ebpf.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/file.h"

static struct mutex *tree_mu(const struct cgroup *cg) { return &cg->kernel->cgroups.mu; }

/* ---- programs ---- */

int bpf_prog_new(struct kernel *k, u32 type, const struct bpf_insn *insn, u32 n, const char *name, struct bpf_prog **ret)
{
	struct bpf_prog *p;
	int r = ebpf_check(insn, n, type == BPF_PROG_TYPE_CGROUP_DEVICE);

	if (r < 0)
		return r;
	p = kbuf_alloc(sizeof(*p) + n * sizeof(*insn));
	if (!p)
		return -ENOMEM;
	memset(p, 0, sizeof(*p));
	memcpy(p->insn, insn, n * sizeof(*insn));
	ref_init(&p->ref);
	p->kernel = k;
	p->type = type;
	p->n = n;
	(void)str_copy(p->name, sizeof(p->name), name);
	mutex_lock(&k->cgroups.mu);
	p->id = ++k->cgroups.last_prog;
	list_add_tail(&p->node, &k->cgroups.progs);
	mutex_unlock(&k->cgroups.mu);
	*ret = p;
	return 0;
}

struct bpf_prog *bpf_prog_ref(struct bpf_prog *p)
{
	ref_get(&p->ref);
	return p;
}

void bpf_prog_unref(struct bpf_prog *p)
{
	if (!p || !ref_put(&p->ref))
		return;
	mutex_lock(&p->kernel->cgroups.mu);
	list_del_init(&p->node);
	mutex_unlock(&p->kernel->cgroups.mu);
	kfree(p);
}

struct bpf_prog *bpf_prog_find(struct kernel *k, u32 id)
{
	struct bpf_prog *p, *found = NULL;

	mutex_lock(&k->cgroups.mu);
	list_for_each(p, &k->cgroups.progs, node)
		if (p->id == id && ref_get_unless_zero(&p->ref))
			found = p;
	mutex_unlock(&k->cgroups.mu);
	return found;
}

struct prog_file {
	struct file f;
	struct bpf_prog *p;                     /* immutable: a reference */
};

static void prog_fdinfo(struct file *f, struct strbuf *s)
{
	const struct bpf_prog *p = container_of(f, struct prog_file, f)->p;

	strbuf_printf(s, "prog_type:\t%u\nprog_jited:\t0\nprog_id:\t%u\n", p->type, p->id);
}

static void prog_release(struct file *f)
{
	struct prog_file *pf = container_of(f, struct prog_file, f);

	file_done(f);
	bpf_prog_unref(pf->p);
	kfree(pf);
}

static const struct file_ops prog_ops = { .name = "bpf-prog", .fdinfo = prog_fdinfo, .release = prog_release };

int bpf_prog_file(struct task *t, struct bpf_prog *p, struct file **ret)
{
	struct path none = { 0 };
	struct prog_file *pf = knew(struct prog_file);

	if (!pf)
		return -ENOMEM;
	file_init(&pf->f, &prog_ops, O_RDWR, FILE_STREAM, &none, NULL, task_cred(t));
	pf->f.anon_name = "anon_inode:bpf-prog";
	pf->p = bpf_prog_ref(p);
	*ret = &pf->f;
	return 0;
}

struct bpf_prog *bpf_prog_of(const struct file *f)
{
	return f->ops == &prog_ops ? container_of(f, struct prog_file, f)->p : NULL;
}

/* ---- attaching ---- */

static u32 find_locked(const struct cgroup *cg, const struct bpf_prog *p)
{
	u32 i = 0;

	while (i < cg->nprogs && cg->progs[i] != p)
		i++;
	return i;
}

/* The nearest group around that has programs says whether others may come below. */
static bool allowed_above_locked(const struct cgroup *cg)
{
	for (const struct cgroup *c = cg->parent; c; c = c->parent) {
		if (c->prog_flags & BPF_F_ALLOW_MULTI)
			return true;
		if (c->nprogs)
			return c->prog_flags & BPF_F_ALLOW_OVERRIDE;
	}
	return true;
}

/* Where @p is to go among the programs of @cg: a place in use is replaced. */
static int place_locked(const struct cgroup *cg, const struct bpf_prog *p, const struct bpf_prog *old, u32 flags, u32 *ret)
{
	if (cg->dead)
		return -ENODEV;
	if (!allowed_above_locked(cg) || (cg->nprogs && cg->prog_flags != flags))
		return -EPERM;
	*ret = 0;
	if (!(flags & BPF_F_ALLOW_MULTI))
		return 0;
	if (find_locked(cg, p) < cg->nprogs && p != old)
		return -EINVAL;
	*ret = old ? find_locked(cg, old) : cg->nprogs;
	if (old && *ret == cg->nprogs)
		return -ENOENT;
	return *ret == CGROUP_PROGS ? -E2BIG : 0;
}

int cgroup_bpf_attach(struct cgroup *cg, struct bpf_prog *p, struct bpf_prog *old, u32 flags)
{
	struct bpf_prog **array = kbuf_array(CGROUP_PROGS, sizeof(struct bpf_prog *)), *gone = NULL;
	u32 at;
	int r;

	if (!array)
		return -ENOMEM;
	mutex_lock(tree_mu(cg));
	r = place_locked(cg, p, old, flags, &at);
	if (r == 0) {
		if (!cg->progs) {
			cg->progs = array;
			array = NULL;
		}
		gone = at < cg->nprogs ? cg->progs[at] : NULL;
		cg->progs[at] = bpf_prog_ref(p);
		cg->nprogs = MAX(cg->nprogs, at + 1);
		cg->prog_flags = flags;
		cg->kernel->cgroups.attached += gone == NULL;
	}
	mutex_unlock(tree_mu(cg));
	kfree(array);
	bpf_prog_unref(gone);
	return r;
}

int cgroup_bpf_detach(struct cgroup *cg, struct bpf_prog *p)
{
	struct bpf_prog *gone = NULL;
	u32 at = 0;
	int r = 0;

	mutex_lock(tree_mu(cg));
	if (cg->prog_flags & BPF_F_ALLOW_MULTI) {
		at = find_locked(cg, p);
		r = p ? 0 : -EINVAL;
	}
	if (r == 0 && at >= cg->nprogs)
		r = -ENOENT;
	if (r == 0) {
		gone = cg->progs[at];
		cg->nprogs--;
		memmove(&cg->progs[at], &cg->progs[at + 1], (cg->nprogs - at) * sizeof(struct bpf_prog *));
		cg->prog_flags = cg->nprogs ? cg->prog_flags : 0;
		cg->kernel->cgroups.attached--;
	}
	mutex_unlock(tree_mu(cg));
	bpf_prog_unref(gone);
	return r;
}

u32 cgroup_bpf_query(struct cgroup *cg, u32 *ids, u32 max, u32 *ret_flags)
{
	u32 n;

	mutex_lock(tree_mu(cg));
	n = cg->nprogs;
	for (u32 i = 0; i < MIN(n, max); i++)
		ids[i] = cg->progs[i]->id;
	*ret_flags = cg->prog_flags;
	mutex_unlock(tree_mu(cg));
	return n;
}

void cgroup_bpf_drop(struct cgroup *cg)
{
	mutex_lock(tree_mu(cg));
	cg->kernel->cgroups.attached -= cg->nprogs;
	mutex_unlock(tree_mu(cg));
	for (u32 i = 0; i < cg->nprogs; i++)
		bpf_prog_unref(cg->progs[i]);
	kfree(cg->progs);
}

/* ---- asking ---- */

/* What one group says; @below: programs seen so far. */
static bool group_allows(struct cgroup *cg, const struct ebpf_dev_ctx *ctx, u32 *below)
{
	struct bpf_prog *progs[CGROUP_PROGS];
	bool counts, yes = true;
	u32 n;

	mutex_lock(tree_mu(cg));
	n = cg->nprogs;
	counts = *below == 0 || (cg->prog_flags & BPF_F_ALLOW_MULTI);
	for (u32 i = 0; i < n; i++)
		progs[i] = bpf_prog_ref(cg->progs[i]);
	mutex_unlock(tree_mu(cg));
	for (u32 i = 0; i < n; i++) {
		yes = yes && (!counts || (ebpf_run(progs[i]->insn, ctx) & 1));
		bpf_prog_unref(progs[i]);
	}
	*below += n;
	return yes;
}

int cgroup_may_use_device(struct task *t, u32 mode, u32 major, u32 minor, u32 access)
{
	struct ebpf_dev_ctx ctx = {
		.access_type = access << 16 | (S_ISBLK(mode) ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR), .major = major, .minor = minor,
	};
	auto_cgroup *cg = NULL;
	u32 below = 0;

	if (likely(!atomic_load_explicit(&t->kernel->cgroups.attached, memory_order_relaxed)))
		return 0;
	cg = tgroup_cgroup(t->tg);
	for (struct cgroup *c = cg; c; c = c->parent)
		if (!group_allows(c, &ctx, &below))
			return -EPERM;
	return 0;
}
