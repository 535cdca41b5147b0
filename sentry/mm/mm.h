/*
 * mm.h - an address space as the guest sees it: intent, not enforcement.
 *
 * The host's page tables decide what an application can touch.  The vma set
 * kept here is for /proc/PID/maps, limits, mremap and choosing addresses; it
 * is advisory and never a security input.  What it does decide is which
 * objects (host fds) may be mapped, through the platform.
 *
 * Life:  one reference per task that runs in it, plus readers of /proc.
 * Locks: mm->mu (RANK_MM) guards the vma set and the fields below.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "platform/base/rbtree.h"
#include "platform/base/ref.h"
#include "platform/platform.h"
#include "sentry/mm/mempolicy.h"

struct kernel;
struct task;
struct file;
struct strbuf;
struct aspace;
struct ctx;

#define PAGE_SIZE 4096ul
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define MAX_MAP_COUNT 65530u                    /* vm.max_map_count */

/* vma.flags, beside MAP_SHARED, MAP_PRIVATE, MAP_GROWSDOWN and MAP_NORESERVE. */
#define VMA_SEALED     0x08000000u              /* mseal(2): can't be changed any more */
#define VMA_NOWRITE    0x10000000u              /* can't become writable: shared, from a read-only fd */
#define VMA_NOEXEC     0x20000000u              /* can't become executable: noexec mount */
#define VMA_DONTEXPAND 0x40000000u              /* can't grow: vdso */

/* vma.madvise */
#define VMA_DONTFORK    0x01u
#define VMA_WIPEONFORK  0x02u
#define VMA_DONTDUMP    0x04u
#define VMA_LOCKED      0x08u
#define VMA_LOCKONFAULT 0x10u
#define VMA_GUARDED     0x20u           /* MADV_GUARD_INSTALL was asked for somewhere in it */

struct vma {
	struct rb_node node;
	u64 start, end;
	int prot;                               /* PROT_* */
	u32 flags;                              /* MAP_SHARED/PRIVATE, MAP_GROWSDOWN, VMA_* */
	struct file *file;                      /* a reference; NULL = anonymous */
	u64 offset;                             /* in file */
	const char *name;                       /* a literal: "[heap]", "[stack]", "[vdso]"; NULL = by file */
	u32 madvise;                            /* VMA_DONTFORK... */
	struct mempolicy policy;                /* mbind(2) */
	struct vma *next_gone;                  /* once removed: vma_int.h */
};

struct mm {
	struct ref ref;
	struct kernel *kernel;                  /* immutable */
	struct aspace *as;                      /* immutable, a reference */
	struct mutex mu;                        /* RANK_MM */
	struct rb_root vmas GUARDED_BY(mu);
	u64 total_vm, locked_vm, data_vm, stack_vm;     /* bytes; guarded by mu */
	_Atomic u64 seen_anon, seen_file, seen_shmem;   /* what mm_usage() found last, */
	_Atomic s64 seen_at;                    /* when, */
	_Atomic u64 seen_most;                  /* and the largest sum of them */
	u64 stack_reserve;                      /* part of the stack that Linux would not have grown yet; immutable after exec */
	u32 nvmas;                              /* guarded by mu */
	u32 mdwe;                               /* guarded by mu: MDWE_* */
	u32 lock_future;                        /* guarded by mu: VMA_LOCKED... for new maps (mlockall) */
	u64 gap_top, gap_hole;                  /* guarded by mu: gap.c */
	u64 lo, hi;                             /* what may be mapped; immutable */
	u64 brk_start, brk;                     /* guarded by mu */
	u64 mmap_base;                          /* top of the mmap area; randomised; immutable */
	u64 stack_top, stack_low;               /* immutable after exec */
	u64 arg_start, arg_end, env_start, env_end;     /* guarded by mu (PR_SET_MM) */
	u64 code_start, code_end, data_start, data_end; /* guarded by mu */
	u64 vdso_base;                          /* immutable after exec */
	u64 auxv[64]; u32 auxv_n;               /* immutable after exec */
	struct file *exe;                       /* guarded by mu; a reference */
	bool dumpable;
	struct list_head aio;                   /* guarded by mu: contexts of vfs/aio.c */
};

/* A fresh one over a pristine address space (reference taken over). */
struct mm *mm_new(struct kernel *k, struct aspace *as) must_check;
/*
 * vma copy for fork: *ret is over @child_as (reference taken over on success).  Its memory is
 * complete already: DONTFORK and WIPEONFORK reached the platform as AS_ADVISE when they were asked for.
 */
int mm_fork(struct task *t, struct aspace *child_as, struct ctx *child, struct mm **ret) must_check;
struct mm *mm_ref(struct mm *mm);
void mm_unref(struct mm *mm);

