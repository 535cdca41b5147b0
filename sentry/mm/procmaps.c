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
#include "sentry/mm/resident.h"
#include "sentry/mm/vma_int.h"
#include "sentry/vfs/vfs.h"

#define LONG_LIST 512                           /* maps: to tell them takes a millisecond or so */
#define NAME_COLUMN 73                          /* where Linux begins the name */

/* A copy of the set: *ret_n vmas, each with a reference to its file. NULL: no memory, or with @wait false somebody is at it. */
static struct vma *snapshot(struct mm *mm, bool wait, u32 *ret_n)
{
	struct vma *all = NULL;
	u32 cap = 0, n;

	for (;;) {
		if (wait)
			mutex_lock(&mm->mu);
		else if (!mutex_trylock(&mm->mu)) {
			kfree(all);
			return NULL;
		}
		n = mm->nvmas;
		if (all && n <= cap)
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

static void snapshot_free(struct vma *all, u32 n)
{
	for (u32 i = 0; i < n; i++)
		file_unref(all[i].file);
	kfree(all);
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

/* What may be in memory of a map: all of it once it may be read, up to what a stack would have grown. */
static u64 bound(const struct mm *mm, const struct vma *v)
{
	u64 n = v->end - v->start;

	if (!(v->prot & PROT_RWX) || (v->flags & MAP_NORESERVE && !(v->flags & MAP_GROWSDOWN)))
		return 0;
	if (v->flags & MAP_GROWSDOWN)
		n -= MIN(n, mm->stack_reserve);
	return n;
}

static void put_smaps(const struct vma *v, u64 rss, struct strbuf *out)
{
	u64 kb = (v->end - v->start) >> 10;
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

/* What is in memory of each of these maps: as the host tells, or what may be. NULL: no memory. */
static struct resident_range *survey(struct mm *mm, const struct vma *all, u32 n)
{
	struct resident_range *r = kbuf_array(n + 1ul, sizeof(*r));
	u32 stack = n;

	if (!r)
		return NULL;
	r[n] = (struct resident_range){ 0 };
	for (u32 i = 0; i < n; i++) {
		r[i] = (struct resident_range){ .start = all[i].start, .end = all[i].end };
		if (all[i].start + mm->stack_reserve < mm->stack_top && mm->stack_top <= all[i].end) {
			/* Mostly the top of the stack alone is used: that is looked at on its own. */
			r[n] = r[stack = i];
			r[i].start = r[n].end = r[i].start + mm->stack_reserve;
		}
	}
	if (resident_count(mm->as, r, n + 1ul) < 0) {
		for (u32 i = 0; i < n; i++)
			r[i].ret = bound(mm, &all[i]);
	} else if (stack < n) {
		r[stack].ret += r[n].ret;
	}
	return r;
}

int mm_show_maps(struct task *reader, struct mm *mm, bool smaps, struct strbuf *out)
{
	u32 n = 0;
	struct vma *all = snapshot(mm, true, &n);
	struct resident_range *rss = all && smaps ? survey(mm, all, n) : NULL;
	int r = !all || (smaps && !rss) ? -ENOMEM : 0;

	for (u32 i = 0; r == 0 && i < n; i++) {
		put_line(reader, &all[i], out);
		if (smaps)
			put_smaps(&all[i], rss[i].ret >> 10, out);
		if (i % LONG_LIST == LONG_LIST - 1)
			mutex_let_others();
	}
	snapshot_free(all, n);
	kfree(rss);
	return r < 0 ? r : strbuf_err(out);
}

static void add_resident(struct mm *mm, const struct vma *all, u32 n, struct mm_usage *u)
{
	struct resident_range *rss = survey(mm, all, n);

	for (u32 i = 0; rss && i < n; i++)
		*(all[i].flags & MAP_SHARED ? &u->rss_shmem : all[i].file ? &u->rss_file : &u->rss_anon) += rss[i].ret;
	kfree(rss);
	u->rss_most = MAX(u->rss_anon + u->rss_file + u->rss_shmem, atomic_load(&mm->seen_most));
	atomic_store(&mm->seen_anon, u->rss_anon);
	atomic_store(&mm->seen_file, u->rss_file);
	atomic_store(&mm->seen_shmem, u->rss_shmem);
	atomic_store(&mm->seen_most, u->rss_most);
	atomic_store(&mm->seen_at, ktime_mono(mm->kernel));
}

void mm_usage(struct mm *mm, struct mm_usage *ret)
{
	u32 n = 0;
	struct vma *all = snapshot(mm, true, &n);

	*ret = (struct mm_usage){ 0 };
	mutex_lock(&mm->mu);
	ret->vm = mm->total_vm - MIN(mm->total_vm, mm->stack_reserve);
	ret->data = mm->data_vm;
	ret->stack = mm->stack_vm - MIN(mm->stack_vm, mm->stack_reserve);
	ret->locked = mm->locked_vm;
	ret->text = mm->code_end - mm->code_start;
	mutex_unlock(&mm->mu);
	for (u32 i = 0; i < n; i++)
		if (all[i].file && (all[i].prot & PROT_EXEC) && all[i].start != (mm->code_start & PAGE_MASK))
			ret->lib += all[i].end - all[i].start;
	add_resident(mm, all, n, ret);
	snapshot_free(all, n);
}

u64 mm_resident_bound(struct mm *mm)
{
	u64 n = 0;

	mutex_lock(&mm->mu);
	for (struct vma *v = vma_first(mm); v; v = vma_next(v))
		n += bound(mm, v);
	mutex_unlock(&mm->mu);
	return n;
}

void mm_resident(struct mm *mm, struct mm_usage *ret)
{
	ktime_t at = atomic_load(&mm->seen_at);
	struct vma *all = NULL;
	u32 n = 0;

	*ret = (struct mm_usage){ 0 };
	if (!at || ktime_mono(mm->kernel) - at > NSEC_PER_SEC)
		all = snapshot(mm, false, &n);
	if (all) {
		add_resident(mm, all, n, ret);
		snapshot_free(all, n);
		return;
	}
	ret->rss_anon = atomic_load(&mm->seen_anon);
	ret->rss_file = atomic_load(&mm->seen_file);
	ret->rss_shmem = atomic_load(&mm->seen_shmem);
}
