/*
 * test_mm.c - the vma set against a naive model.
 *
 * A fake platform keeps what it was told in one array of pages, a model keeps
 * what Linux would have in another; after every random operation vma set,
 * model and platform must agree page by page, and the totals with a recount.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"
#include "sentry/vfs/vfs.h"
#include "sentry/vfs/aio.h"

#define LO 0x10000ul
#define NPAGES 96
#define HI (LO + NPAGES * PAGE_SIZE)

struct page { int mapped, prot, shared, file; u64 tag; };       /* tag: which bytes (file page or fresh) */

struct platform { int unused; };
struct aspace { int refs; };

struct fake {
	struct page host[NPAGES];
	int fail;                               /* the next apply fails with this */
	u64 as, data, memlock;
	bool cap;
	struct rlimit64_g unused;
};

static struct fake fake;
static struct platform fake_platform;
static struct kernel fake_kernel = { .platform = &fake_platform };
static const struct file_ops fake_ops = { .name = "fake" };
static struct file fake_file;
static int map_error;

/* ---- what mm calls ---- */

void platform_user_range(const struct platform *p, u64 *lo, u64 *hi)
{
	(void)p;
	*lo = LO;
	*hi = HI;
}

void aspace_unref(struct aspace *as)
{
	as->refs--;
}

void platform_worked(struct platform *p, size_t n) { (void)p; (void)n; }

int aspace_present(const struct aspace *as, const u64 *addr, u32 n, u32 *ret)
{
	(void)as, (void)addr, (void)n, (void)ret;
	return -ENOSYS;
}

size_t aspace_copy_in(struct aspace *as, void *dst, gaddr_t src, size_t n)
{
	(void)as, (void)dst, (void)src;
	return n;
}

size_t aspace_copy_out(struct aspace *as, gaddr_t dst, const void *src, size_t n)
{
	(void)as, (void)dst, (void)src;
	return n;
}

static int host_apply(const struct as_op *op)
{
	u64 at = (op->addr.v - LO) / PAGE_SIZE, n = op->len / PAGE_SIZE;
	struct page tmp[NPAGES] = { 0 };

	assert_true(op->addr.v >= LO && op->len > 0 && op->addr.v + op->len <= HI);
	assert_int_equal(op->len % PAGE_SIZE, 0);
	for (u64 i = at; i < at + n; i++)
		switch (op->kind) {
		case AS_MAP:
			fake.host[i] = (struct page){ .mapped = 1, .prot = op->prot,
				.shared = !!(op->flags & MAP_SHARED), .file = op->file.fd >= 0,
				.tag = op->file.fd >= 0 ? op->offset / PAGE_SIZE + i - at : 0 };
			break;
		case AS_UNMAP:
			fake.host[i] = (struct page){ 0 };
			break;
		case AS_PROTECT:
			assert_true(fake.host[i].mapped);
			fake.host[i].prot = op->prot;
			break;
		case AS_MOVE:
			assert_true(fake.host[i].mapped);
			tmp[i - at] = fake.host[i];
			break;
		case AS_ADVISE:
			assert_true(fake.host[i].mapped);
			break;
		}
	if (op->kind != AS_MOVE)
		return 0;
	u64 to = (op->new_addr.v - LO) / PAGE_SIZE, m = op->new_len / PAGE_SIZE;

	assert_true(op->new_addr.v >= LO && op->new_addr.v + op->new_len <= HI);
	for (u64 i = n; i < m; i++) {
		tmp[i] = tmp[i - 1];
		tmp[i].tag += tmp[i].file ? 1 : 0;
	}
	memset(&fake.host[at], 0, n * sizeof(struct page));
	memcpy(&fake.host[to], tmp, m * sizeof(struct page));
	return 0;
}

bool ctx_has_frame(const struct ctx *c)
{
	(void)c;
	return true;
}

bool ctx_pass(struct ctx *c)
{
	(void)c;
	return false;
}

