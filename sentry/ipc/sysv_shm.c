/*
 * sysv_shm.c - System V shared memory (shmget(2), shmop(2)) over unlinked tmpfs files. See ipc.h.
 *
 * Each shmat() maps a file of its own over the segment's: the vmas hold it, and its
 * release is the detaching.  (A fork shares it, so shm_nattch counts attachments
 * that were made, not address spaces: it is 0 exactly when nobody has the segment.)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "platform/base/alloc.h"
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

struct shm_new { u64 size; s32 key; };

static struct shm *to_shm(struct ipc_obj *o) { return container_of(o, struct shm, o); }

static void shm_free(struct ipc_obj *o)
{
	file_unref(to_shm(o)->file);
	kfree(to_shm(o));
}

static int shm_make(struct task *t, void *arg, struct ipc_obj **ret)
{
	const struct shm_new *n = arg;
	struct shm *s;
	int r;

	if (n->size == 0 || n->size > SHM_MAX)
		return -EINVAL;
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
	struct shm_new n = { size, key };

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

static const struct file_ops shm_file_ops = { .name = "sysvshm", .map = shm_map, .release = shm_detach };

/* A file for one attachment. Takes over the reference on @s, and counts it. */
static struct file *attach_file(struct task *t, struct ipc_ns *ns, struct shm *s, bool writable)
{
	struct shm_file *sf = knew(struct shm_file);

	if (!sf) {
		ipc_put(&s->o);
		return NULL;
	}
	file_init(&sf->f, &shm_file_ops, writable ? O_RDWR : O_RDONLY, 0, NULL, s->file->inode, task_cred(t));
	sf->f.anon_name = s->name;
	sf->shm = s;
	sf->kernel = t->kernel;
	sf->ns = ns;
	ipc_ns_hold(ns);
	mutex_lock(ipc_lock(ns));
	s->nattch++;
	s->atime = ipc_seconds(t->kernel);
	s->lpid = t->tg->tgid;
	mutex_unlock(ipc_lock(ns));
	return &sf->f;
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
	f = attach_file(t, ns, to_shm(o), writable);
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
	struct shminfo lim = { .shmmax = SHM_MAX, .shmmin = 1, .shmmni = 4096, .shmseg = 4096,
			       .shmall = SHM_MAX / PAGE_SIZE };
	struct shm_info info = { 0 };
	struct ipc_ns *ns = task_ipc_ns(t);
	u32 used;
	int high, r;

	mutex_lock(ipc_lock(ns));
	high = ipc_highest_locked(ns, IPC_SHM, &used);
	info.used_ids = (int)used;
	for (int i = 0; i <= high; i++) {
		struct ipc_obj *o = ipc_slot_locked(ns, IPC_SHM, (u32)i);

		if (o)
			info.shm_tot += ALIGN_UP(to_shm(o)->size, PAGE_SIZE) / PAGE_SIZE;
	}
	mutex_unlock(ipc_lock(ns));
	r = cmd == IPC_INFO ? copy_out(t, buf, &lim, sizeof(lim)) : copy_out(t, buf, &info, sizeof(info));
	return r < 0 ? r : MAX(high, 0);
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
