/*
 * fake_exec.h - the world that load_program() sees in test_loader.c and fuzz_elf.c.
 *
 * Files are byte arrays with a name; the address space is a list of the maps
 * that were applied and the bytes that were copied to the stack.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/base/alloc.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"
#include "sentry/loader/loader_int.h"
#include "sentry/vfs/aio.h"
#include "sentry/vfs/landlock.h"

#define FAKE_FILES 8
#define FAKE_OPS 512
#define FAKE_LO 0x10000ul
#define FAKE_HI 0x7ff000000000ul

struct platform { int unused; };
struct aspace { int refs; };
struct ctx { struct user_regs regs; bool freed; };

struct fake_file {
	struct file f;
	struct inode inode;
	const char *path;
	const u8 *data;
	size_t len;
};

static struct {
	struct fake_file file[FAKE_FILES];
	int nfiles;
	struct as_op op[FAKE_OPS];
	size_t nops;
	u8 stack[1 << 20];                      /* [stack_top - sizeof, stack_top) */
	u64 stack_top;
	u64 rlimit_stack;
	u32 mount_flags;
	struct platform platform;
	struct kernel kernel;
	struct aspace as;
	struct ctx ctx;
	struct cred cred;
	struct task task;
	bool fail_copy;
} fake;

static struct task *fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.rlimit_stack = 8 << 20;
	fake.kernel.platform = &fake.platform;
	fake.as.refs = 1;
	fake.task.kernel = &fake.kernel;
	ref_init(&fake.cred.ref);
	fake.cred.cap_bnd = 0x3ffffffffful;
	fake.task.cred = &fake.cred;
	return &fake.task;
}

static struct fake_file *fake_add(const char *path, const void *data, size_t len, u32 mode)
{
	static const struct inode_ops no_ops;
	struct fake_file *ff = &fake.file[fake.nfiles++];

	*ff = (struct fake_file){ .path = path, .data = data, .len = len };
	ff->inode.ops = &no_ops;
	ff->inode.mode = S_IFREG | mode;
	ff->f.inode = &ff->inode;
	ref_init(&ff->f.ref);
	return ff;
}

static bool fake_all_closed(void)
{
	for (int i = 0; i < fake.nfiles; i++)
		if (fake.file[i].f.ref.n != 1)
			return false;
	return fake.cred.ref.n == 1 && fake.as.refs == 0;
}

/* ---- platform ---- */

void platform_user_range(const struct platform *p, u64 *lo, u64 *hi)
{
	(void)p;
	*lo = FAKE_LO;
	*hi = FAKE_HI;
}

u64 platform_host_vdso(const struct platform *p)
{
	(void)p;
	return 0;
}

int aspace_new(struct platform *p, struct aspace **ret_as, struct ctx **ret_ctx)
{
	(void)p;
	fake.as.refs = 2;
	*ret_as = &fake.as;
	*ret_ctx = &fake.ctx;
	return 0;
}

void aspace_unref(struct aspace *as) { as->refs--; }

void ctx_free(struct ctx *c)
{
	c->freed = true;
	fake.as.refs--;
}

int aspace_apply(struct ctx *c, const struct as_op *ops, size_t n, size_t *ret_done)
{
	(void)c;
	for (size_t i = 0; i < n; i++) {
		const struct as_op *o = &ops[i];

		/* What every platform may rely on. */
		if (o->kind != AS_MAP || o->len == 0 || o->len % 4096 || o->addr.v % 4096 ||
		    o->addr.v < FAKE_LO || o->addr.v >= FAKE_HI || o->len > FAKE_HI - o->addr.v ||
		    o->offset % 4096)
			abort();
		if (o->flags & MAP_NORESERVE)
			fake.stack_top = o->addr.v + o->len;
		if (fake.nops < FAKE_OPS)
			fake.op[fake.nops++] = *o;
	}
	if (ret_done)
		*ret_done = n;
	return 0;
}

void aspace_set_title(struct aspace *as, char *const *argv, int argc)
{
	(void)as, (void)argv, (void)argc;
}

size_t aspace_copy_out(struct aspace *as, gaddr_t dst, const void *src, size_t n)
{
	u64 low = fake.stack_top - sizeof(fake.stack);

	(void)as;
	if (fake.fail_copy)
		return 0;
	if (dst.v >= low && dst.v + n <= fake.stack_top)
		memcpy(fake.stack + (dst.v - low), src, n);
	return n;
}

void platform_worked(struct platform *p, size_t n) { (void)p; (void)n; }

size_t aspace_copy_in(struct aspace *as, void *dst, gaddr_t src, size_t n)
{
	(void)as, (void)dst, (void)src, (void)n;
	return 0;
}

size_t aspace_copy_out_pieces(struct aspace *as, gaddr_t dst, const struct iovec *src, size_t n)
{
	size_t done = 0;

	for (size_t i = 0; i < n; done += src[i++].iov_len)
		if (aspace_copy_out(as, gaddr_add(dst, done), src[i].iov_base, src[i].iov_len) < src[i].iov_len)
			break;
	return done;
}

size_t aspace_copy_in_pieces(struct aspace *as, const struct iovec *dst, size_t n, gaddr_t src)
{
	(void)as, (void)dst, (void)n, (void)src;
	return 0;
}

