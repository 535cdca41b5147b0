/*
 * loader.c - load_program(): from a name to an address space that can run.
 *
 * Nothing of the caller changes here: the new address space is made beside
 * the old one, so every failure is an errno.  (Linux has a point of no return
 * halfway and kills the caller for later errors; ours is in task_exec.c.)
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/loader/loader_int.h"
#include "sentry/vfs/landlock.h"

#define SCRIPT_DEPTH 5                          /* Linux: one more is ELOOP */
#define USER_CS 0x33
#define USER_DS 0x2b
#define FLAGS_INIT 0x200

ssize_t exec_read_some(struct task *t, struct file *f, void *buf, size_t n, u64 off)
{
	size_t got = 0;

	while (got < n) {
		s64 pos = (s64)(off + got);
		struct iobuf b;
		ssize_t r;

		iobuf_kernel(&b, (u8 *)buf + got, n - got);
		r = file_read(t, f, &b, &pos, false);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

int exec_read(struct task *t, struct file *f, void *buf, size_t n, u64 off)
{
	ssize_t r;

	if (off > INT64_MAX - n)
		return -EIO;
	r = exec_read_some(t, f, buf, n, off);
	return r < 0 ? (int)r : (size_t)r == n ? 0 : -EIO;
}

int exec_check(struct task *t, struct file *f)
{
	int r;

	if (!f->inode || !S_ISREG(f->inode->mode))
		return -EACCES;
	if (f->path.mnt && (mount_flags(f->path.mnt) & MNT_NOEXEC))
		return -EACCES;
	r = inode_permission(t, f->inode, X_OK);
	if (r == 0 && f->path.dentry)
		r = landlock_path(t, &f->path, LL_EXECUTE | LL_READ_FILE);
	if (r == 0 && atomic_load(&f->inode->writers) > 0)
		return -ETXTBSY;
	return r;
}

int exec_open(struct task *t, const char *path, struct file **ret)
{
	auto_path place = { 0 };
	auto_file *f = NULL;
	int r = vfs_lookup(t, AT_FDCWD, path, LOOKUP_FOLLOW, &place);

	if (r < 0)
		return r;
	if (!S_ISREG(path_inode(&place)->mode))
		return -EACCES;
	/* Execution needs no read permission. */
	r = vfs_open_path(t, &place, O_RDONLY, true, &f);
	if (r == 0)
		r = exec_check(t, f);
	if (r < 0)
		return r;
	*ret = f;
	f = NULL;
	return 0;
}

/* The caller's file, readable by us: one opened O_PATH or for writing only is opened again. */
static int reopen(struct task *t, struct file *from, struct file **ret)
{
	int r = exec_check(t, from);

	if (r < 0)
		return r;
	if (!(from->kind & FILE_PATH) && (file_flags(from) & O_ACCMODE) != O_WRONLY) {
		*ret = file_ref(from);
		return 0;
	}
	return vfs_open_path(t, &from->path, O_RDONLY, true, ret);
}

static int init_args(struct exec_build *b, const struct exec_args *a)
{
	/* Room for what scripts put in front, an empty argv[0] and the end. */
	b->argv = kbuf_array((size_t)a->argc + 3 * (SCRIPT_DEPTH + 1) + 2, sizeof(char *));
	if (!b->argv)
		return -ENOMEM;
	memcpy(b->argv, a->argv, (size_t)a->argc * sizeof(char *));
	b->argc = a->argc;
	if (b->argc == 0) {
		b->scripts[0] = kbuf_strdup("");
		if (!b->scripts[0])
			return -ENOMEM;
		b->nscripts = 1;
		b->argv[b->argc++] = b->scripts[0];
	}
	b->envp = a->envp;
	b->envc = a->envc;
	b->execfn = a->path ? a->path : "";
	b->hidden = a->hidden;
	return 0;
}

static char *keep_string(struct exec_build *b, const char *s)
{
	char *copy = b->nscripts < (int)ARRAY_SIZE(b->scripts) ? kbuf_strdup(s) : NULL;

	if (copy)
		b->scripts[b->nscripts++] = copy;
	return copy;
}

/* argv becomes: interpreter, its argument if any, @name, the old argv[1]... */
static int push_script(struct exec_build *b, const char *name, const char *interp, const char *arg)
{
	int add = arg ? 2 : 1;
	char *s[3] = { keep_string(b, interp), arg ? keep_string(b, arg) : NULL, keep_string(b, name) };

	if (!s[0] || !s[2] || (arg && !s[1]))
		return -ENOMEM;
	memmove(b->argv + add, b->argv, (size_t)b->argc * sizeof(char *));
	b->argv[0] = s[0];
	if (arg)
		b->argv[1] = s[1];
	b->argv[add] = s[2];
	b->argc += add;
	return 0;
}

/* Follow "#!" lines until a file that is no script.  *f is replaced. */
static int resolve_scripts(struct exec_build *b, const char *name, struct file **f)
{
	char buf[SCRIPT_BUF], *interp, *arg;

	for (int depth = 0; ; depth++) {
		struct file *next = NULL;
		ssize_t n;
		int r;

		memset(buf, 0, sizeof(buf));
		n = exec_read_some(b->t, *f, buf, sizeof(buf), 0);
		if (n < 0)
			return (int)n;
		if (buf[0] != '#' || buf[1] != '!')
			return 0;
		if (depth >= SCRIPT_DEPTH)
			return -ELOOP;
		r = script_parse(buf, &interp, &arg);
		if (r == 0 && b->hidden)
			r = -ENOENT;
		if (r == 0)
			r = push_script(b, name, interp, arg);
		if (r == 0)     /* an empty name is the working directory to Linux */
			r = *interp ? exec_open(b->t, interp, &next) : -EACCES;
		if (r < 0)
			return r;
		file_unref(*f);
		*f = next;
		name = b->argv[0];
	}
}

/* The address space, its maps and its stack. */
static int make_mm(struct exec_build *b)
{
	struct aspace *as;
	int r = aspace_new(b->t->kernel->platform, &as, &b->ctx);

	if (r < 0)
		return r;
	b->mm = mm_new(b->t->kernel, as);
	if (b->mm && b->t->mm)
		b->mm->mdwe = mm_mdwe_inherited(mm_mdwe(b->t->mm));
	if (!b->mm) {
		aspace_unref(as);
		return -ENOMEM;
	}
	b->random = !(b->t->personality & PER_NO_RANDOMIZE);
	b->stack_prot = PROT_READ | PROT_WRITE;
	if (b->prog.info.stack == ELF_STACK_EXEC || (b->prog.info.stack == ELF_STACK_DEFAULT &&
						     (b->t->personality & PER_READ_IMPLIES_EXEC)))
		b->stack_prot |= PROT_EXEC;
	r = exec_layout(b);
	if (r == 0)
		r = exec_map(b);
	if (r == 0)
		r = exec_write_stack(b);
	return r;
}

static int set_start(struct exec_build *b)
{
	const struct elf_file *first = b->interp.f ? &b->interp : &b->prog;
	struct user_regs regs = {
		.ip = first->info.entry + first->bias, .sp = b->sp, .flags = FLAGS_INIT,
		.cs = USER_CS, .ss = USER_DS, .orig_ax = UINT64_MAX,
	};
	int r = ctx_set_regs(b->ctx, &regs);

	return r < 0 ? r : ctx_set_fp(b->ctx, NULL, 0);
}

static void set_comm(char comm[16], const char *path)
{
	const char *slash = strrchr(path, '/');

	(void)str_copy(comm, 16, slash ? slash + 1 : path);
}

static int load_elf(struct exec_build *b, struct file *f, struct exec_image *im)
{
	int r = elf_file_read(b->t, f, &b->prog);

	if (r == 0)
		r = elf_file_interp(b->t, &b->prog, &b->interp);
	if (r == 0)
		r = exec_check_args(b);
	if (r == 0)
		r = exec_cred(b->t, f, &im->cred, &im->secure);
	if (r < 0)
		return r;
	b->cred = im->cred ? im->cred : task_cred(b->t);
	b->secure = im->secure;
	r = make_mm(b);
	/* Taken by the image at once, so that one place frees them. */
	im->mm = b->mm;
	im->ctx = b->ctx;
	if (r == 0)
		r = set_start(b);
	if (r < 0)
		return r;
	if (!inode_deny_writers(f->inode))
		return -ETXTBSY;
	im->exe = file_ref(f);
	im->mm->exe = file_ref(f);
	im->mm->dumpable = !im->secure && inode_permission(b->t, f->inode, R_OK) == 0;
	set_comm(im->comm, b->execfn);
	return 0;
}

static void build_done(struct exec_build *b)
{
	for (int i = 0; i < b->nscripts; i++)
		kfree(b->scripts[i]);
	kfree(b->argv);
	elf_file_done(&b->prog);
	elf_file_done(&b->interp);
}

int load_program(struct task *t, const struct exec_args *a, struct exec_image *ret)
{
	struct exec_build b = { .t = t };
	struct exec_image im = { 0 };
	auto_file *f = NULL;
	int r = a->file ? reopen(t, a->file, &f) : exec_open(t, a->path, &f);

	if (r == 0)
		r = init_args(&b, a);
	if (r == 0)
		r = resolve_scripts(&b, b.execfn, &f);
	if (r == 0)
		r = load_elf(&b, f, &im);
	build_done(&b);
	if (r < 0) {
		exec_image_done(&im);
		return r;
	}
	*ret = im;
	return 0;
}

void exec_image_done(struct exec_image *im)
{
	if (im->ctx)
		ctx_free(im->ctx);
	mm_unref(im->mm);
	file_unref(im->exe);
	cred_unref(im->cred);
	*im = (struct exec_image){ 0 };
}
