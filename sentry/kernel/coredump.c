/*
 * coredump.c - see coredump.h: an ELF file with notes and memory.
 *
 * Rules of Linux: RLIMIT_CORE, a dumpable process, a regular file that nobody else can reach.  The notes tell of the thread
 * that got the signal; others go on meanwhile.  Pages of zeros are left out as holes.  A file that became too long, or whose
 * writing was cut short by SIGKILL, is truncated.
 */
#include "sentry/kernel/coredump.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#undef PAGE_SIZE                        /* procfs.h brings user.h, which has them as longs */
#undef PAGE_MASK

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "platform/platform.h"
#include "sentry/core/iobuf.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/ptrace_regs.h"
#include "sentry/kernel/task_int.h"
#include "sentry/mm/core.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/vfs.h"

#define CHUNK       (64u << 10)
#define NOTES_MAX   (4u << 20)
#define LX_SIGINFO  0x53494749
#define FX_SIZE     512

_Static_assert(sizeof(struct user_regs) == sizeof(elf_gregset_t), "pr_reg");

static bool default_dumps(int sig)
{
	const u64 set = SIGBIT(SIGQUIT) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGABRT) | SIGBIT(SIGFPE) | SIGBIT(SIGSEGV) |
	                SIGBIT(SIGBUS) | SIGBIT(SIGSYS) | SIGBIT(SIGXCPU) | SIGBIT(SIGXFSZ);

	return set & SIGBIT(sig);
}

bool coredump_wanted_locked(const struct tgroup *tg, int sig)
{
	return default_dumps(sig) && tg->rlim[RLIMIT_CORE].cur >= PAGE_SIZE && tg->dumpable;
}

struct core {
	struct task *t;
	struct file *f;
	u64 limit;
	u8 *buf;                                /* CHUNK */
};

static bool emit(struct core *c, u64 at, const void *p, size_t n)
{
	struct iobuf b;
	s64 pos = (s64)at;

	if (at + n > c->limit || task_killed(c->t))
		return false;
	iobuf_kernel(&b, (void *)(uintptr_t)p, n);
	return file_write(c->t, c->f, &b, &pos, 0) == (ssize_t)n;
}

/* ---- notes ---- */

static void put_note(struct strbuf *s, const char *name, u32 type, const void *p, size_t n)
{
	Elf64_Nhdr h = { .n_namesz = (u32)strlen(name) + 1, .n_descsz = (u32)n, .n_type = type };
	static const char zero[4];

	strbuf_write(s, (char *)&h, sizeof(h));
	strbuf_write(s, name, h.n_namesz);
	strbuf_write(s, zero, -h.n_namesz & 3);
	strbuf_write(s, p, n);
	strbuf_write(s, zero, -n & 3);
}

static void put_status(struct strbuf *s, struct task *t, const struct lx_siginfo *si, const struct user_regs *regs)
{
	struct elf_prstatus st = { 0 };
	u64 user, sys;

	task_times(t, &user, &sys);
	st.pr_info.si_signo = st.pr_cursig = (short)si->signo;
	st.pr_info.si_code = si->code;
	st.pr_sighold = signal_mask(t);
	st.pr_pid = pid_nr(t, t->tid);
	st.pr_ppid = pid_nr(t, tgroup_ppid(t->tg));
	st.pr_pgrp = pid_nr(t, t->tg->pgid);
	st.pr_utime.tv_sec = (long)(user / 1000000000);
	st.pr_utime.tv_usec = (long)(user / 1000 % 1000000);
	st.pr_stime.tv_sec = (long)(sys / 1000000000);
	st.pr_stime.tv_usec = (long)(sys / 1000 % 1000000);
	memcpy(&st.pr_reg, regs, sizeof(st.pr_reg));
	st.pr_fpvalid = 1;
	put_note(s, "CORE", NT_PRSTATUS, &st, sizeof(st));
}

