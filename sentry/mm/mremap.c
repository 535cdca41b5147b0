/*
 * mremap.c - mremap(2) and remap_file_pages(2).
 *
 * Moving keeps contents, so the platform does it (AS_MOVE).  Linux refuses to
 * move across vmas (EFAULT); so do we, by our set.  MREMAP_DONTUNMAP is a move and a
 * fresh map of the same object at the old place; an old length of zero is a second map of a shared
 * object.  Both need the host descriptor again, found before mm->mu is taken.
 */
#include <errno.h>
#include "platform/base/overflow.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

struct move_req {
	u64 old, old_len, new_len, to;          /* to: 0 = anywhere */
	int flags;
	struct file *file;                      /* a reference: the object at old, if again mapped */
	struct mapping host;                    /* its host side at old */
	struct mm_limits lim;
};

/* Linux's vma_to_resize(): may the vma at old have new_len bytes? */
static int check_resize(const struct mm *mm, const struct move_req *m, const struct vma *v)
{
	u64 off_end;
	int r;

	if (!v)
		return -EFAULT;
	if (m->old_len == 0 && !(v->flags & MAP_SHARED))
		return -EINVAL;
	if ((m->flags & MREMAP_DONTUNMAP) && (v->flags & VMA_DONTEXPAND))
		return -EINVAL;
	if (m->old_len > v->end - m->old)
		return -EFAULT;
	if (m->new_len == m->old_len && !(m->flags & MREMAP_DONTUNMAP))
		return 0;
	if (v->file && add_overflows(v->offset + (m->old - v->start), m->new_len, &off_end))
		return -EINVAL;
	if (v->flags & VMA_DONTEXPAND)
		return -EFAULT;
	u64 more = m->new_len - m->old_len;

	if (m->flags & MREMAP_DONTUNMAP)
		more = m->new_len;
	if (v->madvise & VMA_LOCKED) {
		r = mm_may_lock(mm, &m->lim, more, -EAGAIN);
		if (r < 0)
			return r;
	}
	return mm_may_expand(mm, &m->lim, more, v->prot, v->flags);
}

static struct vma moved_vma(const struct move_req *m, const struct vma *v, u64 to)
{
	struct vma n = *v;

	n.offset += m->old - v->start;
	n.start = to;
	n.end = to + m->new_len;
	return n;
}

static struct as_op map_op(const struct move_req *m, const struct vma *v, u64 addr, u64 len)
{
	return (struct as_op){
		.kind = AS_MAP, .addr = GADDR(addr), .len = len, .prot = v->prot,
		.flags = vma_host_flags(v->flags),
		.file = m->host.fd, .offset = m->host.offset,
	};
}

/* Move (or map again) the vma at old to @to, which the platform replaces. */
static long move_to(struct vma_edit *e, struct ctx *c, const struct move_req *m, u64 to)
{
	struct vma *v = vma_at(e->mm, m->old), n;
	struct as_op ops[2] = { {
		.kind = AS_MOVE, .addr = GADDR(m->old), .len = m->old_len, .new_addr = GADDR(to),
		.new_len = m->new_len, .file = HOSTFD_NONE,
	} };
	size_t nops = 1, done = 0;
	int r;

	if (!mm_count_ok(e->mm, 4))
		return -ENOMEM;
	n = moved_vma(m, v, to);
	if (m->old_len == 0)
		ops[0] = map_op(m, v, to, m->new_len);
	else if (m->flags & MREMAP_DONTUNMAP)
		ops[nops++] = map_op(m, v, m->old, m->old_len);
	r = aspace_apply(c, ops, nops, &done);
	if (done == 0 && r < 0)
		return r;
	/* The copy in n holds no reference: keep the file while the old vma goes. */
	struct file *keep = n.file ? file_ref(n.file) : NULL;

	vma_carve(e, to, to + m->new_len);
	if (m->old_len && !((m->flags & MREMAP_DONTUNMAP) && r == 0))
		vma_carve(e, m->old, m->old + m->old_len);
	if (m->flags & MREMAP_DONTUNMAP)
		n.madvise &= ~(VMA_LOCKED | VMA_LOCKONFAULT);
	vma_insert(e, &n);
	if (keep)
		file_unref(keep);       /* not the last: the new vma has one */
	(void)mm_populate_locked(e->mm, c, to, to + m->new_len);
	return (long)to;
}

