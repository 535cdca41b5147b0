/*
 * vdso.c - the guest's vDSO as a host object: one sealed memfd, data page first, image behind it.
 *
 * Made once at boot.  Every exec maps it privately, so a debugger in the guest can still
 * set breakpoints in its own copy.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include "platform/base/alloc.h"
#include "platform/host/hostfile.h"
#include "sentry/loader/loader_int.h"
#include "sentry/loader/vdso/vdso_data.h"

extern const u8 vdso_image[], vdso_image_end[];

struct vdso {
	hostfd_t fd;
	u64 image_len;                          /* page-rounded */
};

/* The parts of the sentry's own vDSO that a symbol lookup needs. */
struct dyn_image {
	const u8 *base;
	const Elf64_Sym *sym;
	const char *str;
	const u32 *hash, *gnu_hash;
};

static void read_dynamic(struct dyn_image *d)
{
	const Elf64_Ehdr *eh = (const void *)d->base;
	const Elf64_Phdr *ph = (const void *)(d->base + eh->e_phoff);
	const Elf64_Dyn *dyn = NULL;

	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(d->base + ph[i].p_vaddr);
	for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
		const void *p = d->base + dyn->d_un.d_ptr;

		switch (dyn->d_tag) {
		case DT_SYMTAB:
			d->sym = p;
			break;
		case DT_STRTAB:
			d->str = p;
			break;
		case DT_HASH:
			d->hash = p;
			break;
		case DT_GNU_HASH:
			d->gnu_hash = p;
			break;
		}
	}
}

/* Number of dynamic symbols: DT_HASH says it, DT_GNU_HASH implies it. */
static u32 count_symbols(const struct dyn_image *d)
{
	const u32 *bucket, *chain;
	u32 n = 0, i;

	if (d->hash)
		return d->hash[1];
	if (!d->gnu_hash)
		return 0;
	bucket = d->gnu_hash + 4 + 2 * (size_t)d->gnu_hash[2];
	chain = bucket + d->gnu_hash[0];
	for (i = 0; i < d->gnu_hash[0]; i++)
		n = MAX(n, bucket[i]);
	while (n && !(chain[n - d->gnu_hash[1]] & 1))
		n++;
	return n ? n + 1 : 0;
}

/* Offset of a function in the host's vDSO; 0 if it has none. */
static u64 host_symbol(const char *name)
{
	struct dyn_image d = { .base = (const u8 *)getauxval(AT_SYSINFO_EHDR) };
	u32 n;

	if (!d.base)
		return 0;
	read_dynamic(&d);
	n = d.sym && d.str ? count_symbols(&d) : 0;
	for (u32 i = 0; i < n; i++)
		if (d.sym[i].st_shndx != SHN_UNDEF && strcmp(d.str + d.sym[i].st_name, name) == 0)
			return d.sym[i].st_value;
	return 0;
}

static void fill_data(const struct kernel *k, struct vdso_data *d)
{
	u64 base = platform_host_vdso(k->platform);
	u64 gettime = host_symbol("__vdso_clock_gettime"), getcpu = host_symbol("__vdso_getcpu");

	*d = (struct vdso_data){
		.host_clock_gettime = base && gettime ? base + gettime : 0,
		.host_getcpu = base && getcpu ? base + getcpu : 0,
		.mono_offset = k->mono_offset, .real_offset = k->real_offset, .ncpus = k->ncpus,
	};
}

static int write_all(hostfd_t fd, const void *p, size_t n, u64 off)
{
	ssize_t r = host_pwrite(fd, p, n, off);

	return r < 0 ? (int)r : (size_t)r == n ? 0 : -EIO;
}

int vdso_new(struct kernel *k)
{
	size_t n = (size_t)(vdso_image_end - vdso_image);
	struct vdso *v = knew(struct vdso);
	struct vdso_data data;
	int r;

	if (!v)
		return -ENOMEM;
	v->image_len = ALIGN_UP((u64)n, PAGE_SIZE);
	fill_data(k, &data);
	r = host_memfd("vdso", &v->fd);
	if (r < 0) {
		kfree(v);
		return r;
	}
	r = host_ftruncate(v->fd, PAGE_SIZE + v->image_len);
	if (r == 0)
		r = write_all(v->fd, &data, sizeof(data), 0);
	if (r == 0)
		r = write_all(v->fd, vdso_image, n, PAGE_SIZE);
	if (r == 0)
		r = host_seal_all(v->fd);
	if (r < 0) {
		host_close(v->fd);
		kfree(v);
		return r;
	}
	k->vdso = v;
	return 0;
}

u64 vdso_pages(struct kernel *k)
{
	return k->vdso ? 1 + k->vdso->image_len / PAGE_SIZE : 0;
}

void vdso_pieces(struct kernel *k, u64 base, struct mm_piece p[2])
{
	p[0] = (struct mm_piece){
		.addr = base, .len = PAGE_SIZE, .prot = PROT_READ, .flags = MAP_PRIVATE | VMA_DONTEXPAND,
		.fd = k->vdso->fd, .name = "[vvar]",
	};
	p[1] = (struct mm_piece){
		.addr = base + PAGE_SIZE, .len = k->vdso->image_len, .prot = PROT_READ | PROT_EXEC,
		.flags = MAP_PRIVATE | VMA_DONTEXPAND, .fd = k->vdso->fd, .fd_offset = PAGE_SIZE,
		.name = "[vdso]",
	};
}
