/*
 * sysv_shm.c - System V shared memory (shmget(2), shmop(2)) over unlinked tmpfs files. See ipc.h.
 *
 * Each shmat() maps a file of its own over the segment's: the vmas hold it, and its
 * release is the detaching.  A forked address space gets one of its own, so that shm_nattch
 * counts each attachment once a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

#define SHM_MAX (1ull << 40)

struct shm {
	struct ipc_obj o;
	struct file *file;                      /* immutable; a reference */
	u64 size;                               /* immutable */
	char name[24];                          /* immutable: as in /proc/PID/maps */
	u32 nattch;
	s32 cpid, lpid;
	s64 atime, dtime, ctime;                /* seconds */
	bool locked;
};

struct shm_file {
	struct file f;
	struct shm *shm;                        /* immutable; a reference */
	struct kernel *kernel;                  /* immutable */
	struct ipc_ns *ns;                      /* immutable; held */
};

struct shm_new { u64 size; s32 key; struct ipc_ns *ns; };

static struct shm *to_shm(struct ipc_obj *o) { return container_of(o, struct shm, o); }

static void shm_free(struct ipc_obj *o)
{
	file_unref(to_shm(o)->file);
	kfree(to_shm(o));
}

/* Pages of all segments. Lock held. */
static u64 total_locked(struct ipc_ns *ns, int *ret_high, u32 *ret_used)
{
	u64 sum = 0;

	*ret_high = ipc_highest_locked(ns, IPC_SHM, ret_used);
	for (int i = 0; i <= *ret_high; i++) {
		struct ipc_obj *o = ipc_slot_locked(ns, IPC_SHM, (u32)i);

		if (o)
			sum += ALIGN_UP(to_shm(o)->size, PAGE_SIZE) / PAGE_SIZE;
	}
	return sum;
}

/* shmall, which hardly anybody sets: looked at before the segment is made, so two at once may exceed it. */
static bool fits(struct ipc_ns *ns, u64 size)
{
	u64 all = ipc_limit(ns, LIM_SHMALL), sum;
	u32 used;
	int high;

	if (all >= SHM_MAX)
		return true;
	mutex_lock(ipc_lock(ns));
	sum = total_locked(ns, &high, &used);
	mutex_unlock(ipc_lock(ns));
	return sum + ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE <= all;
}

static int shm_make(struct task *t, void *arg, struct ipc_obj **ret)
{
	const struct shm_new *n = arg;
	struct shm *s;
	int r;

	if (n->size == 0 || n->size > ipc_limit(n->ns, LIM_SHMMAX))
		return -EINVAL;
	if (n->size > SHM_MAX)
		return -ENOMEM;
	if (!fits(n->ns, n->size))
		return -ENOSPC;
	s = knew(struct shm);
	if (!s)
		return -ENOMEM;
	(void)snprintf(s->name, sizeof(s->name), "/SYSV%08x", (u32)n->key);
	r = tmpfs_anon_file(t, s->name, ALIGN_UP(n->size, PAGE_SIZE), 0, &s->file);
	if (r < 0) {
		kfree(s);
		return r;
	}
	s->o.free = shm_free;
	s->size = n->size;
	s->cpid = t->tg->tgid;
	s->ctime = ipc_seconds(t->kernel);
	*ret = &s->o;
	return 0;
}

static int shm_check(struct ipc_obj *o, void *arg)
{
	return ((struct shm_new *)arg)->size > to_shm(o)->size ? -EINVAL : 0;
}

long shm_get(struct task *t, s32 key, u64 size, int flags)
{
	struct shm_new n = { size, key, task_ipc_ns(t) };

	if (flags & SHM_HUGETLB)
		return -ENOMEM;         /* no huge pages are reserved */
	return ipc_get(t, &(struct ipc_get){ IPC_SHM, key, flags, &n, shm_make, shm_check });
}

/* Nobody has it and nobody can get it: the slot's reference goes. Lock held; true: put it after. */
static bool shm_done_locked(struct ipc_ns *ns, struct shm *s)
{
	if (!(s->o.mode & SHM_DEST) || s->nattch || s->o.gone)
		return false;
	ipc_remove_locked(ns, IPC_SHM, &s->o);
	return true;
}

/* ---- attachments ---- */

static int shm_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags, struct mapping *ret)
{
	struct shm *s = container_of(f, struct shm_file, f)->shm;

	return file_map(t, s->file, off, len, prot, flags, ret);
}

