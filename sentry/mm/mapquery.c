/*
 * mapquery.c - see mapquery.h.
 *
 * The map is copied under mm->mu with a reference to its file; naming that takes locks of lower rank.
 */
#include "sentry/mm/mapquery.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"
#include "sentry/vfs/vfs.h"

enum { Q_READABLE = 1, Q_WRITABLE = 2, Q_EXECUTABLE = 4, Q_SHARED = 8, Q_COVERING_OR_NEXT = 0x10, Q_FILE_BACKED = 0x20 };
#define Q_RIGHTS (Q_READABLE | Q_WRITABLE | Q_EXECUTABLE | Q_SHARED)

static u64 flags_of(const struct vma *v)
{
	return (v->prot & PROT_READ ? Q_READABLE : 0u) | (v->prot & PROT_WRITE ? Q_WRITABLE : 0u) |
	       (v->prot & PROT_EXEC ? Q_EXECUTABLE : 0u) | (v->flags & MAP_SHARED ? Q_SHARED : 0u);
}

/* The one asked for, with a reference to its file: in *ret. */
static int find(struct mm *mm, const struct lx_procmap_query *q, struct vma *ret)
{
	int r = -ENOENT;

	mutex_lock(&mm->mu);
	for (struct vma *v = vma_find(mm, q->query_addr); v; v = vma_next(v)) {
		if (!(q->query_flags & Q_COVERING_OR_NEXT) && v->start > q->query_addr)
			break;
		if ((q->query_flags & Q_FILE_BACKED && !v->file) || q->query_flags & Q_RIGHTS & ~flags_of(v)) {
			if (!(q->query_flags & Q_COVERING_OR_NEXT))
				break;
			continue;
		}
		*ret = *v;
		if (v->file)
			file_ref(v->file);
		r = 0;
		break;
	}
	mutex_unlock(&mm->mu);
	return r;
}

/* Its name to the reader: -ENAMETOOLONG when that left less room. */
static int give_name(struct task *reader, const struct vma *v, struct lx_procmap_query *q)
{
	auto_kfree char *buf = kbuf_alloc(PATH_MAX);
	const char *s = v->name;
	size_t n;

	if (!buf)
		return -ENOMEM;
	if (!s && v->file) {
		s = v->file->anon_name ? v->file->anon_name : "anon_inode:[mapped]";
		if (v->file->path.dentry && vfs_path_name(reader, &v->file->path, buf, PATH_MAX) >= 0)
			s = buf;
	}
	n = s ? strlen(s) + 1 : 0;
	if (n > q->vma_name_size)
		return -ENAMETOOLONG;
	q->vma_name_size = (u32)n;
	return n ? copy_out(reader, GADDR(q->vma_name_addr), s, n) : 0;
}

static int take_query(struct task *t, gaddr_t arg, struct lx_procmap_query *q)
{
	u64 size;
	int r;

	if (copy_in(t, &size, arg, sizeof(size)) < 0)
		return -EFAULT;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < offsetof(struct lx_procmap_query, vma_start))
		return -EINVAL;
	r = copy_struct_in(t, q, sizeof(*q), arg, size);
	if (r < 0)
		return r;
	q->size = MIN(size, sizeof(*q));
	if (q->query_flags & ~(u64)(Q_RIGHTS | Q_COVERING_OR_NEXT | Q_FILE_BACKED))
		return -EINVAL;
	return !q->vma_name_size != !q->vma_name_addr || !q->build_id_size != !q->build_id_addr ? -EINVAL : 0;
}

long mm_query_map(struct task *reader, struct mm *mm, gaddr_t arg)
{
	struct lx_procmap_query q = { 0 };
	const struct inode *i;
	struct vma v = { 0 };
	int r = take_query(reader, arg, &q);

	if (r == 0)
		r = find(mm, &q, &v);
	if (r < 0)
		return r;
	i = v.file ? v.file->inode : NULL;
	q.vma_start = v.start;
	q.vma_end = v.end;
	q.vma_flags = flags_of(&v);
	q.vma_page_size = PAGE_SIZE;
	q.vma_offset = v.file ? v.offset : 0;
	q.inode = i ? i->ino : 0;
	q.dev_major = 0;
	q.dev_minor = i && i->sb ? i->sb->dev_minor : 0;
	q.build_id_size = 0;
	if (q.vma_name_size)
		r = give_name(reader, &v, &q);
	file_unref(v.file);
	return r < 0 ? r : copy_out(reader, arg, &q, q.size);
}