static void put_process(struct strbuf *s, struct task *t)
{
	struct elf_prpsinfo p = { .pr_sname = 'R', .pr_nice = (char)t->nice };
	struct mm *mm = t->mm;
	size_t n;

	p.pr_uid = task_cred(t)->uid;
	p.pr_gid = task_cred(t)->gid;
	p.pr_pid = pid_nr(t, t->tg->tgid);
	p.pr_ppid = pid_nr(t, tgroup_ppid(t->tg));
	p.pr_pgrp = pid_nr(t, t->tg->pgid);
	mutex_lock(&t->mu);
	memcpy(p.pr_fname, t->comm, sizeof(p.pr_fname));
	mutex_unlock(&t->mu);
	n = mm_copy_in(mm, p.pr_psargs, GADDR(mm->arg_start),
	               MIN(sizeof(p.pr_psargs) - 1, (size_t)(mm->arg_end - mm->arg_start)));
	for (size_t i = 0; i < n; i++)
		if (!p.pr_psargs[i])
			p.pr_psargs[i] = ' ';
	put_note(s, "CORE", NT_PRPSINFO, &p, sizeof(p));
}

/* The x87 and SSE state, and all of it. */
static void put_fp(struct strbuf *s, struct task *t)
{
	size_t cap = platform_fp_size(t->kernel->platform);
	auto_kfree u8 *buf = kbuf_alloc(cap);
	long n = buf ? task_fetch_fp(t, buf, cap) : -ENOMEM;

	if (n < FX_SIZE)
		return;
	put_note(s, "CORE", NT_PRFPREG, buf, FX_SIZE);
	if (n > FX_SIZE)
		put_note(s, "LINUX", NT_X86_XSTATE, buf, (size_t)n);
}

/* NT_FILE: which maps are of which files. */
static void put_files(struct strbuf *s, struct task *t, const struct mm_core *v, u32 n)
{
	struct strbuf ranges, names, all;
	auto_kfree char *name = kbuf_alloc(PATH_MAX);
	u64 count = 0, page = PAGE_SIZE;

	strbuf_init_limit(&ranges, NOTES_MAX);
	strbuf_init_limit(&names, NOTES_MAX);
	strbuf_init_limit(&all, NOTES_MAX);
	for (u32 i = 0; name && i < n; i++) {
		u64 r[3] = { v[i].start, v[i].end, v[i].offset / PAGE_SIZE };

		if (!v[i].file || !v[i].file->path.dentry || vfs_path_name(t, &v[i].file->path, name, PATH_MAX) < 0)
			continue;
		strbuf_write(&ranges, (char *)r, sizeof(r));
		strbuf_write(&names, name, strlen(name) + 1);
		count++;
	}
	strbuf_write(&all, (char *)&count, sizeof(count));
	strbuf_write(&all, (char *)&page, sizeof(page));
	strbuf_write(&all, ranges.p, ranges.len);
	strbuf_write(&all, names.p, names.len);
	if (count && !strbuf_err(&all))
		put_note(s, "CORE", NT_FILE, all.p, all.len);
	strbuf_done(&ranges);
	strbuf_done(&names);
	strbuf_done(&all);
}

static void put_notes(struct strbuf *s, struct task *t, const struct lx_siginfo *si, const struct user_regs *regs,
                      const struct mm_core *v, u32 n)
{
	u8 info[128] = { 0 };

	memcpy(info, si, MIN(sizeof(*si), sizeof(info)));
	put_status(s, t, si, regs);
	put_process(s, t);
	put_note(s, "CORE", LX_SIGINFO, info, sizeof(info));
	put_note(s, "CORE", NT_AUXV, t->mm->auxv, t->mm->auxv_n * sizeof(u64));
	put_files(s, t, v, n);
	put_fp(s, t);
}

/* ---- the file ---- */

static bool put_headers(struct core *c, const struct strbuf *notes, const struct mm_core *v, u32 n, u64 *ret_data)
{
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = sizeof(e),
		.e_ehsize = sizeof(e), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = (u16)(n + 1),
	};
	auto_kfree Elf64_Phdr *p = kbuf_array((size_t)n + 1, sizeof(*p));
	u64 at = sizeof(e) + ((u64)n + 1) * sizeof(*p), data = ALIGN_UP(at + notes->len, PAGE_SIZE);

	if (!p)
		return false;
	*ret_data = data;
	p[0] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = at, .p_filesz = notes->len, .p_align = 4 };
	for (u32 i = 0; i < n; i++) {
		p[i + 1] = (Elf64_Phdr){
			.p_type = PT_LOAD, .p_offset = data, .p_vaddr = v[i].start, .p_filesz = v[i].dump,
			.p_memsz = v[i].end - v[i].start, .p_align = PAGE_SIZE,
			.p_flags = (v[i].prot & PROT_READ ? PF_R : 0u) | (v[i].prot & PROT_WRITE ? PF_W : 0u) |
			           (v[i].prot & PROT_EXEC ? PF_X : 0u),
		};
		data += v[i].dump;
	}
	return emit(c, 0, &e, sizeof(e)) && emit(c, sizeof(e), p, ((size_t)n + 1) * sizeof(*p)) &&
	       emit(c, at, notes->p, notes->len);
}

