/*
 * elf_map.c - where a program goes, and its maps in one batch.
 *
 * Layout from the top, as on Linux: stack, the mmap area growing down
 * (interpreter and vdso are its first maps), at two thirds a position-independent program with its
 * heap behind it.  The sentry randomises each of them, since all address spaces begin alike.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "platform/base/alloc.h"
#include "platform/base/overflow.h"
#include "platform/base/rand.h"
#include "sentry/loader/loader_int.h"

#define STACK_RANDOM (16ul << 30)               /* 22 bits of pages */
#define MMAP_RANDOM  (1ul << 40)                /* 28 bits of pages */
#define BRK_RANDOM   (32ul << 20)
#define STACK_MAX    (256ul << 20)              /* of an unlimited RLIMIT_STACK */
#define STACK_INIT   (132ul << 10)              /* how far Linux grows it for a start */
#define GAP_MIN      (128ul << 20)

static u64 random_pages(const struct exec_build *b, u64 range)
{
	return b->random ? rand_below(range / PAGE_SIZE) * PAGE_SIZE : 0;
}

static u64 page_up(u64 x)
{
	return ALIGN_UP(x, PAGE_SIZE);
}

/* A large address space keeps Linux's distances; a small one (tests) shrinks them. */
static u64 scaled(const struct mm *mm, u64 range)
{
	return MIN(range, (mm->hi - mm->lo) / 8 & PAGE_MASK);
}

static int place(struct exec_build *b, struct elf_file *ef, u64 at)
{
	u64 span = ef->info.hi - ef->info.lo;

	if (!ef->info.dyn)
		at = ef->info.lo;
	at = ALIGN_DOWN(at, PAGE_SIZE);
	ef->bias = at - ef->info.lo;            /* modulo 2^64 */
	if (at < b->mm->lo || !range_ok(at, span, b->mm->stack_low))
		return -ENOMEM;
	return 0;
}

static void note_program(struct mm *mm, const struct elf_file *ef)
{
	u64 code_lo = UINT64_MAX, code_hi = 0, data_lo = 0, data_hi = 0;

	for (u32 i = 0; i < ef->info.nseg; i++) {
		const struct elf_seg *s = &ef->info.seg[i];
		u64 at = s->vaddr + ef->bias;

		if (s->prot & PROT_EXEC) {
			code_lo = MIN(code_lo, at);
			code_hi = MAX(code_hi, at + s->filesz);
		}
		if (at > data_lo)
			data_lo = at;
		data_hi = MAX(data_hi, at + s->filesz);
	}
	mm->code_start = code_lo == UINT64_MAX ? 0 : code_lo;
	mm->code_end = code_hi;
	mm->data_start = data_lo;
	mm->data_end = data_hi;
}

int exec_layout(struct exec_build *b)
{
	struct mm *mm = b->mm;
	u64 limit = MIN(task_rlimit(b->t, RLIMIT_STACK), STACK_MAX), gap, at, args = exec_args_size(b);
	int r;

	b->stack_size = page_up(MAX(limit, args + STACK_INIT));
	gap = page_up(b->stack_size + GAP_MIN / 128);
	if (gap < GAP_MIN)
		gap = GAP_MIN;
	gap = scaled(mm, gap + STACK_RANDOM);
	mm->stack_top = mm->hi - random_pages(b, scaled(mm, STACK_RANDOM) / 2);
	if (b->stack_size >= gap / 2 + 1 || mm->stack_top - b->stack_size < mm->lo)
		return -ENOMEM;
	mm->stack_low = mm->stack_top - b->stack_size;
	mm->stack_reserve = b->stack_size - MIN(b->stack_size, args + STACK_INIT);
	mm->mmap_base = mm->stack_low - PAGE_SIZE * 256 - random_pages(b, scaled(mm, MMAP_RANDOM));
	mm->gap_top = mm->mmap_base;

	at = mm->hi / 3 * 2 + random_pages(b, scaled(mm, MMAP_RANDOM));
	r = place(b, &b->prog, ALIGN_DOWN(at, b->prog.info.align));
	if (r < 0)
		return r;
	note_program(mm, &b->prog);
	mm->brk_start = mm->brk = b->prog.info.hi + b->prog.bias + random_pages(b, BRK_RANDOM);
	return 0;
}

struct pieces {
	struct mm_piece *p;
	struct elf_zero *z;
	size_t n, nz;
};