/* MREMAP_FIXED or DONTUNMAP: the destination is checked first, then cleared. */
static long remap_to(struct vma_edit *e, struct ctx *c, struct move_req *m)
{
	struct mm *mm = e->mm;
	u64 to = m->to;
	int r;

	if (!mm_count_ok(mm, 4))
		return -ENOMEM;
	if (m->flags & MREMAP_FIXED) {
		r = mm_unmap_locked(e, c, to, to + m->new_len);
		if (r < 0)
			return r;
	}
	if (m->old_len > m->new_len) {
		r = mm_unmap_locked(e, c, m->old + m->new_len, m->old + m->old_len);
		if (r < 0)
			return r;
		m->old_len = m->new_len;
	}
	r = check_resize(mm, m, vma_at(mm, m->old));
	if (r < 0)
		return r;
	if (!(m->flags & MREMAP_FIXED)) {
		if (!to || !mm_range_free(mm, to, to + m->new_len) || to < mm->lo)
			to = mm_find_gap(mm, m->new_len);
		if (!to)
			return -ENOMEM;
	}
	return move_to(e, c, m, to);
}

static void set_end(struct vma *v, u64 end)
{
	v->end = end;
}

/* Grow where it is, if it is the end of its vma and room follows.  -ENOMEM: can't. */
static long grow_here(struct vma_edit *e, struct ctx *c, const struct move_req *m)
{
	struct mm *mm = e->mm;
	struct vma *v = vma_at(mm, m->old), *next = vma_next(v);
	u64 end = m->old + m->new_len;
	struct as_op op = {
		.kind = AS_MOVE, .addr = GADDR(m->old), .len = m->old_len, .new_addr = GADDR(m->old),
		.new_len = m->new_len, .file = HOSTFD_NONE,
	};
	int r;

	if (m->old_len == 0 || v->end != m->old + m->old_len || !range_ok(m->old, m->new_len, mm->hi) ||
	    (next && vma_gap_start(next) < end))
		return -ENOMEM;
	r = mm_apply1(c, &op);
	if (r < 0)
		return r;
	vma_change(e, v->start, v->end, set_end, end);
	(void)mm_populate_locked(mm, c, m->old, end);
	return (long)m->old;
}

