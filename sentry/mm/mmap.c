/*
 * mmap.c - mmap(2) and munmap(2).
 *
 * Checks come in the order of Linux's do_mmap(), since programs and tests see
 * which of two errors wins.  Objects (a file's host descriptor, a memfd for
 * shared anonymous memory) are found before mm->mu is taken.
 */
#include <errno.h>
#include <fcntl.h>
#include "platform/base/overflow.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

#define HUGE_SIZE (2ul << 20)
#define PER_READ_IMPLIES_EXEC 0x0400000u

struct map_req {
	u64 addr, len;
	int prot, flags;                        /* as the guest gave them */
	u64 off;                                /* in the file */
	struct vma v;                           /* what will be inserted; file borrowed */
	struct mapping host;
	struct mm_limits lim;
};

/* The permission part of mmap's checks: who may map @f how. */
static int check_file(struct map_req *m, struct file *f)
{
	u32 mode = file_flags(f) & O_ACCMODE;
	/* Those of no place are of file systems that the kernel mounts for itself, noexec; memfds have an inode. */
	bool noexec = f->path.mnt ? mount_flags(f->path.mnt) & MNT_NOEXEC : f->anon_name && !f->inode;

	if (m->v.flags & MAP_SHARED) {
		if (mode == O_RDONLY) {
			if (m->prot & PROT_WRITE)
				return -EACCES;
			m->v.flags |= VMA_NOWRITE;
		}
	}
	if (mode == O_WRONLY)
		return -EACCES;
	if (noexec) {
		if (m->prot & PROT_EXEC)
			return -EPERM;
		m->v.flags |= VMA_NOEXEC;
	}
	return 0;
}

/* MAP_TYPE and the flags beside it, for files and anonymous memory. */
static int check_type(struct map_req *m, bool file)
{
	/* What MAP_SHARED_VALIDATE knows: LEGACY_MAP_MASK, and for DAX files only, MAP_SYNC. */
	const u32 legacy = MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE |
		MAP_EXECUTABLE | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE |
		MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT | 0x4000000 /* UNINITIALIZED */ |
		(0x3fu << 26) | MAP_FIXED_NOREPLACE;

	switch (m->flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (!file)
			return -EINVAL;
		if ((u32)m->flags & ~(legacy | MAP_SHARED_VALIDATE))
			return -EOPNOTSUPP;
		m->v.flags = MAP_SHARED;
		break;
	case MAP_SHARED:
		m->v.flags = MAP_SHARED;
		break;
	case MAP_PRIVATE:
		m->v.flags = MAP_PRIVATE;
		break;
	default:
		return -EINVAL;
	}
	if (!file && (m->v.flags & MAP_SHARED) && (m->flags & MAP_GROWSDOWN))
		return -EINVAL;
	m->v.flags |= (u32)m->flags & (MAP_GROWSDOWN | MAP_NORESERVE);
	return 0;
}

/* Is the wanted place possible?  Hints that are not are forgotten. */
static int check_place(const struct mm *mm, struct map_req *m)
{
	if (m->len > mm->hi - mm->lo)
		return -ENOMEM;
	if (m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (!range_ok(m->addr, m->len, mm->hi))
			return -ENOMEM;
		if (m->addr & ~PAGE_MASK)
			return -EINVAL;
		return m->addr < mm->lo ? -EPERM : 0;
	}
	m->addr = ALIGN_UP(m->addr, PAGE_SIZE);
	if (m->addr < mm->lo || !range_ok(m->addr, m->len, mm->hi))
		m->addr = 0;
	return 0;
}