bool ctx_takes_data(const struct ctx *c)
{
	(void)c;
	return false;
}

size_t ctx_data_in(const struct ctx *c, gaddr_t src, const void **ret)
{
	(void)c, (void)src, (void)ret;
	return 0;
}

bool ctx_data_out(struct ctx *c, gaddr_t dst, const void *src, size_t n)
{
	(void)c, (void)dst, (void)src, (void)n;
	return false;
}

int ctx_view_out(struct ctx *c, gaddr_t dst, u64 key, u64 off, size_t n)
{
	(void)c, (void)dst, (void)key, (void)off, (void)n;
	return -EOPNOTSUPP;
}

void ctx_view_give(struct ctx *c, u64 key, u64 off, hostfd_t fd) { (void)c, (void)key, (void)off, (void)fd; }
void ctx_view_drop(struct ctx *c, u64 key) { (void)c, (void)key; }

int ctx_set_regs(struct ctx *c, const struct user_regs *r)
{
	c->regs = *r;
	return 0;
}

int ctx_set_fp(struct ctx *c, const void *buf, size_t n)
{
	(void)c, (void)buf, (void)n;
	return 0;
}

/* ---- files ---- */

struct file *file_ref(struct file *f)
{
	ref_get(&f->ref);
	return f;
}

struct file *file_unref(struct file *f)
{
	if (f && ref_put(&f->ref))
		abort();
	return NULL;
}

u32 file_flags(struct file *f) { return f->flags; }

ssize_t file_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos, bool nowait)
{
	struct fake_file *ff = container_of(f, struct fake_file, f);
	size_t n;

	(void)t, (void)nowait;
	if (*pos < 0 || (u64)*pos >= ff->len)
		return 0;
	n = MIN(b->left, ff->len - (u64)*pos);
	memcpy(b->kbuf, ff->data + *pos, n);
	return (ssize_t)n;
}

int file_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags, struct mapping *ret)
{
	(void)t, (void)f, (void)len, (void)prot, (void)flags;
	ret->fd = HOSTFD(100);
	ret->offset = off;
	return 0;
}

int file_fsync(struct task *t, struct file *f, bool data_only)
{
	(void)t, (void)f, (void)data_only;
	return 0;
}

int tmpfs_anon_file(struct task *t, const char *name, u64 size, u32 seals, struct file **ret)
{
	(void)t, (void)name, (void)size, (void)seals, (void)ret;
	return -ENOMEM;
}

int vfs_lookup(struct task *t, int dirfd, const char *name, u32 flags, struct path *ret)
{
	(void)t, (void)dirfd, (void)flags;
	for (int i = 0; i < fake.nfiles; i++)
		if (strcmp(fake.file[i].path, name) == 0) {
			ret->dentry = (struct dentry *)&fake.file[i];
			return 0;
		}
	return -ENOENT;
}

struct inode *path_inode(const struct path *p)
{
	return &((struct fake_file *)p->dentry)->inode;
}

void path_put(struct path *p) { p->dentry = NULL; }

int vfs_open_path(struct task *t, const struct path *p, u32 flags, bool nocheck, struct file **ret)
{
	(void)t, (void)flags, (void)nocheck;
	*ret = file_ref(&((struct fake_file *)p->dentry)->f);
	return 0;
}

u32 mount_flags(const struct mount *m)
{
	(void)m;
	return fake.mount_flags;
}

int inode_permission(struct task *t, struct inode *i, int mask)
{
	(void)t;
	return (mask & X_OK) && !(i->mode & 0111) ? -EACCES : 0;
}

bool inode_deny_writers(struct inode *i) { (void)i; return true; }
void inode_allow_writers(struct inode *i) { (void)i; }
void aio_exit(struct mm *mm) { (void)mm; }

int inode_getattr(struct task *t, struct inode *i, struct kstat *ret)
{
	(void)t;
	*ret = (struct kstat){ .mode = i->mode, .uid = i->uid, .gid = i->gid };
	return 0;
}

/* ---- credentials and limits ---- */

const struct cred *task_cred(struct task *t) { return t->cred; }

struct cred *cred_dup(const struct cred *from)
{
	struct cred *c = kmem_zalloc(sizeof(*c), "fake cred");

	if (!c)
		return NULL;
	*c = *from;
	ref_init(&c->ref);
	return c;
}

void cred_unref(const struct cred *c)
{
	struct cred *w = (struct cred *)(uintptr_t)c;

	if (w && ref_put(&w->ref))
		kfree(w);
}

u64 task_rlimit(struct task *t, int resource)
{
	(void)t;
	return resource == RLIMIT_STACK ? fake.rlimit_stack : ~0ul;
}

bool capable(struct task *t, int cap)
{
	(void)t, (void)cap;
	return false;
}

/* Nothing is restricted. */
int landlock_path(struct task *t, const struct path *p, u32 access)
{
	(void)t;
	(void)p;
	(void)access;
	return 0;
}

struct landlock *landlock_ref(struct landlock *l) { return l; }
void landlock_unref(struct landlock *l) { (void)l; }
bool landlock_may_trace(const struct cred *by, const struct cred *of) { return by && of; }