/* The mmap family: @t must be trapped with a frame.  Addresses or -errno. */
long mm_mmap(struct task *t, gaddr_t addr, u64 len, int prot, int flags, struct file *f, u64 off) must_check;
int mm_munmap(struct task *t, gaddr_t addr, u64 len) must_check;
int mm_mprotect(struct task *t, gaddr_t addr, u64 len, int prot) must_check;
long mm_mremap(struct task *t, gaddr_t old, u64 old_len, u64 new_len, int flags, gaddr_t new_addr) must_check;
long mm_brk(struct task *t, gaddr_t addr) must_check;
int mm_madvise(struct task *t, gaddr_t addr, u64 len, int advice) must_check;
/* No frame needed.  Sealed memory refuses unmapping, protection, moves, and advice that drops what it could not write: -EPERM. */
int mm_mseal(struct task *t, gaddr_t addr, u64 len) must_check;

/* mdwe.c.  -EPERM: something else was asked for before. */
#define MDWE_REFUSE_GAIN 1u             /* no memory becomes executable, or is both that and writable */
#define MDWE_NO_INHERIT  2u             /* with it: only here */
int mm_set_mdwe(struct mm *mm, u32 bits) must_check;
u32 mm_mdwe(struct mm *mm);
u32 mm_mdwe_inherited(u32 bits);                /* by what fork and exec make */

int mm_msync(struct task *t, gaddr_t addr, u64 len, int flags) must_check;
/* Is all of it mapped?  0 or -ENOMEM. */
int mm_check_mapped(struct mm *mm, u64 addr, u64 len) must_check;
/* Which pages are there: a byte each, at @to.  @t is trapped with a frame. */
int mm_mincore(struct task *t, u64 start, u64 end, gaddr_t to) must_check;
/* Is all of it ordinary memory, private and writable, that writing to cannot fail? The end must not wrap. */
bool mm_is_plain(struct mm *mm, u64 addr, u64 len) must_check;
/* Is @addr in shared memory?  Then what it is, for comparing: *ret_obj (not a reference) and the offset in it. */
bool mm_shared_key(struct mm *mm, u64 addr, const void **ret_obj, u64 *ret_off) must_check;
/* @how: VMA_LOCKED, VMA_LOCKED | VMA_LOCKONFAULT, or 0 to unlock. */
int mm_mlock(struct task *t, gaddr_t addr, u64 len, u32 how) must_check;
int mm_mlockall(struct task *t, int flags) must_check;          /* MCL_*; 0 = munlockall */
int mm_remap_file_pages(struct task *t, gaddr_t addr, u64 len, u64 pgoff, int flags) must_check;

/*
 * For exec: map @n pieces at their exact places in a new mm, in one batch on @c.
 * Nothing is checked against limits.  File pieces bring the host object with them.
 */
struct mm_piece {
	u64 addr, len;
	int prot;
	u32 flags;                              /* as vma.flags */
	struct file *file;                      /* NULL: anonymous (or fd only: the vdso); referenced */
	u64 offset;
	hostfd_t fd;                            /* HOSTFD_NONE = anonymous */
	u64 fd_offset;
	const char *name;
};
int mm_install(struct mm *mm, struct ctx *c, const struct mm_piece *p, size_t n) must_check;
/* A free range below mmap_base; 0 = none. */
u64 mm_pick(struct mm *mm, u64 len);

/* The system call at @site traps often (trap.site). @t is trapped with a frame. */
void mm_hot_site(struct task *t, u64 site);

/* Copy with another mm (process_vm_readv, /proc/PID/mem, cmdline, environ). Bytes copied. */
size_t mm_copy_in(struct mm *mm, void *dst, gaddr_t src, size_t n);
size_t mm_copy_out(struct mm *mm, gaddr_t dst, const void *src, size_t n);

/* A tracer writes to its stopped tracee @x, whose owner calls: read-only pages too, but never what is shared. 0 or -EIO. */
int mm_poke(struct task *x, gaddr_t dst, const void *src, size_t n) must_check;

/* /proc/PID/maps and smaps; totals for statm, status. */
int mm_show_maps(struct task *reader, struct mm *mm, bool smaps, struct strbuf *out) must_check;
/* rss_*: what is in memory, as far as the host tells (resident.c); rss_most: at some time. */
struct mm_usage { u64 vm, rss_anon, rss_file, rss_shmem, rss_most, data, stack, text, lib, locked; };
void mm_usage(struct mm *mm, struct mm_usage *ret);
/* No more than that is in memory, or was: cheap. */
u64 mm_resident_bound(struct mm *mm);
/*
 * rss_* alone, for who looks at all processes and must not wait for one whose stub does not answer: as seen a second ago at most,
 * or, if it is busy, as last seen.
 */
void mm_resident(struct mm *mm, struct mm_usage *ret);