/* Find room when the caller has not fixed a place.  Large anonymous maps get huge-page alignment. */
static u64 choose(struct mm *mm, const struct map_req *m)
{
	u64 addr = m->addr;

	if (addr) {
		struct vma *v = vma_find(mm, addr);

		if (!v || vma_gap_start(v) >= addr + m->len)
			return addr;
	}
	if (m->flags & MAP_32BIT) {
		for (addr = 0x40000000; addr + m->len <= 0x80000000ul; ) {
			struct vma *v = vma_find(mm, addr);

			if (!v || vma_gap_start(v) >= addr + m->len)
				return addr >= mm->lo ? addr : 0;
			addr = v->end;
		}
		return 0;
	}
	if (!m->v.file && m->len >= HUGE_SIZE && m->len % HUGE_SIZE == 0) {
		addr = mm_find_gap(mm, m->len + HUGE_SIZE - PAGE_SIZE);
		mm->gap_hole = MAX(mm->gap_hole, HUGE_SIZE);
		if (addr)
			return ALIGN_UP(addr, HUGE_SIZE);
	}
	return mm_find_gap(mm, m->len);
}

static int apply_map(struct ctx *c, const struct map_req *m)
{
	int touch = m->prot & PROT_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
	struct as_op ops[2] = { {
		.kind = AS_MAP, .addr = GADDR(m->addr), .len = m->len, .prot = m->v.prot,
		.flags = vma_host_flags(m->v.flags),
		.file = m->host.fd, .offset = m->host.offset,
	}, {
		.kind = AS_ADVISE, .addr = GADDR(m->addr), .len = m->len, .advice = touch,
	} };
	bool populate = (m->flags & MAP_POPULATE) && !(m->flags & MAP_NONBLOCK) && m->prot;
	size_t done = 0;
	int r = aspace_apply(c, ops, populate ? 2 : 1, &done);

	return done >= 1 ? 0 : r;       /* populating is best effort */
}

static long map_locked(struct vma_edit *e, struct ctx *c, struct map_req *m)
{
	struct mm *mm = e->mm;
	bool fixed = m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	u64 reused = 0;
	int r;

	if (!mm_count_ok(mm, 2))
		return -ENOMEM;
	if (!fixed) {
		m->addr = choose(mm, m);
		if (!m->addr)
			return -ENOMEM;
	}
	m->v.start = m->addr;
	m->v.end = m->addr + m->len;
	if ((m->flags & MAP_FIXED_NOREPLACE) && !mm_range_free(mm, m->v.start, m->v.end))
		return -EEXIST;
	if (mm_denies_exec(mm, m->v.prot, m->v.prot))
		return -EACCES;
	if (mm_any_sealed(mm, m->v.start, m->v.end))
		return -EPERM;
	m->v.madvise |= mm->lock_future;
	if (m->v.madvise & VMA_LOCKED) {
		r = mm_may_lock(mm, &m->lim, m->len, -EAGAIN);
		if (r < 0)
			return r;
	}
	/* What MAP_FIXED replaces doesn't count. */
	for (struct vma *v = vma_find(mm, m->v.start); v && v->start < m->v.end; v = vma_next(v))
		reused += MIN(v->end, m->v.end) - MAX(v->start, m->v.start);
	r = mm_may_expand(mm, &m->lim, m->len - reused, m->v.prot, m->v.flags);
	if (r < 0)
		return r;
	r = apply_map(c, m);
	if (r < 0)
		return r;
	vma_carve(e, m->v.start, m->v.end);
	vma_insert(e, &m->v);
	(void)mm_populate_locked(mm, c, m->addr, m->addr + m->len);
	return (long)m->addr;
}

/* Find the host object behind the request.  *anon: a reference that the caller drops. */
static int find_object(struct task *t, struct map_req *m, struct file *f, struct file **anon)
{
	int r;

	m->host = (struct mapping){ .fd = HOSTFD_NONE };
	if (f) {
		r = file_map(t, f, m->off, m->len, m->v.prot, (int)m->v.flags & MAP_TYPE, &m->host);
		if (r < 0)
			return r;
		m->v.file = f;
		m->v.offset = m->off;
		if (m->host.fd.fd >= 0 || !(m->v.flags & MAP_SHARED))
			return 0;
	} else if (!(m->v.flags & MAP_SHARED)) {
		return 0;
	}
	/* Shared memory without a file of its own (also /dev/zero's). */
	r = tmpfs_anon_file(t, "dev/zero", m->len, 0, anon);
	if (r < 0)
		return r;
	m->v.file = *anon;
	m->v.offset = 0;
	m->v.name = "/dev/zero (deleted)";
	return file_map(t, *anon, 0, m->len, m->v.prot, MAP_SHARED, &m->host);
}