static bool is_zero(const u8 *p, size_t n)
{
	return !p[0] && memcmp(p, p + 1, n - 1) == 0;
}

/* Runs of pages that are not all zero. What cannot be read is. */
static bool put_memory(struct core *c, const struct mm_core *v, u64 at)
{
	for (u64 done = 0; done < v->dump; done += CHUNK) {
		size_t n = MIN((size_t)CHUNK, (size_t)(v->dump - done));
		size_t got = mm_copy_in(c->t->mm, c->buf, GADDR(v->start + done), n);

		memset(c->buf + got, 0, n - got);
		for (size_t i = got & PAGE_MASK; got < n && i < n; i += PAGE_SIZE)
			if (mm_copy_in(c->t->mm, c->buf + i, GADDR(v->start + done + i), PAGE_SIZE) != PAGE_SIZE)
				memset(c->buf + i, 0, PAGE_SIZE);
		for (size_t i = 0, end; i < n; i = end) {
			bool zero = is_zero(c->buf + i, PAGE_SIZE);

			for (end = i + PAGE_SIZE; end < n && is_zero(c->buf + end, PAGE_SIZE) == zero; )
				end += PAGE_SIZE;
			if (!zero && !emit(c, at + done + i, c->buf + i, end - i))
				return false;
		}
		if (task_killed(c->t) || at + done + n > c->limit)
			return false;
	}
	return true;
}

static void put_all(struct core *c, const struct lx_siginfo *si, const struct user_regs *regs)
{
	struct mm_core *v;
	struct strbuf notes;
	u64 data = 0;
	u32 all, n;
	bool ok;

	if (mm_core_list(c->t->mm, &v, &all) < 0)
		return;
	n = MIN(all, PN_XNUM - 2u);     /* more do not fit the header's count */
	strbuf_init_limit(&notes, NOTES_MAX);
	put_notes(&notes, c->t, si, regs, v, n);
	ok = !strbuf_err(&notes) && put_headers(c, &notes, v, n, &data);
	for (u32 i = 0; i < n && ok; i++) {
		ok = put_memory(c, &v[i], data);
		data += v[i].dump;
	}
	if (ok)
		(void)!file_truncate(c->t, c->f, data);
	strbuf_done(&notes);
	mm_core_free(v, all);
}

/* As do_coredump(): in place of what has that name, never through it. */
static int open_core(struct task *t, const char *name, struct file **ret)
{
	auto_file *f = NULL;
	struct kstat st;
	int r;

	if (!name)
		return -ENOMEM;
	(void)!vfs_unlink(t, AT_FDCWD, name);
	r = vfs_open(t, AT_FDCWD, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600, 0, &f);
	if (r == 0)
		r = file_getattr(t, f, &st);
	if (r < 0)
		return r;
	if (!S_ISREG(st.mode) || st.nlink != 1 || st.uid != task_cred(t)->fsuid || (st.mode & 0677) != 0600)
		return -EPERM;
	*ret = f;
	f = NULL;
	return 0;
}

bool coredump(struct task *t, const struct lx_siginfo *si, const struct user_regs *regs)
{
	struct core c = { .t = t, .limit = task_rlimit(t, RLIMIT_CORE) };

	auto_kfree char *name = NULL;

	if (c.limit < PAGE_SIZE || !t->tg->dumpable || !t->mm->dumpable)
		return false;
	name = core_name(t, si->signo, c.limit);
	if (open_core(t, name, &c.f) < 0)
		return false;
	c.buf = kbuf_alloc(CHUNK);
	if (c.buf)
		put_all(&c, si, regs);
	kfree(c.buf);
	file_unref(c.f);
	return true;
}