static long remap_locked(struct vma_edit *e, struct ctx *c, struct move_req *m)
{
	struct mm *mm = e->mm;
	u64 to;
	long r;

	if (!vma_at(mm, m->old))
		return -EFAULT;
	if (mm_any_sealed(mm, m->old, m->old + MAX(m->old_len, 1)))
		return -EPERM;
	if (m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return remap_to(e, c, m);
	if (m->old_len >= m->new_len) {
		r = m->old_len == m->new_len ? 0 :
			mm_unmap_locked(e, c, m->old + m->new_len, m->old + m->old_len);
		return r < 0 ? r : (long)m->old;
	}
	r = check_resize(mm, m, vma_at(mm, m->old));
	if (r < 0)
		return r;
	r = grow_here(e, c, m);
	if (r >= 0 || !(m->flags & MREMAP_MAYMOVE))
		return r;
	to = mm_find_gap(mm, m->new_len);
	return to ? move_to(e, c, m, to) : -ENOMEM;
}

/* The arguments alone, in Linux's order. */
static int check_args(const struct mm *mm, struct move_req *m)
{
	if (m->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(m->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((m->flags & MREMAP_DONTUNMAP) && m->old_len != m->new_len)
		return -EINVAL;
	if ((m->old & ~PAGE_MASK) || align_up_overflows(m->old_len, PAGE_SIZE, &m->old_len) ||
	    align_up_overflows(m->new_len, PAGE_SIZE, &m->new_len) || m->new_len == 0)
		return -EINVAL;
	if (m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		if ((m->to & ~PAGE_MASK) || !range_ok(m->to, m->new_len, mm->hi))
			return -EINVAL;
		if (m->to < m->old + m->old_len && m->old < m->to + m->new_len)
			return -EINVAL;
		if ((m->flags & MREMAP_FIXED) && m->to < mm->lo)
			return -EPERM;
	}
	return m->new_len > mm->hi - mm->lo ? -ENOMEM : 0;
}

/* The host side of what is mapped at @addr: *ret_file a reference or NULL (anonymous). */
static int object_at(struct task *t, u64 addr, u64 len, struct file **ret_file, struct mapping *host)
{
	struct mm *mm = t->mm;
	struct file *f = NULL;
	struct vma *v;
	u64 off = 0;
	int prot = 0, type = 0;

	*host = (struct mapping){ .fd = HOSTFD_NONE };
	mutex_lock(&mm->mu);
	v = vma_at(mm, addr);
	if (v && v->file) {
		f = file_ref(v->file);
		off = v->offset + (addr - v->start);
		prot = v->prot;
		type = (int)v->flags & (MAP_SHARED | MAP_PRIVATE);
	}
	mutex_unlock(&mm->mu);
	*ret_file = f;
	return f ? file_map(t, f, off, len, prot, type, host) : 0;
}

long mm_mremap(struct task *t, gaddr_t old, u64 old_len, u64 new_len, int flags, gaddr_t new_addr)
{
	auto_file *file = NULL;
	struct move_req m = {
		.old = old.v, .old_len = old_len, .new_len = new_len, .flags = flags, .to = new_addr.v,
	};
	struct vma_edit e;
	long r = check_args(t->mm, &m);

	if (r < 0)
		return r;
	m.host.fd = HOSTFD_NONE;
	if (m.old_len == 0 || (flags & MREMAP_DONTUNMAP)) {
		r = object_at(t, m.old, m.new_len, &file, &m.host);
		if (r < 0)
			return r;
		m.file = file;
	}
	mm_limits_get(t, &m.lim);
	r = mm_edit_begin(&e, t->mm, 6);
	if (r < 0)
		return r;
	/* If another thread replaced the object meanwhile, its race has this outcome: nothing there. */
	struct vma *v = vma_at(t->mm, m.old);

	if (v && (m.old_len == 0 || (flags & MREMAP_DONTUNMAP)) && v->file != m.file)
		r = -EFAULT;
	else
		r = remap_locked(&e, t->ctx, &m);
	mm_edit_end(&e);
	return r;
}

int mm_remap_file_pages(struct task *t, gaddr_t addr, u64 len, u64 pgoff, int flags)
{
	struct mm *mm = t->mm;
	auto_file *f = NULL;
	struct vma *v;
	u64 end, off;
	int prot = 0;
	long r;

	(void)flags;                    /* only MAP_NONBLOCK counts, and nothing is read ahead */
	addr.v &= PAGE_MASK;
	len &= PAGE_MASK;
	if (add_overflows(addr.v, len, &end) || len == 0 || mul_overflows(pgoff, PAGE_SIZE, &off))
		return -EINVAL;
	mutex_lock(&mm->mu);
	v = vma_at(mm, addr.v);
	if (v && (v->flags & MAP_SHARED) && !(v->flags & VMA_NOWRITE) && v->file && v->end >= end) {
		f = file_ref(v->file);
		prot = v->prot;
	}
	mutex_unlock(&mm->mu);
	if (!f)
		return -EINVAL;
	r = mm_mmap(t, addr, len, prot, MAP_SHARED | MAP_FIXED, f, off);
	return r < 0 ? (int)r : 0;
}