/* The host side of [off, off + len) of @f, privately mapped. */
static int file_piece(struct exec_build *b, struct elf_file *ef, struct mm_piece *p)
{
	struct mapping m = { .fd = HOSTFD_NONE };
	int r = file_map(b->t, ef->f, p->offset, p->len, p->prot, MAP_PRIVATE, &m);

	if (r < 0)
		return r == -ENODEV ? -ENOEXEC : r;
	if (m.fd.fd < 0)
		return -ENOEXEC;
	p->fd = m.fd;
	p->fd_offset = m.offset;
	p->file = ef->f;
	return 0;
}

static int add_segment(struct exec_build *b, struct elf_file *ef, const struct elf_seg *s, struct pieces *out)
{
	u64 at = s->vaddr + ef->bias, start = at & PAGE_MASK;
	u64 file_end = at + s->filesz, file_top = page_up(file_end), top = page_up(at + s->memsz);
	int r;

	/* The program that asked for it may not run one that needs what it gave up (Linux kills it: it finds out later). */
	if (s->filesz && (b->mm->mdwe & MDWE_REFUSE_GAIN) && (s->prot & (PROT_WRITE | PROT_EXEC)) == (PROT_WRITE | PROT_EXEC))
		return -EACCES;
	if (s->filesz == 0)
		file_top = start;
	if (file_top > start) {
		struct mm_piece *p = &out->p[out->n];

		*p = (struct mm_piece){
			.addr = start, .len = file_top - start, .prot = s->prot, .flags = MAP_PRIVATE,
			.offset = s->off - (at - start),
		};
		r = file_piece(b, ef, p);
		if (r < 0)
			return r;
		out->n++;
		if (s->memsz > s->filesz && file_top > file_end)
			out->z[out->nz++] = (struct elf_zero){ file_end, file_top - file_end,
							       s->prot & PROT_WRITE };
	}
	if (top > file_top)
		out->p[out->n++] = (struct mm_piece){
			.addr = file_top, .len = top - file_top, .flags = MAP_PRIVATE,
			.prot = PROT_READ | PROT_WRITE | (s->prot & PROT_EXEC), .fd = HOSTFD_NONE,
		};
	return 0;
}

static int add_file(struct exec_build *b, struct elf_file *ef, struct pieces *out)
{
	int r = 0;

	for (u32 i = 0; i < ef->info.nseg && r == 0; i++)
		r = add_segment(b, ef, &ef->info.seg[i], out);
	return r;
}

static int zero_tails(struct exec_build *b, const struct pieces *out)
{
	static const u8 zeros[PAGE_SIZE];

	for (size_t i = 0; i < out->nz; i++) {
		const struct elf_zero *z = &out->z[i];

		/* As Linux: what may not be written keeps the file's bytes. */
		if (mm_copy_out(b->mm, GADDR(z->addr), zeros, z->len) < z->len && z->writable)
			return -EFAULT;
	}
	return 0;
}

/* Everything but the interpreter and the vdso has its place; find one for them and map all. */
static int map_all(struct exec_build *b, struct pieces *out)
{
	struct mm *mm = b->mm;
	struct kernel *k = mm->kernel;
	u64 pages = vdso_pages(k), base, span;
	int r = add_file(b, &b->prog, out);

	if (r < 0)
		return r;
	out->p[out->n++] = (struct mm_piece){
		.addr = mm->stack_low, .len = b->stack_size, .prot = b->stack_prot,
		.flags = MAP_PRIVATE | MAP_NORESERVE | MAP_GROWSDOWN, .fd = HOSTFD_NONE, .name = "[stack]",
	};
	r = mm_install(mm, b->ctx, out->p, out->n);
	if (r < 0)
		return r;
	out->n = 0;
	if (pages) {
		base = mm_pick(mm, pages * PAGE_SIZE);
		if (!base)
			return -ENOMEM;
		vdso_pieces(k, base, out->p);
		mm->vdso_base = out->p[1].addr;
		out->n = 2;
	}
	if (b->interp.f) {
		span = b->interp.info.hi - b->interp.info.lo + b->interp.info.align;
		base = mm_pick(mm, span + pages * PAGE_SIZE);
		r = base ? place(b, &b->interp, ALIGN_UP(base, b->interp.info.align)) : -ENOMEM;
		if (r == 0)
			r = add_file(b, &b->interp, out);
		if (r < 0)
			return r;
	}
	r = out->n ? mm_install(mm, b->ctx, out->p, out->n) : 0;
	return r < 0 ? r : zero_tails(b, out);
}

int exec_map(struct exec_build *b)
{
	size_t n = 2 * ((size_t)b->prog.info.nseg + b->interp.info.nseg) + 3;
	struct pieces out = { .p = kbuf_array(n, sizeof(*out.p)), .z = kbuf_array(n, sizeof(*out.z)) };
	int r = out.p && out.z ? map_all(b, &out) : -ENOMEM;

	kfree(out.p);
	kfree(out.z);
	return r;
}