static void shm_detach(struct file *f)
{
	struct shm_file *sf = container_of(f, struct shm_file, f);
	struct shm *s = sf->shm;
	struct ipc_ns *ns = sf->ns;
	bool last;

	mutex_lock(ipc_lock(ns));
	s->nattch--;
	s->dtime = ipc_seconds(sf->kernel);
	last = shm_done_locked(ns, s);
	mutex_unlock(ipc_lock(ns));
	if (last)
		ipc_put(&s->o);
	file_done(f);
	ipc_put(&s->o);
	ipc_ns_drop(ns);
	kfree(sf);
}

static struct file *shm_forked(struct file *f);

static const struct file_ops shm_file_ops = {
	.name = "sysvshm", .map = shm_map, .forked = shm_forked, .release = shm_detach,
};

/* A file for one attachment. Takes over the reference on @s, and counts it; @pid makes it, 0 for a fork. */
static struct file *attach_file(struct kernel *k, const struct cred *c, struct ipc_ns *ns, struct shm *s, u32 flags,
				s32 pid)
{
	struct shm_file *sf = knew(struct shm_file);

	if (!sf) {
		ipc_put(&s->o);
		return NULL;
	}
	file_init(&sf->f, &shm_file_ops, flags, 0, NULL, s->file->inode, c);
	sf->f.anon_name = s->name;
	sf->shm = s;
	sf->kernel = k;
	sf->ns = ns;
	ipc_ns_hold(ns);
	mutex_lock(ipc_lock(ns));
	s->nattch++;
	if (pid) {
		s->atime = ipc_seconds(k);
		s->lpid = pid;
	}
	mutex_unlock(ipc_lock(ns));
	return &sf->f;
}

static struct file *shm_forked(struct file *f)
{
	struct shm_file *sf = container_of(f, struct shm_file, f);

	ref_get(&sf->shm->o.ref);
	return attach_file(sf->kernel, f->cred, sf->ns, sf->shm, file_flags(f) & O_ACCMODE, 0);
}

