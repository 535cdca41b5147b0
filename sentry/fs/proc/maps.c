/*
 * maps.c - /proc/PID/{maps,smaps,cmdline,environ,auxv,mem}: what lies in its memory.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/proc/pid_int.h"
#include "sentry/kernel/ptrace_regs.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mapquery.h"
#include "sentry/mm/mm.h"

#define AREA_MAX (2u << 20)             /* arguments and environment: what exec allows, rounded up */

static void unref_mm(struct mm **mm)
{
	if (*mm)
		mm_unref(*mm);
}
#define auto_mm cleanup_with(unref_mm) struct mm

int pid_maps(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_mm *mm = task_mm_get(n->task);

	return mm ? mm_show_maps(t, mm, false, out) : 0;
}

long pid_maps_ioctl(struct task *t, struct pseudo_node *n, u32 cmd, gaddr_t arg)
{
	auto_mm *mm = task_mm_get(n->task);

	if (cmd != LX_PROCMAP_QUERY)
		return -ENOTTY;
	return mm ? mm_query_map(t, mm, arg) : -ESRCH;
}

int pid_smaps(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_mm *mm = task_mm_get(n->task);

	return mm ? mm_show_maps(t, mm, true, out) : 0;
}

int pid_smaps_rollup(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_mm *mm = task_mm_get(n->task);
	struct mm_usage u;
	u64 rss;

	(void)t;
	if (!mm)
		return -ESRCH;
	mm_usage(mm, &u);
	rss = (u.rss_anon + u.rss_file + u.rss_shmem) >> 10;
	strbuf_printf(out, "00010000-7fffffffffff ---p 00000000 00:00 0                          [rollup]\n"
	              "Rss:            %8lu kB\nPss:            %8lu kB\nShared_Clean:   %8lu kB\n"
	              "Shared_Dirty:          0 kB\nPrivate_Clean:         0 kB\nPrivate_Dirty:  %8lu kB\n"
	              "Anonymous:      %8lu kB\nSwap:                  0 kB\nLocked:                0 kB\n",
	              rss, rss, u.rss_file >> 10, u.rss_anon >> 10, u.rss_anon >> 10);
	return 0;
}

static int show_area(struct mm *mm, u64 start, u64 end, struct strbuf *out)
{
	u64 n = end > start ? MIN(end - start, AREA_MAX) : 0;
	auto_kfree char *buf = NULL;

	if (!n)
		return 0;
	buf = kbuf_alloc(n);
	if (!buf)
		return -ENOMEM;
	strbuf_write(out, buf, mm_copy_in(mm, buf, GADDR(start), n));
	return 0;
}

int pid_cmdline(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_mm *mm = task_mm_get(n->task);
	u64 a, b, e;
	int r;

	(void)t;
	if (!mm)
		return 0;
	mutex_lock(&mm->mu);
	a = mm->arg_start;
	b = mm->arg_end;
	e = mm->env_end;
	mutex_unlock(&mm->mu);
	r = show_area(mm, a, b, out);
	/* setproctitle(3) overwrote the terminating NUL: the text runs on into the environment. */
	if (r == 0 && out->len && out->p[out->len - 1] != 0) {
		size_t len;

		r = show_area(mm, b, e, out);
		len = strnlen(out->p, out->len);
		out->len = MIN(out->len, len + 1);
	}
	return r;
}

int pid_environ(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_mm *mm = task_mm_get(n->task);
	u64 a, b;

	(void)t;
	if (!mm)
		return 0;
	mutex_lock(&mm->mu);
	a = mm->env_start;
	b = mm->env_end;
	mutex_unlock(&mm->mu);
	return show_area(mm, a, b, out);
}

int pid_auxv(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_mm *mm = task_mm_get(n->task);

	(void)t;
	if (mm)
		strbuf_write(out, mm->auxv, mm->auxv_n * sizeof(u64));
	return 0;
}

/* ---- mem ---- */

struct mem_file {
	struct file file;
	struct mm *mm;                  /* immutable; a reference: of the program at open */
};

static struct mm *file_mm(struct file *f) { return container_of(f, struct mem_file, file)->mm; }

#define MEM_CHUNK 65536u

static ssize_t mem_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	auto_kfree u8 *buf = kbuf_alloc(MEM_CHUNK);
	size_t n = 0, total = 0;

	(void)t;
	if (!buf)
		return -ENOMEM;
	while (b->left) {
		size_t want = MIN(b->left, MEM_CHUNK);
		ssize_t r;

		n = mm_copy_in(file_mm(f), buf, GADDR((u64)*pos), want);
		if (!n)
			break;
		r = iobuf_put(b, buf, n);
		if (r < 0)
			return total ? (ssize_t)total : r;
		*pos += r;
		total += (size_t)r;
		if (n < want)
			break;
	}
	return total ? (ssize_t)total : b->left ? -EIO : 0;
}

/* Pages that are not writable: for the tracer of a stopped task, as ptrace(2) would. */
static bool force(struct task *t, struct file *f, u64 addr, void *buf, size_t n)
{
	struct task *x = to_pseudo(f->inode)->task;

	return x && x->mm == file_mm(f) && ptrace_is_tracer(t, x) && ptrace_is_stopped(x) &&
	       ptrace_poke_bytes(t, x, addr, buf, n) == 0;
}

static ssize_t mem_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	size_t want = MIN(b->left, MEM_CHUNK), n;
	auto_kfree u8 *buf = kbuf_alloc(want ? want : 1);
	ssize_t r;

	if (!buf)
		return -ENOMEM;
	r = iobuf_get(b, buf, want);
	if (r <= 0)
		return r;
	n = mm_copy_out(file_mm(f), GADDR((u64)*pos), buf, (size_t)r);
	/* A debugger writes its breakpoints this way. */
	if (n < (size_t)r && force(t, f, (u64)*pos, buf, (size_t)r))
		n = (size_t)r;
	*pos += (s64)n;
	return n ? (ssize_t)n : -EIO;
}

static s64 mem_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	(void)t;
	if (whence == SEEK_CUR)
		off = (s64)((u64)off + (u64)f->pos);
	else if (whence != SEEK_SET)
		return -EINVAL;
	f->pos = off;
	return off;
}

static void mem_release(struct file *f)
{
	mm_unref(file_mm(f));
	file_done(f);
	kfree(container_of(f, struct mem_file, file));
}

static const struct file_ops mem_ops = {
	.name = "proc-mem", .read = mem_read, .write = mem_write, .lseek = mem_lseek, .release = mem_release,
};

int pid_mem_open(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags, struct file **ret)
{
	struct mem_file *m = knew(struct mem_file);

	if (!m)
		return -ENOMEM;
	m->mm = task_mm_get(n->task);
	if (!m->mm) {
		kfree(m);
		return -ESRCH;
	}
	file_init(&m->file, &mem_ops, flags, FILE_COMMAND, p, &n->inode, task_cred(t));
	*ret = &m->file;
	return 0;
}
