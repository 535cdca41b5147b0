/*
 * zygote.c - the first stub: a child of the sentry that sheds everything it inherits.
 *
 * What a child of glibc's fork still has of its parent, and what becomes of it here:
 * memory (unmapped by the stub on command, all but its own), the rseq area and robust list
 * (unregistered), extended state (reset by the loader through the frame), rlimits, descriptors, names,
 * capabilities (none left), the host's vDSO (kept, moved into our range).  Every
 * later stub is a copy of it, so each address that an application sees is chosen by the sentry.
 */
#include "platform/systrap/systrap.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "platform/host/futex.h"
#include "platform/host/title.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ull
#endif
#define HWCAP2_FSGSBASE_BIT 2

extern const u8 stub_blob_start[], stub_blob_end[];

#define USER_END 0x7ffffffff000ull      /* Linux's TASK_SIZE */

/*
 * The topmost GiB that is free now, reserved.  The host's stack and vDSO lie
 * somewhere in the last 16 GiB; reserving before the fork keeps others out.
 */
/* @same: there and nowhere else, if not 0. */
static u64 reserve_stub(u64 same)
{
	for (u64 a = same ? same : USER_END + 4096 - STUB_SIZE; a > USER_END - 64 * STUB_SIZE; a -= STUB_SIZE) {
		u64 n = MIN(STUB_SIZE, USER_END - a);
		void *m = mmap((void *)a, n, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

		if (m == (void *)a)
			return a;
		if (m != MAP_FAILED)
			munmap(m, n);
		if (same)
			break;
	}
	return 0;
}

/*
 * [vvar...] and [vdso] as one range.  There may be no /proc to ask: the kernel tells
 * where the image is, its header how long, and the data pages lie mapped right before it.
 */
struct host_vdso { u64 vvar, vdso, end; };

#define VVAR_PAGES_MAX 12

static void find_vdso(struct host_vdso *v)
{
	u64 vdso = getauxval(AT_SYSINFO_EHDR), vvar = vdso, end = 0;
	const Elf64_Ehdr *eh = (const void *)vdso;
	const Elf64_Phdr *ph;
	unsigned char in_core;

	memset(v, 0, sizeof(*v));
	if (!vdso)
		return;
	ph = (const void *)(vdso + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD)
			end = MAX(end, ph[i].p_vaddr + ph[i].p_memsz);
	while (vdso - vvar <= VVAR_PAGES_MAX * 4096 && mincore((void *)(vvar - 4096), 4096, &in_core) == 0)
		vvar -= 4096;
	if (vvar == vdso || vdso - vvar > VVAR_PAGES_MAX * 4096)
		return;
	*v = (struct host_vdso){ .vvar = vvar, .vdso = vdso, .end = vdso + ALIGN_UP(end, 4096ull) };
}

/* ---- in the child: only raw effects, and failure is _exit ---- */

static void shed_rights(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	struct rlimit core = { 0, 0 }, files = { 16384, 16384 }, inf = { RLIM_INFINITY, RLIM_INFINITY };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &h, d) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(101);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);     /* the sentry reads and writes our memory */
	prctl(PR_SET_NAME, "csandbox-stub", 0, 0, 0);
	setrlimit(RLIMIT_CORE, &core);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)setrlimit(RLIMIT_STACK, &inf);
	(void)setrlimit(RLIMIT_AS, &inf);
	(void)setrlimit(RLIMIT_DATA, &inf);
}

