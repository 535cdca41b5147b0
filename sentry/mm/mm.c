/*
 * mm.c - an address space from birth (exec, fork) to death.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"
#include "sentry/vfs/aio.h"
#include "sentry/vfs/inode.h"

/* The program itself, which nobody may write to while it runs. */
static void drop_exe(struct file *exe)
{
	if (exe)
		inode_allow_writers(exe->inode);
	file_unref(exe);
}

struct mm *mm_new(struct kernel *k, struct aspace *as)
{
	struct mm *mm = knew(struct mm);

	if (!mm)
		return NULL;
	ref_init(&mm->ref);
	mm->kernel = k;
	mm->as = as;
	mutex_init(&mm->mu, RANK_MM);
	mm->vmas = RB_ROOT;
	list_init(&mm->aio);
	platform_user_range(k->platform, &mm->lo, &mm->hi);
	mm->mmap_base = mm->gap_top = mm->hi;
	mm->dumpable = true;
	return mm;
}

struct mm *mm_ref(struct mm *mm)
{
	ref_get(&mm->ref);
	return mm;
}

void mm_unref(struct mm *mm)
{
	if (!mm || !ref_put(&mm->ref))
		return;
	aio_exit(mm);
	mm_free_vmas(mm);
	drop_exe(mm->exe);
	aspace_unref(mm->as);
	kfree(mm);
}

/* The scalars that fork copies. */
static void copy_layout(struct mm *to, const struct mm *from)
{
	to->stack_reserve = from->stack_reserve;
	to->gap_top = from->gap_top;
	to->gap_hole = from->gap_hole;
	to->brk_start = from->brk_start;
	to->brk = from->brk;
	to->mmap_base = from->mmap_base;
	to->stack_top = from->stack_top;
	to->stack_low = from->stack_low;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->code_start = from->code_start;
	to->code_end = from->code_end;
	to->data_start = from->data_start;
	to->data_end = from->data_end;
	to->vdso_base = from->vdso_base;
	memcpy(to->auxv, from->auxv, sizeof(to->auxv));
	to->auxv_n = from->auxv_n;
	to->dumpable = from->dumpable;
	to->mdwe = mm_mdwe_inherited(from->mdwe);
}

/* Insert a copy of @v into the unpublished @to. */
static int copy_vma(struct mm *to, const struct vma *v)
{
	struct vma_edit e = { .mm = to };
	struct vma copy = *v;

	if (v->madvise & VMA_DONTFORK)
		return 0;
	copy.madvise &= ~(VMA_LOCKED | VMA_LOCKONFAULT);
	e.spare[0] = knew(struct vma);
	if (!e.spare[0])
		return -ENOMEM;
	e.nspare = 1;
	vma_insert(&e, &copy);
	/* A merge frees only the copy: the parent's reference keeps the file open. */
	vma_free_all(e.gone);
	return 0;
}

/* Files that count the address spaces which map them give the unpublished child its own: no lock is held. */
static int own_files(struct mm *mm)
{
	struct file *of = NULL, *own = NULL;

	for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
		if (!v->file || !v->file->ops->forked)
			continue;
		if (v->file != of) {
			struct file *f = v->file->ops->forked(v->file);

			if (!f)
				return -ENOMEM;
			of = v->file;
			own = f;
		} else {
			file_ref(own);
		}
		v->file = own;
		file_unref(of);
	}
	return 0;
}

int mm_fork(struct task *t, struct aspace *child_as, struct ctx *child, struct mm **ret)
{
	struct mm *from = t->mm, *mm = mm_new(from->kernel, child_as);
	int r = 0;

	(void)child;
	if (!mm)
		return -ENOMEM;
	mutex_lock(&from->mu);
	copy_layout(mm, from);
	/* The parent's own hold keeps writers away. */
	if (from->exe && inode_deny_writers(from->exe->inode))
		mm->exe = file_ref(from->exe);
	for (struct vma *v = vma_first(from); v && r == 0; v = vma_next(v))
		r = copy_vma(mm, v);
	mutex_unlock(&from->mu);
	if (r == 0)
		r = own_files(mm);
	if (r < 0) {
		mm->as = NULL;
		mm_free_vmas(mm);
		drop_exe(mm->exe);
		kfree(mm);
		return r;
	}
	*ret = mm;
	return 0;
}

