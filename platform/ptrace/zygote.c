/*
 * zygote.c - the first stub, of which all others are forks, and the bell.
 *
 * Both are forks of the sentry, made while it has one thread.  Each sheds what it
 * inherited, maps our page, installs the filter and waits in that page; the dispatcher attaches later.
 */
#include "platform/ptrace/pt.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/host/title.h"

#define STUB_PAUSE 32

/* Position-independent: PT_STUB_CALL, PT_STUB_CAS, STUB_PAUSE. */
static const u8 stub_code[] = {
	0x0f, 0x05, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
	0xf0, 0x0f, 0xb1, 0x17, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
	0xb8, 0x22, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xeb, 0xf7,          /* mov $pause, %eax; syscall; jmp */
};

/*
 * The second layer.  Application calls never execute (PTRACE_SYSEMU); the page's own
 * are these.  The vsyscall page's three harmless calls bypass ptrace.
 */
static int install_filter(u64 stub)
{
	static const u32 allowed[] = {
		SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_mincore, SYS_clone, SYS_futex,
		SYS_exit, SYS_recvmsg, SYS_close, SYS_sched_yield, SYS_rseq, SYS_membarrier,
		449, 454, 455, 456,     /* futex_waitv, futex_wake, futex_wait, futex_requeue */
		SYS_arch_prctl, SYS_pause,
	};
	struct sock_filter f[16 + 2 * ARRAY_SIZE(allowed)];
	u16 n = 0;

#define STMT(code, k) (f[n++] = (struct sock_filter)BPF_STMT(code, k))
#define JUMP(k, t, e) (f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, t, e))
	STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	JUMP(AUDIT_ARCH_X86_64, 1, 0);
	STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
	JUMP(0xffffffffu, 0, 1);
	STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	JUMP((u32)(stub >> 32), 1, 0);
	STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer));
	STMT(BPF_ALU | BPF_AND | BPF_K, 0xfffff000u);
	JUMP((u32)stub, 1, 0);
	STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		JUMP(allowed[i], 0, 1);
		STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
#undef STMT
#undef JUMP
	struct sock_fprog prog = { .len = n, .filter = f };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

static void shed_rights(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	struct rlimit core = { 0, 0 }, inf = { RLIM_INFINITY, RLIM_INFINITY };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &h, d) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(101);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "csandbox-stub", 0, 0, 0);
	setrlimit(RLIMIT_CORE, &core);
	(void)setrlimit(RLIMIT_STACK, &inf);
	(void)setrlimit(RLIMIT_AS, &inf);
	(void)setrlimit(RLIMIT_DATA, &inf);
}

static void map_stub(u64 stub)
{
	void *m = mmap((void *)stub, PT_STUB_LEN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (m == MAP_FAILED)
		_exit(102);
	memcpy(m, stub_code, sizeof(stub_code));
	if (mprotect(m, PT_STUB_DATA, PROT_READ | PROT_EXEC) < 0)
		_exit(103);
	host_title_here(stub + PT_STUB_TITLE, stub, stub + PT_STUB_DATA);
}

static noreturn_fn void stub_main(u64 stub, int sock)
{
	u64 none = 0;

	if (dup2(sock, PT_SOCK_FD) != PT_SOCK_FD)
		_exit(100);
	syscall(SYS_close_range, (unsigned)PT_SOCK_FD + 1, ~0u, 0u);
	syscall(SYS_set_robust_list, NULL, sizeof(void *) * 3);
	syscall(SYS_set_tid_address, NULL);
	if (__rseq_size)
		syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1, RSEQ_SIG);
	shed_rights();
	map_stub(stub);
	for (int s = 1; s <= 64; s++)
		signal(s, SIG_DFL);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
	if (install_filter(stub) < 0)
		_exit(104);
	__asm__ volatile("xor %%ebp, %%ebp; xor %%esp, %%esp; jmp *%0" :: "a"(stub + STUB_PAUSE) : "memory");
	__builtin_unreachable();
}

/* The topmost place that is free here, so that everything below can be the application's. */
static u64 find_place(void)
{
	for (u64 a = PT_USER_END - PT_STUB_LEN; a > PT_USER_END / 2; a -= 0x100000) {
		void *m = mmap((void *)a, PT_STUB_LEN, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (m == MAP_FAILED)
			continue;
		munmap(m, PT_STUB_LEN);
		if (m == (void *)a)
			return a;
	}
	return 0;
}

static int fork_stubs(struct pt *p)
{
	int sv[2];
	pid_t pid;

	p->stub = find_place();
	if (!p->stub)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	p->sock = sv[0];
	p->sock_stub = sv[1];
	pid = _Fork();          /* not fork(): a sanitizer's handler would start a thread in the child */
	if (pid == 0)
		stub_main(p->stub, sv[1]);
	p->zygote->tid = pid;
	if (pid > 0) {
		p->bell = _Fork();
		if (p->bell == 0)
			stub_main(p->stub, sv[1]);
	}
	if (pid < 0 || p->bell < 0) {
		if (pid > 0)
			kill(pid, SIGKILL);
		close(sv[0]);
		close(sv[1]);
		return -EAGAIN;
	}
	to_pt_as(p->zygote->base.as)->pid = pid;
	tidmap_set(&p->by_tid, (u32)pid, p->zygote);
	return 0;
}

static struct pt *pt_alloc(void)
{
	struct pt *p = knew(struct pt);
	struct pt_as *as;

	if (!p)
		return NULL;
	p->base.ops = &ptrace_ops;
	mutex_init(&p->req_mu, RANK_PLATFORM);
	list_init(&p->reqs);
	pt_pool_init(&p->pool);
	as = pt_as_alloc(p);
	p->zygote = as ? pt_ctx_alloc(p, as) : NULL;
	if (!p->zygote || tidmap_init(&p->by_tid) < 0) {
		kfree(p->zygote);
		kfree(as);
		kfree(p);
		return NULL;
	}
	return p;
}

int pt_create(const struct platform_config *cfg, struct platform **ret)
{
	struct pt *p = pt_alloc();
	int r;

	(void)cfg;
	if (!p)
		return -ENOMEM;
	r = fork_stubs(p);
	if (r < 0)
		return r;
	*ret = &p->base;
	return 0;
}
