/*
 * procmaps.c - an address space as text and numbers: /proc/PID/maps, smaps, statm.
 *
 * The set is copied under mm->mu, with references to its files, and printed
 * afterwards, because naming a file takes locks of lower rank.
 */
#include <errno.h>
#include <limits.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"
#include "sentry/vfs/vfs.h"

#define LONG_LIST 512                           /* maps: to tell them takes a millisecond or so */
#define NAME_COLUMN 73                          /* where Linux begins the name */

/* A copy of the set: *ret_n vmas, each with a reference to its file. */
static struct vma *snapshot(struct mm *mm, u32 *ret_n)
{
	struct vma *all = NULL;
	u32 cap = 0, n;

	for (;;) {
		mutex_lock(&mm->mu);
		n = mm->nvmas;
		if (n <= cap)
			break;
		mutex_unlock(&mm->mu);
		kfree(all);
		cap = n + 16;
		all = kbuf_array(cap, sizeof(*all));
		if (!all)
			return NULL;
	}
	n = 0;
	for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
		all[n] = *v;
		if (v->file)
			file_ref(v->file);
		n++;
	}
	mutex_unlock(&mm->mu);
	*ret_n = n;
	return all;
}

static void put_name(struct task *reader, const struct vma *v, struct strbuf *out, size_t line)
{
	char name[PATH_MAX + 16];
	const char *s = v->name;

	if (!s && v->file) {
		ssize_t n = v->file->path.dentry ?
			vfs_path_name(reader, &v->file->path, name, sizeof(name)) : -EINVAL;

		s = n >= 0 ? name : v->file->anon_name ? v->file->anon_name : "anon_inode:[mapped]";
	}
	if (s) {
		while (out->len - line < NAME_COLUMN && !strbuf_err(out))
			strbuf_putc(out, ' ');
		strbuf_put_octal(out, s, "\n");
	}
	strbuf_putc(out, '\n');
}

static void put_line(struct task *reader, const struct vma *v, struct strbuf *out)
{
	const struct inode *i = v->file ? v->file->inode : NULL;
	size_t line = out->len;

	strbuf_printf(out, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end,
		      v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
		      v->prot & PROT_EXEC ? 'x' : '-', v->flags & MAP_SHARED ? 's' : 'p',
		      v->file ? v->offset : 0, 0, i && i->sb ? i->sb->dev_minor : 0, i ? i->ino : 0);
	put_name(reader, v, out, line);
}

/* What is resident can't be had: a map counts as resident once it may be read, up to what a stack would have grown. */
static u64 resident(const struct mm *mm, const struct vma *v)
{
	u64 n = v->end - v->start;

	if (!(v->prot & PROT_RWX) || (v->flags & MAP_NORESERVE && !(v->flags & MAP_GROWSDOWN)))
		return 0;
	if (v->flags & MAP_GROWSDOWN)
		n -= MIN(n, mm->stack_reserve);
	return n;
}

static void put_smaps(const struct mm *mm, const struct vma *v, struct strbuf *out)
{
	u64 kb = (v->end - v->start) >> 10, rss = resident(mm, v) >> 10;
	bool anon = !v->file;

	strbuf_printf(out, "Size:           %8lu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u kB\n",
		      kb, 4, 4);
	strbuf_printf(out, "Rss:            %8lu kB\nPss:            %8lu kB\nPss_Dirty:      %8lu kB\n",
		      rss, rss, anon ? rss : 0);
	strbuf_printf(out, "Shared_Clean:   %8u kB\nShared_Dirty:   %8u kB\nPrivate_Clean:  %8lu kB\n",
		      0, 0, anon ? 0 : rss);
	strbuf_printf(out, "Private_Dirty:  %8lu kB\nReferenced:     %8lu kB\nAnonymous:      %8lu kB\n",
		      anon ? rss : 0, rss, anon ? rss : 0);
	strbuf_printf(out, "KSM:            %8u kB\nLazyFree:       %8u kB\nAnonHugePages:  %8u kB\n", 0, 0, 0);
	strbuf_printf(out, "ShmemPmdMapped: %8u kB\nFilePmdMapped:  %8u kB\nShared_Hugetlb: %8u kB\n", 0, 0, 0);
	strbuf_printf(out, "Private_Hugetlb: %7u kB\nSwap:           %8u kB\nSwapPss:        %8u kB\n", 0, 0, 0);
	strbuf_printf(out, "Locked:         %8lu kB\nTHPeligible:    %8u\n",
		      v->madvise & VMA_LOCKED ? rss : 0, 0);
	strbuf_printf(out, "VmFlags:%s%s%s%s mr%s me%s%s%s%s%s%s\n",
		      v->prot & PROT_READ ? " rd" : "", v->prot & PROT_WRITE ? " wr" : "",
		      v->prot & PROT_EXEC ? " ex" : "", v->flags & MAP_SHARED ? " sh" : "",
		      v->flags & VMA_NOWRITE ? "" : " mw", v->flags & MAP_SHARED ? " ms" : "",
		      v->flags & MAP_GROWSDOWN ? " gd" : "", v->madvise & VMA_LOCKED ? " lo" : "",
		      v->madvise & VMA_DONTFORK ? " dc" : "", v->flags & MAP_NORESERVE ? " nr" : "",
		      v->madvise & VMA_WIPEONFORK ? " wf" : "");
}

int mm_show_maps(struct task *reader, struct mm *mm, bool smaps, struct strbuf *out)
{
	u32 n = 0;
	struct vma *all = snapshot(mm, &n);

	if (!all && mm->nvmas)
		return -ENOMEM;
	for (u32 i = 0; i < n; i++) {
		put_line(reader, &all[i], out);
		if (smaps)
			put_smaps(mm, &all[i], out);
		file_unref(all[i].file);
		if (i % LONG_LIST == LONG_LIST - 1)
			mutex_let_others();
	}
	kfree(all);
	return strbuf_err(out);
}

static struct mm_usage usage_locked(struct mm *mm) REQUIRES(mm->mu)
{
	struct mm_usage u = { 0 };

	u.vm = mm->total_vm - MIN(mm->total_vm, mm->stack_reserve);
	u.data = mm->data_vm;
	u.stack = mm->stack_vm - MIN(mm->stack_vm, mm->stack_reserve);
	u.locked = mm->locked_vm;
	u.text = mm->code_end - mm->code_start;
	for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
		u64 rss = resident(mm, v);

		if (v->flags & MAP_SHARED)
			u.rss_shmem += rss;
		else if (v->file)
			u.rss_file += rss;
		else
			u.rss_anon += rss;
		if (v->file && (v->prot & PROT_EXEC) && v->start != (mm->code_start & PAGE_MASK))
			u.lib += v->end - v->start;
	}
	atomic_store(&mm->seen_anon, u.rss_anon);
	atomic_store(&mm->seen_file, u.rss_file);
	atomic_store(&mm->seen_shmem, u.rss_shmem);
	return u;
}

void mm_usage(struct mm *mm, struct mm_usage *ret)
{
	mutex_lock(&mm->mu);
	*ret = usage_locked(mm);
	mutex_unlock(&mm->mu);
}

void mm_resident(struct mm *mm, struct mm_usage *ret)
{
	if (mutex_trylock(&mm->mu)) {
		(void)usage_locked(mm);
		mutex_unlock(&mm->mu);
	}
	*ret = (struct mm_usage){
		.rss_anon = atomic_load(&mm->seen_anon), .rss_file = atomic_load(&mm->seen_file),
		.rss_shmem = atomic_load(&mm->seen_shmem),
	};
}