int aspace_apply(struct ctx *c, const struct as_op *ops, size_t n, size_t *ret_done)
{
	(void)c;
	for (size_t i = 0; i < n; i++) {
		int r = fake.fail;

		if (ret_done)
			*ret_done = i;
		if (r < 0)
			return r;
		host_apply(&ops[i]);
	}
	if (ret_done)
		*ret_done = n;
	return 0;
}

/* No address space here has a queue of asynchronous I/O, or a program. */
void aio_exit(struct mm *mm) { (void)mm; }
bool inode_deny_writers(struct inode *i) { (void)i; return true; }
void inode_allow_writers(struct inode *i) { (void)i; }

struct file *file_ref(struct file *f)
{
	ref_get(&f->ref);
	return f;
}

struct file *file_unref(struct file *f)
{
	if (f)
		assert_false(ref_put(&f->ref));
	return NULL;
}

u32 file_flags(struct file *f)
{
	return f->flags;
}

int file_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags, struct mapping *ret)
{
	(void)t, (void)f, (void)len, (void)prot, (void)flags;
	ret->fd = HOSTFD(3);
	ret->offset = off;
	return map_error;
}

int file_fsync(struct task *t, struct file *f, bool data_only)
{
	(void)t, (void)f, (void)data_only;
	return 0;
}

int tmpfs_anon_file(struct task *t, const char *name, u64 size, u32 seals, struct file **ret)
{
	(void)t, (void)name, (void)size, (void)seals;
	*ret = file_ref(&fake_file);
	return 0;
}

u32 mount_flags(const struct mount *m)
{
	(void)m;
	return MNT_NOEXEC;
}

ssize_t vfs_path_name(struct task *t, const struct path *p, char *buf, size_t cap)
{
	(void)t, (void)p;
	return snprintf(buf, cap, "/lib/x.so");
}

u64 task_rlimit(struct task *t, int resource)
{
	(void)t;
	return resource == RLIMIT_AS ? fake.as : resource == RLIMIT_DATA ? fake.data : fake.memlock;
}

bool capable(struct task *t, int cap)
{
	(void)t, (void)cap;
	return fake.cap;
}

/* ---- the harness ---- */

struct world {
	struct task t;
	struct aspace as;
	struct page model[NPAGES];
};

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	fake = (struct fake){ .as = ~0ul, .data = ~0ul, .memlock = ~0ul };
	fake_file = (struct file){ .ops = &fake_ops, .flags = O_RDWR };
	ref_init(&fake_file.ref);
	w->as.refs = 1;
	w->t.kernel = &fake_kernel;
	w->t.mm = mm_new(&fake_kernel, &w->as);
	assert_non_null(w->t.mm);
}

static void world_done(struct world *w)
{
	mm_unref(w->t.mm);
	assert_int_equal(w->as.refs, 0);
	assert_int_equal(fake_file.ref.n, 1);
}

static u64 page_addr(u64 i)
{
	return LO + i * PAGE_SIZE;
}

/* The set is well formed, agrees with the host's pages, and its totals are right. */
static void check(struct world *w)
{
	struct mm *mm = w->t.mm;
	struct page seen[NPAGES] = { 0 };
	u64 total = 0, data = 0, locked = 0, n = 0, last = 0;
	struct vma *prev = NULL;

	for (struct vma *v = vma_first(mm); v; prev = v, v = vma_next(v)) {
		assert_true(v->start >= last && v->start < v->end && v->end <= HI && v->start >= LO);
		last = v->end;
		n++;
		total += v->end - v->start;
		if ((v->prot & PROT_WRITE) && !(v->flags & (MAP_SHARED | MAP_GROWSDOWN)))
			data += v->end - v->start;
		if (v->madvise & VMA_LOCKED)
			locked += v->end - v->start;
		if (prev && prev->end == v->start && prev->prot == v->prot && prev->flags == v->flags &&
		    prev->file == v->file && prev->name == v->name && prev->madvise == v->madvise)
			assert_true(v->file && prev->offset + (prev->end - prev->start) != v->offset);
		for (u64 a = v->start; a < v->end; a += PAGE_SIZE)
			seen[(a - LO) / PAGE_SIZE] = (struct page){ .mapped = 1, .prot = v->prot,
				.shared = !!(v->flags & MAP_SHARED), .file = v->file != NULL,
				.tag = v->file ? (v->offset + a - v->start) / PAGE_SIZE : 0 };
	}
	assert_int_equal(n, mm->nvmas);
	assert_int_equal(total, mm->total_vm);
	assert_int_equal(data, mm->data_vm);
	assert_int_equal(locked, mm->locked_vm);
	assert_memory_equal(seen, fake.host, sizeof(seen));
}