int mm_apply1(struct ctx *c, const struct as_op *op)
{
	return aspace_apply(c, op, 1, NULL);
}

static struct as_op piece_op(const struct mm_piece *p)
{
	return (struct as_op){
		.kind = AS_MAP, .addr = GADDR(p->addr), .len = p->len, .prot = p->prot,
		.flags = vma_host_flags(p->flags),
		.file = p->fd, .offset = p->fd_offset,
	};
}

int mm_install(struct mm *mm, struct ctx *c, const struct mm_piece *p, size_t n)
{
	struct as_op *ops auto_kfree = kbuf_array(n, sizeof(*ops));
	struct vma_edit e;
	int r;

	if (!ops)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ops[i] = piece_op(&p[i]);
	r = aspace_apply(c, ops, n, NULL);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct vma v = {
			.start = p[i].addr, .end = p[i].addr + p[i].len, .prot = p[i].prot,
			.flags = p[i].flags, .file = p[i].file, .offset = p[i].offset, .name = p[i].name,
		};

		r = mm_edit_begin(&e, mm, 3);
		if (r < 0)
			break;
		vma_carve(&e, v.start, v.end);
		vma_insert(&e, &v);
		mm_edit_end(&e);
	}
	return r;
}

u64 mm_pick(struct mm *mm, u64 len)
{
	u64 addr;

	mutex_lock(&mm->mu);
	addr = mm_find_gap(mm, len);
	mutex_unlock(&mm->mu);
	return addr;
}

/* The program's own file cannot become shorter while it runs; any other could. */
static bool is_plain(const struct mm *mm, const struct vma *v)
{
	return !(v->flags & MAP_SHARED) && (v->prot & PROT_WRITE) && !(v->madvise & VMA_GUARDED) && (!v->file || v->file == mm->exe ||
		(mm->exe && v->file->inode && v->file->inode == mm->exe->inode));
}

bool mm_is_plain(struct mm *mm, u64 addr, u64 len)
{
	const struct vma *v;
	u64 end = addr + len;

	mutex_lock(&mm->mu);
	while (addr < end) {
		v = vma_at(mm, addr);
		if (!v || !is_plain(mm, v))
			break;
		addr = v->end;
	}
	mutex_unlock(&mm->mu);
	return addr >= end;
}

bool mm_shared_key(struct mm *mm, u64 addr, const void **ret_obj, u64 *ret_off)
{
	const struct vma *v;
	bool shared;

	mutex_lock(&mm->mu);
	v = vma_at(mm, addr);
	shared = v && (v->flags & MAP_SHARED) && v->file;
	if (shared) {
		*ret_obj = v->file->inode ? (const void *)v->file->inode : v->file;
		*ret_off = v->offset + (addr - v->start);
	}
	mutex_unlock(&mm->mu);
	return shared;
}

size_t mm_copy_in(struct mm *mm, void *dst, gaddr_t src, size_t n)
{
	return aspace_copy_in(mm->as, dst, src, n);
}

size_t mm_copy_out(struct mm *mm, gaddr_t dst, const void *src, size_t n)
{
	return aspace_copy_out(mm->as, dst, src, n);
}

int mm_poke(struct task *x, gaddr_t dst, const void *src, size_t n)
{
	struct mm *mm = x->mm;
	u64 end = dst.v + n, page = dst.v & PAGE_MASK;
	struct as_op op = { .kind = AS_PROTECT, .addr = GADDR(page), .file = HOSTFD_NONE };
	const struct vma *v;
	int r = -EIO;

	if (!mm || end < dst.v)
		return -EIO;
	if (mm_copy_out(mm, dst, src, n) == n)
		return 0;
	mutex_lock(&mm->mu);
	v = vma_at(mm, page);
	op.len = ((end - 1) & PAGE_MASK) + PAGE_SIZE - page;
	if (v && v->end >= page + op.len && !(v->flags & MAP_SHARED) && !(v->prot & PROT_WRITE)) {
		op.prot = v->prot | PROT_READ | PROT_WRITE;
		if (mm_apply1(x->ctx, &op) == 0) {
			r = mm_copy_out(mm, dst, src, n) == n ? 0 : -EIO;
			op.prot = v->prot;
			if (mm_apply1(x->ctx, &op) < 0)
				r = -EIO;
		}
	}
	mutex_unlock(&mm->mu);
	return r;
}