static int at_address(gaddr_t *addr, int flags)
{
	if (!addr->v)
		return flags & SHM_REMAP ? -EINVAL : 0;
	if (addr->v & (PAGE_SIZE - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr->v &= PAGE_MASK;
		if (!addr->v && (flags & SHM_REMAP))
			return -EINVAL;
	}
	return 0;
}

long shm_at(struct task *t, int id, gaddr_t addr, int flags)
{
	int prot = PROT_READ, mflags = MAP_SHARED, r = at_address(&addr, flags);
	bool writable = !(flags & SHM_RDONLY);
	auto_file *f = NULL;
	struct ipc_obj *o;
	struct ipc_ns *ns;
	long at;

	if (r < 0)
		return r;
	if (writable)
		prot |= PROT_WRITE;
	if (flags & SHM_EXEC)
		prot |= PROT_EXEC;
	if (addr.v)
		mflags |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	r = ipc_find_lock(t, IPC_SHM, id, &ns, &o);
	if (r < 0)
		return r;
	r = ipc_permit(t, o, writable ? 0666 : 0444);
	if (r < 0) {
		ipc_put_unlock(ns, o);
		return r;
	}
	mutex_unlock(ipc_lock(ns));
	f = attach_file(t->kernel, task_cred(t), ns, to_shm(o), writable ? O_RDWR : O_RDONLY, t->tg->tgid);
	if (!f)
		return -ENOMEM;
	at = mm_mmap(t, addr, ALIGN_UP(to_shm(o)->size, PAGE_SIZE), prot, mflags, f, 0);
	return at == -EEXIST ? -EINVAL : at;
}

static bool vma_from(const struct rb_node *n, const void *key)
{
	return rb_entry(n, struct vma, node)->start >= *(const u64 *)key;
}

/* The attachment that begins at @addr: its file (a reference) and its end. */
static struct file *attachment_at(struct mm *mm, u64 addr, u64 *ret_len)
{
	struct file *f = NULL;
	struct rb_node *n;

	mutex_lock(&mm->mu);
	n = rb_find_first(&mm->vmas, &addr, vma_from);
	if (n) {
		struct vma *v = rb_entry(n, struct vma, node);

		if (v->start == addr && v->file && v->file->ops == &shm_file_ops && v->offset == 0) {
			f = file_ref(v->file);
			*ret_len = ALIGN_UP(container_of(f, struct shm_file, f)->shm->size, PAGE_SIZE);
		}
	}
	mutex_unlock(&mm->mu);
	return f;
}

long shm_dt(struct task *t, gaddr_t addr)
{
	auto_file *f = NULL;
	u64 len = 0;

	if (addr.v & (PAGE_SIZE - 1))
		return -EINVAL;
	f = attachment_at(t->mm, addr.v, &len);
	if (!f)
		return -EINVAL;
	return mm_munmap(t, addr, len);
}

/* ---- shmctl ---- */

static void fill_ds(const struct shm *s, struct shmid_ds *ds)
{
	*ds = (struct shmid_ds){
		.shm_segsz = s->size, .shm_atime = s->atime, .shm_dtime = s->dtime, .shm_ctime = s->ctime,
		.shm_cpid = s->cpid, .shm_lpid = s->lpid, .shm_nattch = s->nattch,
	};
	ipc_fill_perm(&s->o, &ds->shm_perm);
}

static long shm_stat(struct task *t, int id, int cmd, gaddr_t buf)
{
	struct shmid_ds ds;
	struct ipc_obj *o;
	struct ipc_ns *ns;
	int ret = ipc_stat_lock(t, IPC_SHM, id, cmd, &ns, &o), r;

	if (ret < 0)
		return ret;
	fill_ds(to_shm(o), &ds);
	ipc_put_unlock(ns, o);
	r = copy_out(t, buf, &ds, sizeof(ds));
	return r < 0 ? r : ret;
}

static long shm_change(struct task *t, int id, int cmd, const struct shmid_ds *ds)
{
	struct ipc_obj *o;
	struct ipc_ns *ns;
	bool last = false;
	int r = ipc_change_lock(t, IPC_SHM, id, &ns, &o);

	if (r < 0)
		return r;
	if (r == 0 && cmd == IPC_SET) {
		ipc_set_perm(o, &ds->shm_perm);
		to_shm(o)->ctime = ipc_seconds(t->kernel);
	} else if (r == 0 && cmd == IPC_RMID) {
		o->mode |= SHM_DEST;
		o->key = IPC_PRIVATE;
		last = shm_done_locked(ns, to_shm(o));
	} else if (r == 0) {
		o->mode = cmd == SHM_LOCK ? o->mode | SHM_LOCKED : o->mode & ~(u32)SHM_LOCKED;
	}
	mutex_unlock(ipc_lock(ns));
	if (last)
		ipc_put(o);
	ipc_put(o);
	return r;
}

static long shm_info(struct task *t, int cmd, gaddr_t buf)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	struct shminfo lim = { .shmmax = ipc_limit(ns, LIM_SHMMAX), .shmmin = 1, .shmmni = ipc_limit(ns, LIM_SHMMNI),
			       .shmseg = ipc_limit(ns, LIM_SHMMNI), .shmall = ipc_limit(ns, LIM_SHMALL) };
	struct shm_info info = { 0 };
	u32 used;
	int high, r;

	mutex_lock(ipc_lock(ns));
	info.shm_tot = total_locked(ns, &high, &used);
	info.used_ids = (int)used;
	mutex_unlock(ipc_lock(ns));
	r = cmd == IPC_INFO ? copy_out(t, buf, &lim, sizeof(lim)) : copy_out(t, buf, &info, sizeof(info));
	return r < 0 ? r : MAX(high, 0);
}

/* Residency cannot be had: 0. */
void shm_show(struct task *t, struct strbuf *out)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	u32 used;
	int high;

	strbuf_puts(out, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
			 "      atime      dtime      ctime                   rss                  swap\n");
	mutex_lock(ipc_lock(ns));
	high = ipc_highest_locked(ns, IPC_SHM, &used);
	for (int i = 0; i <= high; i++) {
		struct ipc_obj *o = ipc_slot_locked(ns, IPC_SHM, (u32)i);
		const struct shm *s = o ? to_shm(o) : NULL;

		if (s)
			strbuf_printf(out, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lld %10lld %10lld"
				      " %21lu %21lu\n", o->key, o->id, o->mode, (unsigned long)s->size, (u32)s->cpid,
				      (u32)s->lpid, (unsigned long)s->nattch, o->uid, o->gid, o->cuid, o->cgid,
				      (long long)s->atime, (long long)s->dtime, (long long)s->ctime, 0ul, 0ul);
	}
	mutex_unlock(ipc_lock(ns));
}

long shm_ctl(struct task *t, int id, int cmd, gaddr_t buf)
{
	struct shmid_ds ds = { 0 };
	int r;

	switch (cmd) {
	case IPC_INFO:
	case SHM_INFO:
		return shm_info(t, cmd, buf);
	case IPC_STAT:
	case SHM_STAT:
	case IPC_SHM_STAT_ANY:
		return shm_stat(t, id, cmd, buf);
	case IPC_SET:
		r = copy_in(t, &ds, buf, sizeof(ds));
		return r < 0 ? r : shm_change(t, id, cmd, &ds);
	case IPC_RMID:
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_change(t, id, cmd, &ds);
	default:
		return -EINVAL;
	}
}