static u64 rnd_state = 88172645463325252ull;

static u64 rnd(u64 limit)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state % limit;
}

static void model_set(struct world *w, u64 at, u64 n, struct page p)
{
	for (u64 i = 0; i < n; i++) {
		w->model[at + i] = p;
		w->model[at + i].tag += p.file ? i : 0;
	}
}

static void random_mmap(struct world *w, u64 at, u64 n)
{
	int prot = (int)rnd(8), kind = (int)rnd(3);
	bool file = kind == 2;
	u64 off = rnd(64);
	int flags = (kind == 1 ? MAP_PRIVATE : MAP_SHARED) | (file ? 0 : MAP_ANONYMOUS);
	bool fixed = rnd(3) != 0;
	long r = mm_mmap(&w->t, GADDR(page_addr(at)), n * PAGE_SIZE - rnd(100), prot,
			 flags | (fixed ? MAP_FIXED : 0), file ? &fake_file : NULL, file ? off * PAGE_SIZE : 0);

	if (r < 0) {
		assert_false(fixed);
		assert_int_equal(r, -ENOMEM);
		return;
	}
	if (fixed)
		assert_int_equal(r, page_addr(at));
	at = ((u64)r - LO) / PAGE_SIZE;
	if (!fixed)
		for (u64 i = at; i < at + n; i++)
			assert_false(w->model[i].mapped);
	model_set(w, at, n, (struct page){ 1, prot, kind != 1, kind != 1, file ? off : 0 });
}

static void random_mprotect(struct world *w, u64 at, u64 n)
{
	int prot = (int)rnd(8);
	int r = mm_mprotect(&w->t, GADDR(page_addr(at)), n * PAGE_SIZE, prot), want = 0;

	for (u64 i = at; i < at + n && want == 0; i++) {
		if (w->model[i].mapped)
			w->model[i].prot = prot;
		else
			want = -ENOMEM;
	}
	assert_int_equal(r, want);
}

static void random_mremap(struct world *w, u64 at, u64 n)
{
	u64 m = 1 + rnd(12), to = rnd(NPAGES - m);
	int flags = (int)rnd(2) ? MREMAP_MAYMOVE : 0;
	struct vma *v = vma_at(w->t.mm, page_addr(at));
	u64 room = v ? (v->end - page_addr(at)) / PAGE_SIZE : 0;
	struct page old[NPAGES];
	long r;

	if (flags && rnd(2) && (to + m <= at || at + n <= to))
		flags |= MREMAP_FIXED;
	memcpy(old, w->model, sizeof(old));
	r = mm_mremap(&w->t, GADDR(page_addr(at)), n * PAGE_SIZE, m * PAGE_SIZE, flags, GADDR(page_addr(to)));
	if (!room) {
		assert_int_equal(r, -EFAULT);
		return;
	}
	if (r < 0) {
		/* What MREMAP_FIXED cleared stays cleared: take the platform's word. */
		assert_true(r == -EFAULT || r == -ENOMEM);
		memcpy(w->model, fake.host, sizeof(w->model));
		return;
	}
	u64 dst = ((u64)r - LO) / PAGE_SIZE;

	if (flags & MREMAP_FIXED)
		assert_int_equal(dst, to);
	if (dst != at)
		memset(&w->model[at], 0, n * sizeof(struct page));
	else if (m < n)
		memset(&w->model[at + m], 0, (n - m) * sizeof(struct page));
	for (u64 i = 0; i < m; i++) {
		struct page p = i < n ? old[at + i] : old[at + n - 1];

		if (i >= n && p.file)
			p.tag += i - n + 1;
		w->model[dst + i] = p;
	}
}