static int check_args(struct task *t, struct map_req *m, struct file *f)
{
	u64 end;
	int r;

	if (m->len == 0)
		return -EINVAL;
	if ((m->prot & PROT_READ) && (t->personality & PER_READ_IMPLIES_EXEC) &&
	    !(f && f->path.mnt && (mount_flags(f->path.mnt) & MNT_NOEXEC)))
		m->prot |= PROT_EXEC;
	if (align_up_overflows(m->len, PAGE_SIZE, &m->len))
		return -ENOMEM;
	if (add_overflows(m->off, m->len, &end))
		return -EOVERFLOW;
	r = check_place(t->mm, m);
	if (r < 0)
		return r;
	mm_limits_get(t, &m->lim);
	m->v.prot = m->prot & PROT_RWX;
	m->v.madvise = 0;
	if (m->flags & MAP_LOCKED) {
		if (!m->lim.lock_any && m->lim.memlock == 0)
			return -EPERM;
		m->v.madvise = VMA_LOCKED;
	}
	/* Devices may be mapped at any offset, files and sockets only where a position can be. */
	if (f && end > INT64_MAX && (f->inode ? S_ISREG(f->inode->mode) : file_anon(f) == ANON_SOCKET))
		return -EOVERFLOW;
	r = check_type(m, f != NULL);
	if (r < 0)
		return r;
	return f ? check_file(m, f) : 0;
}

long mm_mmap(struct task *t, gaddr_t addr, u64 len, int prot, int flags, struct file *f, u64 off)
{
	auto_file *anon = NULL;
	struct map_req m = { .addr = addr.v, .len = len, .prot = prot, .flags = flags, .off = off };
	struct vma_edit e;
	long r = check_args(t, &m, f);

	if (r < 0)
		return r;
	r = find_object(t, &m, f, &anon);
	if (r < 0)
		return r;
	if (f && (flags & MAP_GROWSDOWN))       /* once it is known to be of a kind that can be mapped */
		return -EINVAL;
	r = mm_edit_begin(&e, t->mm, 3);
	if (r < 0)
		return r;
	r = map_locked(&e, t->ctx, &m);
	mm_edit_end(&e);
	return r;
}

int mm_unmap_locked(struct vma_edit *e, struct ctx *c, u64 start, u64 end)
{
	struct mm *mm = e->mm;
	struct as_op op = { .kind = AS_UNMAP, .file = HOSTFD_NONE };
	struct vma *v;
	int r;

	start = MAX(start, mm->lo);
	end = MIN(end, mm->hi);
	if (start >= end)
		return 0;
	if (mm_any_sealed(mm, start, end))
		return -EPERM;
	v = vma_at(mm, start);
	if (v && v->start < start && v->end > end && !mm_count_ok(mm, 1))
		return -ENOMEM;
	op.addr = GADDR(start);
	op.len = end - start;
	r = mm_apply1(c, &op);
	if (r == 0)
		vma_carve(e, start, end);
	return r;
}

int mm_munmap(struct task *t, gaddr_t addr, u64 len)
{
	struct vma_edit e;
	u64 end;
	int r;

	if ((addr.v & ~PAGE_MASK) || len == 0 || !mm_round_range(addr.v, len, &end) || end == addr.v ||
	    end > 0x7ffffffff000ul)
		return -EINVAL;
	r = mm_edit_begin(&e, t->mm, 2);
	if (r < 0)
		return r;
	r = mm_unmap_locked(&e, t->ctx, addr.v, end);
	mm_edit_end(&e);
	return r;
}