static void map_stub(u64 stub)
{
	size_t n = (size_t)(stub_blob_end - stub_blob_start);
	u64 range[2] = { stub + STUB_SLOTS_OFF, stub + STUB_SLOTS_OFF + SLOT_MAX * SLOT_SIZE };
	void *text, *slots, *title;

	text = mmap((void *)stub, STUB_TEXT_MAX, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	slots = mmap((void *)(stub + STUB_SLOTS_OFF), SLOT_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
	title = mmap((void *)(stub + STUB_TITLE_OFF), TITLE_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (text == MAP_FAILED || slots == MAP_FAILED || title == MAP_FAILED || n > STUB_TEXT_MAX)
		_exit(102);
	memcpy(text, stub_blob_start, n);
	memcpy((u8 *)text + STUB_SLOT_RANGE, range, sizeof(range));
	if (mprotect(text, STUB_TEXT_MAX, PROT_READ | PROT_EXEC) < 0)
		_exit(103);
	host_title_here(stub + STUB_TITLE_OFF, stub, stub + STUB_TEXT_MAX);
}

static bool move(u64 from, u64 len, u64 to)
{
	return mremap((void *)from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to) != MAP_FAILED;
}

/* Special mappings move as a whole, keeping the distance; without all of them there is none. */
static void move_vdso(u64 stub, const struct host_vdso *v)
{
	u64 to = stub + STUB_VDSO_OFF, code = to + (v->vdso - v->vvar), len = v->end - v->vdso;

	if (!v->vdso)
		return;
	/* The image may be a page longer than what its header says is loaded. */
	if (!move(v->vvar, v->vdso - v->vvar, to) ||
	    (!move(v->vdso, len, code) && !move(v->vdso, len + 4096, code)))
		munmap((void *)to, v->end - v->vvar + 4096);
}

static void set_handlers(u64 stub)
{
	static const int sigs[] = { SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, STUB_SIGNAL };
	/* Faults of the handler's own are its own to mend: stub_copy(). */
	static const u64 faults = 1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1);
	struct { u64 handler, flags, restorer, mask; } sa = {
		stub + STUB_HANDLER, SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | 0x04000000ull, stub + STUB_RESTORER, ~faults,
	};
	stack_t st = {
		.ss_sp = (void *)(stub + STUB_SLOTS_OFF + sizeof(struct slot)),
		.ss_size = SLOT_SIZE - sizeof(struct slot),
	};
	u64 none = 0;

	for (int s = 1; s <= 64; s++)
		signal(s, SIG_DFL);
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		if (syscall(SYS_rt_sigaction, sigs[i], &sa, NULL, 8) < 0)
			_exit(105);
	if (sigaltstack(&st, NULL) < 0 || syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8) < 0)
		_exit(106);
}

/* @ready: a pipe whose other end the sentry reads; it becomes descriptor 1, all others go. */
static noreturn_fn void zygote_main(int ready, u64 stub, const struct host_vdso *v)
{
	if (dup2(ready, 1) != 1)
		_exit(100);
	close(0);
	syscall(SYS_close_range, 2u, ~0u, 0u);
	syscall(SYS_set_robust_list, NULL, sizeof(void *) * 3);
	syscall(SYS_set_tid_address, NULL);
	if (__rseq_size)
		syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1, RSEQ_SIG);
	shed_rights();
	map_stub(stub);
	set_handlers(stub);
	move_vdso(stub, v);
	if (filter_install(stub, stub + STUB_TEXT_MAX) != 0)
		_exit(107);
	__asm__ volatile("xor %%ebp, %%ebp; xor %%esp, %%esp; jmp *%0" :: "a"(stub) : "memory");
	__builtin_unreachable();
}

/* ---- in the sentry ---- */

static int fetch_listener(pid_t child, int ready)
{
	int pidfd, fd = -1;
	u64 flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;
	char c;

	/* End of file: the stub runs, under its filter. */
	while (read(ready, &c, 1) < 0 && errno == EINTR)
		;
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
	if (fd < 0)
		fd = -errno;
	close(pidfd);
	if (fd >= 0)
		(void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);  /* 6.6 and later: only speed */
	return fd;
}

/* The zygote has trapped: let it drop all memory but the stub's, and its copy of the listener. */
static int strip_zygote(struct systrap *p, struct systrap_ctx *c)
{
	struct stub_call calls[] = {
		{ SYS_close, { 0 } },
		{ SYS_munmap, { 0, p->stub } },
		{ SYS_munmap, { p->stub + STUB_SIZE, USER_END - p->stub - STUB_SIZE } },
	};
	u32 done;
	int r = frame_learn_xstate(p, c);

	if (r < 0)
		return r;
	return command_calls(c, calls, NULL, p->stub + STUB_SIZE < USER_END ? 3 : 2, &done);
}