static void random_operations_agree_with_a_page_array(void **state)
{
	(void)state;
	struct world w;

	world_init(&w);
	for (int step = 0; step < 20000; step++) {
		u64 n = 1 + rnd(12), at = rnd(NPAGES - n);

		switch (rnd(6)) {
		case 0:
		case 1:
			random_mmap(&w, at, n);
			break;
		case 2:
			assert_int_equal(mm_munmap(&w.t, GADDR(page_addr(at)), n * PAGE_SIZE), 0);
			memset(&w.model[at], 0, n * sizeof(struct page));
			break;
		case 3:
			random_mprotect(&w, at, n);
			break;
		case 4:
			random_mremap(&w, at, n);
			break;
		case 5:
			(void)!mm_mlock(&w.t, GADDR(page_addr(at)), n * PAGE_SIZE, rnd(2) ? VMA_LOCKED : 0);
			break;
		}
		check(&w);
		assert_memory_equal(w.model, fake.host, sizeof(w.model));
	}
	world_done(&w);
}

static void a_refused_change_leaves_the_set_alone(void **state)
{
	(void)state;
	struct world w;

	world_init(&w);
	assert_true(mm_mmap(&w.t, GADDR(LO), 4 * PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			    NULL, 0) > 0);
	fake.fail = -ENOMEM;
	assert_int_equal(mm_munmap(&w.t, GADDR(LO + PAGE_SIZE), PAGE_SIZE), -ENOMEM);
	assert_int_equal(mm_mprotect(&w.t, GADDR(LO + PAGE_SIZE), PAGE_SIZE, PROT_WRITE), -ENOMEM);
	assert_int_equal(mm_mmap(&w.t, GADDR(LO), PAGE_SIZE, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				 NULL, 0), -ENOMEM);
	fake.fail = 0;
	check(&w);
	assert_int_equal(w.t.mm->nvmas, 1);
	world_done(&w);
}

static long try_map(struct world *w, u64 addr, u64 len, int prot, int flags)
{
	return mm_mmap(&w->t, GADDR(addr), len, prot, flags, NULL, 0);
}

static void mmap_errors_come_in_linux_order(void **state)
{
	(void)state;
	struct world w;
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;

	world_init(&w);
	assert_int_equal(try_map(&w, 0, 0, 0, anon), -EINVAL);
	assert_int_equal(try_map(&w, 0, ~0ul, 0, anon), -ENOMEM);
	assert_int_equal(try_map(&w, 0, PAGE_SIZE, 0, MAP_ANONYMOUS), -EINVAL);
	assert_int_equal(try_map(&w, LO + 1, PAGE_SIZE, 0, anon | MAP_FIXED), -EINVAL);
	assert_int_equal(try_map(&w, 0, PAGE_SIZE, 0, anon | MAP_FIXED), -EPERM);
	assert_int_equal(try_map(&w, HI, PAGE_SIZE, 0, anon | MAP_FIXED), -ENOMEM);
	assert_int_equal(try_map(&w, LO, PAGE_SIZE, 0, anon | MAP_FIXED), LO);
	assert_int_equal(try_map(&w, LO, PAGE_SIZE, 0, anon | MAP_FIXED_NOREPLACE), -EEXIST);
	/* A hint that is taken is forgotten, one that is free is honoured. */
	assert_int_equal(try_map(&w, LO, PAGE_SIZE, 0, anon), HI - PAGE_SIZE);
	assert_int_equal(try_map(&w, LO + 8 * PAGE_SIZE + 5, PAGE_SIZE, 0, anon), LO + 9 * PAGE_SIZE);
	fake.as = 4 * PAGE_SIZE;
	assert_int_equal(try_map(&w, 0, 2 * PAGE_SIZE, 0, anon), -ENOMEM);
	fake.as = ~0ul;
	fake.data = PAGE_SIZE;
	assert_int_equal(try_map(&w, 0, 2 * PAGE_SIZE, PROT_WRITE, anon), -ENOMEM);
	assert_true(try_map(&w, 0, 2 * PAGE_SIZE, PROT_READ, anon) > 0);
	fake.memlock = 0;
	assert_int_equal(try_map(&w, 0, PAGE_SIZE, 0, anon | MAP_LOCKED), -EPERM);
	fake.memlock = PAGE_SIZE;
	assert_int_equal(try_map(&w, 0, 2 * PAGE_SIZE, 0, anon | MAP_LOCKED), -EAGAIN);
	check(&w);
	world_done(&w);
}

static void files_are_mapped_as_they_were_opened(void **state)
{
	(void)state;
	struct world w;
	struct file *f = &fake_file;

	world_init(&w);
	f->flags = O_RDONLY;
	assert_int_equal(mm_mmap(&w.t, GADDR(0), PAGE_SIZE, PROT_WRITE, MAP_SHARED, f, 0), -EACCES);
	assert_true(mm_mmap(&w.t, GADDR(0), PAGE_SIZE, PROT_WRITE, MAP_PRIVATE, f, 0) > 0);
	long a = mm_mmap(&w.t, GADDR(0), PAGE_SIZE, PROT_READ, MAP_SHARED, f, 0);

	assert_true(a > 0);
	assert_int_equal(mm_mprotect(&w.t, GADDR(a), PAGE_SIZE, PROT_WRITE), -EACCES);
	/* The host has it as a private map: its descriptor may be one that can write. */
	assert_int_equal(fake.host[((u64)a - LO) / PAGE_SIZE].shared, 0);
	a = mm_mremap(&w.t, GADDR(a), 0, PAGE_SIZE, MREMAP_MAYMOVE, GADDR(0));
	assert_true(a > 0);
	assert_int_equal(fake.host[((u64)a - LO) / PAGE_SIZE].shared, 0);
	f->flags = O_WRONLY;
	assert_int_equal(mm_mmap(&w.t, GADDR(0), PAGE_SIZE, PROT_WRITE, MAP_SHARED, f, 0), -EACCES);
	f->flags = O_RDWR;
	f->path.mnt = (struct mount *)&w;
	assert_int_equal(mm_mmap(&w.t, GADDR(0), PAGE_SIZE, PROT_EXEC, MAP_PRIVATE, f, 0), -EPERM);
	a = mm_mmap(&w.t, GADDR(0), PAGE_SIZE, PROT_READ, MAP_PRIVATE, f, 0);
	assert_int_equal(mm_mprotect(&w.t, GADDR(a), PAGE_SIZE, PROT_EXEC), -EACCES);
	assert_int_equal(mm_mmap(&w.t, GADDR(0), PAGE_SIZE, 0, MAP_SHARED_VALIDATE | 0x80000, f, 0), -EOPNOTSUPP);
	assert_int_equal(mm_mmap(&w.t, GADDR(0), 2 * PAGE_SIZE, 0, MAP_PRIVATE, f, ~0ul & PAGE_MASK), -EOVERFLOW);
	map_error = -ENODEV;
	assert_int_equal(mm_mmap(&w.t, GADDR(0), PAGE_SIZE, 0, MAP_PRIVATE, f, 0), -ENODEV);
	map_error = 0;
	f->path.mnt = NULL;
	world_done(&w);
}

static void the_break_moves_within_its_limits(void **state)
{
	(void)state;
	struct world w;

	world_init(&w);
	w.t.mm->brk_start = w.t.mm->brk = LO + 100;
	assert_int_equal(mm_brk(&w.t, GADDR(0)), LO + 100);
	assert_int_equal(mm_brk(&w.t, GADDR(LO + 3 * PAGE_SIZE + 7)), LO + 3 * PAGE_SIZE + 7);
	check(&w);
	assert_int_equal(mm_brk(&w.t, GADDR(LO + PAGE_SIZE)), LO + PAGE_SIZE);
	check(&w);
	assert_int_equal(w.t.mm->nvmas, 0);
	assert_true(try_map(&w, LO + 5 * PAGE_SIZE, PAGE_SIZE, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) > 0);
	assert_int_equal(mm_brk(&w.t, GADDR(LO + 5 * PAGE_SIZE)), LO + PAGE_SIZE);
	assert_int_equal(mm_brk(&w.t, GADDR(LO + 4 * PAGE_SIZE)), LO + 4 * PAGE_SIZE);
	fake.data = 2 * PAGE_SIZE;
	assert_int_equal(mm_brk(&w.t, GADDR(LO + 4 * PAGE_SIZE + 1)), LO + 4 * PAGE_SIZE);
	check(&w);
	world_done(&w);
}