static int adopt(struct systrap *p, pid_t child)
{
	struct systrap_as *as = as_alloc(p);
	struct systrap_ctx *c = as ? ctx_alloc(p, as, 0) : NULL;
	u8 magic[SELFMAG];

	if (!c)
		return -ENOMEM;
	as->pid = child;
	as->nslots = 1;
	c->tid = child;
	c->internal = true;
	atomic_store(&c->state, CTX_RUNNING);
	p->zygote = c;
	tidmap_set(&p->by_tid, (u32)child, c);
	tidmap_set(p->by_pid, (u32)child, as);
	atomic_fetch_add(&p->w.running, 1);
	workers_await(p, &c->done);
	if (atomic_load(&as->dead))
		return -ESRCH;
	if (systrap_copy_in(&as->base, magic, GADDR(p->vdso), sizeof(magic)) != sizeof(magic) ||
	    memcmp(magic, ELFMAG, SELFMAG) != 0)
		p->vdso = 0;            /* it could not be moved */
	return strip_zygote(p, c);
}

static int start_zygote(struct systrap *p, u64 stub)
{
	struct host_vdso v;
	int fds[2], r;
	pid_t child;

	find_vdso(&v);
	p->stub = reserve_stub(stub);
	if (!p->stub)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = _Fork();        /* not fork(): a sanitizer's handler would start a thread in the child */
	if (child == 0)
		zygote_main(fds[1], p->stub, &v);
	close(fds[1]);
	munmap((void *)p->stub, MIN(STUB_SIZE, USER_END - p->stub));
	if (child < 0) {
		close(fds[0]);
		return -errno;
	}
	p->vdso = v.vdso ? p->stub + STUB_VDSO_OFF + (v.vdso - v.vvar) : 0;
	r = fetch_listener(child, fds[0]);
	close(fds[0]);
	if (r >= 0) {
		p->listener = r;
		r = adopt(p, child);
	}
	if (r < 0) {
		int st = 0;

		kill(child, SIGKILL);
		waitpid(child, &st, 0);
		tidmap_take(&p->by_tid, (u32)child, NULL);
		tidmap_take(p->by_pid, (u32)child, NULL);
		log_error("systrap: a lane's first stub did not start (step %d, error %d)",
			  WIFEXITED(st) ? WEXITSTATUS(st) : 0, -r);
	}
	return r < 0 ? r : 0;
}

/* What is each lane's own. */
static int open_lane(struct systrap *p, u64 stub)
{
	int r;

	p->base.ops = &systrap_ops;
	if (tidmap_init(&p->by_tid) < 0)
		return -ENOMEM;
	p->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->bell < 0)
		return -errno;
	workers_init(&p->w);
	r = start_zygote(p, stub);
	if (r < 0)
		close(p->bell);
	return r;
}

/* Without a second lane things are slower, not worse. */
static void open_second(struct systrap *first)
{
	struct systrap *p = CPU_COUNT(&first->w.cpus) > 1 ? knew(struct systrap) : NULL;

	if (!p)
		return;
	p->lanes = first->lanes;
	p->by_pid = first->by_pid;
	if (open_lane(p, first->stub) < 0)
		return;                 /* what there is of it stays */
	BUG_ON(p->stub != first->stub || p->vdso != first->vdso);
	first->lanes->lane[1] = p;
}

int systrap_create(const struct platform_config *cfg, struct platform **ret)
{
	struct systrap *p = knew(struct systrap);
	int r;

	(void)cfg;
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT)) {
		log_error("systrap: this processor or kernel has no FSGSBASE; use --platform=ptrace");
		kfree(p);
		return -ENOTSUP;
	}
	if (!p)
		return -ENOMEM;
	if (!lanes_init(p))
		return -ENOMEM;
	p->by_pid = knew(struct tidmap);
	if (!p->by_pid || tidmap_init(p->by_pid) < 0)
		return -ENOMEM;
	r = open_lane(p, 0);
	if (r < 0)
		return r;
	open_second(p);
	*ret = &p->base;
	return 0;
}