static void fork_copies_all_but_dontfork(void **state)
{
	(void)state;
	struct world w;
	struct aspace child_as = { .refs = 1 };
	struct mm *child;

	world_init(&w);
	assert_true(try_map(&w, LO, 8 * PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED) > 0);
	assert_int_equal(mm_madvise(&w.t, GADDR(LO + PAGE_SIZE), PAGE_SIZE, MADV_DONTFORK), 0);
	assert_int_equal(mm_mlock(&w.t, GADDR(LO), PAGE_SIZE, VMA_LOCKED), 0);
	assert_int_equal(w.t.mm->nvmas, 3);
	assert_int_equal(mm_fork(&w.t, &child_as, NULL, &child), 0);
	assert_int_equal(child->nvmas, 2);
	assert_int_equal(child->locked_vm, 0);
	assert_int_equal(child->total_vm, 7 * PAGE_SIZE);
	mm_unref(child);
	assert_int_equal(child_as.refs, 0);
	world_done(&w);
}

static void advice_is_checked(void **state)
{
	(void)state;
	struct world w;

	world_init(&w);
	assert_true(try_map(&w, LO, 2 * PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) > 0);
	assert_true(try_map(&w, LO + 4 * PAGE_SIZE, PAGE_SIZE, 0, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED) > 0);
	assert_int_equal(mm_madvise(&w.t, GADDR(LO), PAGE_SIZE, 999), -EINVAL);
	assert_int_equal(mm_madvise(&w.t, GADDR(LO + 1), PAGE_SIZE, MADV_DONTNEED), -EINVAL);
	assert_int_equal(mm_madvise(&w.t, GADDR(LO), 0, MADV_DONTNEED), 0);
	assert_int_equal(mm_madvise(&w.t, GADDR(LO), 5 * PAGE_SIZE, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(mm_madvise(&w.t, GADDR(LO + 4 * PAGE_SIZE), PAGE_SIZE, MADV_FREE), -EINVAL);
	assert_int_equal(mm_madvise(&w.t, GADDR(LO), PAGE_SIZE, MADV_FREE), 0);
	assert_int_equal(mm_madvise(&w.t, GADDR(LO + 4 * PAGE_SIZE), PAGE_SIZE, MADV_WIPEONFORK), -EINVAL);
	assert_int_equal(mm_mlock(&w.t, GADDR(LO), PAGE_SIZE, VMA_LOCKED), 0);
	assert_int_equal(mm_madvise(&w.t, GADDR(LO), PAGE_SIZE, MADV_DONTNEED), -EINVAL);
	assert_int_equal(mm_msync(&w.t, GADDR(LO), 2 * PAGE_SIZE, MS_SYNC | MS_INVALIDATE), -EBUSY);
	assert_int_equal(mm_msync(&w.t, GADDR(LO), 3 * PAGE_SIZE, MS_SYNC), -ENOMEM);
	world_done(&w);
}

static void who_sums_up_all_processes_waits_for_none(void **state)
{
	(void)state;
	struct world w;
	struct mm_usage u, seen;

	world_init(&w);
	assert_true(try_map(&w, LO, 2 * PAGE_SIZE, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) > 0);
	mm_resident(w.t.mm, &seen);
	mm_usage(w.t.mm, &u);
	assert_int_equal(seen.rss_anon, u.rss_anon);
	assert_int_equal(seen.rss_file, u.rss_file);
	assert_int_equal(seen.rss_shmem, u.rss_shmem);
	mutex_lock(&w.t.mm->mu);
	mm_resident(w.t.mm, &seen);
	mutex_unlock(&w.t.mm->mu);
	assert_int_equal(seen.rss_anon, u.rss_anon);
	world_done(&w);
}

static void mremap_errors_are_linux_errors(void **state)
{
	(void)state;
	struct world w;
	const u64 P = PAGE_SIZE;

	world_init(&w);
	assert_true(try_map(&w, LO, 4 * P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) > 0);
	assert_true(try_map(&w, LO + 4 * P, P, PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED) > 0);
	assert_int_equal(mm_mremap(&w.t, GADDR(LO), P, P, 8, GADDR(0)), -EINVAL);
	assert_int_equal(mm_mremap(&w.t, GADDR(LO), P, P, MREMAP_FIXED, GADDR(0)), -EINVAL);
	assert_int_equal(mm_mremap(&w.t, GADDR(LO + 1), P, P, 0, GADDR(0)), -EINVAL);
	assert_int_equal(mm_mremap(&w.t, GADDR(LO), P, 0, 0, GADDR(0)), -EINVAL);
	assert_int_equal(mm_mremap(&w.t, GADDR(LO + 9 * P), P, P, 0, GADDR(0)), -EFAULT);
	assert_int_equal(mm_mremap(&w.t, GADDR(LO), 0, P, MREMAP_MAYMOVE, GADDR(0)), -EINVAL);
	assert_int_equal(mm_mremap(&w.t, GADDR(LO), 5 * P, 6 * P, MREMAP_MAYMOVE, GADDR(0)), -EFAULT);
	assert_int_equal(mm_mremap(&w.t, GADDR(LO), 4 * P, 5 * P, 0, GADDR(0)), -ENOMEM);
	assert_int_equal(mm_mremap(&w.t, GADDR(LO), 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, GADDR(LO + P)), -EINVAL);
	/* An old length of zero maps shared memory a second time; DONTUNMAP leaves the old place mapped. */
	long a = mm_mremap(&w.t, GADDR(LO + 4 * P), 0, P, MREMAP_MAYMOVE, GADDR(0));

	assert_int_equal(a, HI - P);
	a = mm_mremap(&w.t, GADDR(LO), 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, GADDR(0));
	assert_int_equal(a, HI - 3 * P);
	check(&w);
	assert_int_equal(w.t.mm->total_vm, 8 * P);
	world_done(&w);
}

static void maps_are_printed_as_linux_prints_them(void **state)
{
	(void)state;
	struct world w;
	struct strbuf s;

	world_init(&w);
	w.t.mm->brk_start = w.t.mm->brk = LO;
	assert_int_equal(mm_brk(&w.t, GADDR(LO + PAGE_SIZE)), LO + PAGE_SIZE);
	assert_true(try_map(&w, LO + 2 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) > 0);
	strbuf_init(&s);
	assert_int_equal(mm_show_maps(&w.t, w.t.mm, false, &s), 0);
	assert_string_equal(s.p,
		"00010000-00011000 rw-p 00000000 00:00 0                                  [heap]\n"
		"00012000-00013000 r-xp 00000000 00:00 0 \n");
	strbuf_clear(&s);
	assert_int_equal(mm_show_maps(&w.t, w.t.mm, true, &s), 0);
	assert_non_null(strstr(s.p, "VmFlags: rd ex mr mw me\n"));
	strbuf_done(&s);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_page_array),
		cmocka_unit_test(a_refused_change_leaves_the_set_alone),
		cmocka_unit_test(mmap_errors_come_in_linux_order),
		cmocka_unit_test(files_are_mapped_as_they_were_opened),
		cmocka_unit_test(the_break_moves_within_its_limits),
		cmocka_unit_test(fork_copies_all_but_dontfork),
		cmocka_unit_test(advice_is_checked),
		cmocka_unit_test(who_sums_up_all_processes_waits_for_none),
		cmocka_unit_test(mremap_errors_are_linux_errors),
		cmocka_unit_test(maps_are_printed_as_linux_prints_them),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
