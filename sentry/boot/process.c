/*
 * process.c - make a process of the container from its description: credentials, limits,
 * standard files, working directory, program.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "platform/host/hostfile.h"
#include "sentry/boot/boot_int.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/ns.h"
#include "sentry/kernel/sched.h"
#include "sentry/kernel/session.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define INF (~0ull)
#define ENV_LOOKED_AT 4096               /* longer environments may have a name twice */
#define PREFIX "unable to start container process: "     /* runc's words: engines show them */

static const char *env_get(const struct ctl_process *p, const char *name)
{
	size_t n = strlen(name);

	for (u32 i = 0; i < p->envc; i++)
		if (strncmp(p->envp[i], name, n) == 0 && p->envp[i][n] == '=')
			return p->envp[i] + n + 1;
	return NULL;
}

/* 0 if @path, seen from task @t, is a file that somebody may execute. */
static int executable(struct task *t, const char *path)
{
	struct kstat st;
	struct path p;
	int r = vfs_lookup(t, AT_FDCWD, path, LOOKUP_FOLLOW, &p);

	if (r < 0)
		return r;
	r = inode_getattr(t, path_inode(&p), &st);
	path_put(&p);
	if (r < 0)
		return r;
	if (S_ISDIR(st.mode))
		return -EISDIR;
	return S_ISREG(st.mode) && (st.mode & 0111) ? 0 : -EACCES;
}

/* As execvp does, with the container's PATH.  buf[PATH_MAX] gets the name. */
static int find_program(struct boot *b, struct task *t, const struct ctl_process *p, char *buf)
{
	const char *name = p->program && *p->program ? p->program : p->argv[0], *dirs = env_get(p, "PATH");
	int r, worst = -ENOENT;

	if (strchr(name, '/')) {
		if (!str_copy(buf, PATH_MAX, name))
			return boot_fail(b, -ENAMETOOLONG, PREFIX "exec: \"%.200s...\": file name too long", name);
		r = executable(t, buf);
		if (r == -EACCES || r == -EISDIR)
			return boot_fail(b, -EACCES, PREFIX "exec: \"%s\": permission denied", name);
		return r < 0 ? boot_fail(b, r, PREFIX "exec: \"%s\": stat %s: %s", name, name,
		                         r == -ENOENT ? "no such file or directory" : strerror(-r)) : 0;
	}
	for (dirs = dirs ? dirs : DEFAULT_PATH; ; dirs++) {
		size_t n = strcspn(dirs, ":");
		struct strbuf sb;

		strbuf_fixed(&sb, buf, PATH_MAX);
		strbuf_write(&sb, n ? dirs : ".", n ? n : 1);
		strbuf_putc(&sb, '/');
		strbuf_puts(&sb, name);
		r = strbuf_err(&sb) ? -ENAMETOOLONG : executable(t, buf);
		if (r == 0)
			return 0;
		if (r == -EACCES)
			worst = r;
		dirs += n;
		if (!*dirs)
			break;
	}
	if (worst == -EACCES)
		return boot_fail(b, worst, PREFIX "exec: \"%s\": permission denied", name);
	return boot_fail(b, -ENOENT, PREFIX "exec: \"%s\": executable file not found in $PATH", name);
}

/* The process's own view: root and working directory (made if it is missing, as runc does). */
static int make_fs(struct boot *b, const struct ctl_process *p, struct fs **ret)
{
	struct path root, cwd;
	int r = vfs_lookup(b->hands, AT_FDCWD, p->cwd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &cwd);

	if (r == -ENOENT) {
		r = boot_mkdir_p(b, p->cwd);
		if (r == 0)
			r = vfs_lookup(b->hands, AT_FDCWD, p->cwd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &cwd);
	}
	if (r < 0)
		return boot_fail(b, r, "process.cwd: chdir to \"%s\": %s", p->cwd, strerror(-r));
	root = mnt_ns_root(b->mnt_ns);
	*ret = fs_new(&root, &cwd, p->umask);
	path_put(&root);
	path_put(&cwd);
	return *ret ? 0 : -ENOMEM;
}

int boot_check_program(struct boot *b, const struct ctl_process *p)
{
	struct fs *fs;
	struct task *t;
	char *buf;
	int r = make_fs(b, p, &fs);

	if (r < 0)
		return r;
	t = task_new_kernel(b->kernel, fs, b->mnt_ns, NULL);
	fs_unref(fs);
	buf = kbuf_alloc(PATH_MAX);
	r = t && buf ? find_program(b, t, p, buf) : -ENOMEM;
	kfree(buf);
	if (t)
		task_free_kernel(t);
	return r;
}

static struct cred *make_cred(const struct ctl_process *p)
{
	struct cred *c = cred_new();
	u64 all = (1ull << 41) - 1;

	if (!c)
		return NULL;
	c->uid = c->euid = c->suid = c->fsuid = p->uid;
	c->gid = c->egid = c->sgid = c->fsgid = p->gid;
	if (p->ngroups) {
		c->groups = kbuf_array(p->ngroups, sizeof(u32));
		if (!c->groups) {
			cred_unref(c);
			return NULL;
		}
		memcpy(c->groups, p->groups, p->ngroups * sizeof(u32));
		c->ngroups = p->ngroups;
	}
	c->cap_bnd = p->cap_bnd & all;
	c->cap_prm = p->cap_prm & all;
	c->cap_eff = p->cap_eff & c->cap_prm;
	c->cap_inh = p->cap_inh & all;
	c->cap_amb = p->cap_amb & c->cap_prm & c->cap_inh;
	/* As when runc changes the id just before exec: without ambient ones, others than root keep none. */
	if (p->uid != 0) {
		c->cap_prm = c->cap_eff = c->cap_amb;
	}
	return c;
}

static void make_rlimits(const struct ctl_process *p, struct rlimit64_g rl[RLIM_NLIMITS])
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		rl[i] = (struct rlimit64_g){ INF, INF };
	rl[RLIMIT_STACK] = (struct rlimit64_g){ 8 << 20, INF };
	rl[RLIMIT_CORE] = (struct rlimit64_g){ 0, INF };
	rl[RLIMIT_NOFILE] = (struct rlimit64_g){ 1024, 1048576 };
	rl[RLIMIT_MEMLOCK] = (struct rlimit64_g){ 8 << 20, 8 << 20 };
	rl[RLIMIT_SIGPENDING] = (struct rlimit64_g){ 95000, 95000 };
	rl[RLIMIT_MSGQUEUE] = (struct rlimit64_g){ 819200, 819200 };
	rl[RLIMIT_NICE] = rl[RLIMIT_RTPRIO] = (struct rlimit64_g){ 0, 0 };
	for (int i = 0; i < RLIM_NLIMITS && i < CTL_RLIMITS; i++)
		if (p->rlim_set & (1u << i))
			rl[i] = (struct rlimit64_g){ p->rlim_soft[i], p->rlim_hard[i] };
}

static int install(struct task *t, struct file *f)
{
	int r = fd_install(t, f, false);

	return r < 0 ? r : 0;
}

static int install_host(struct boot *b, struct task *t, int fd)
{
	struct file *f = NULL;
	int r = hostfile_new(b->kernel, HOSTFD(fd), &f);

	if (r == 0)
		r = install(t, f);
	file_unref(f);
	return r;
}

/* Descriptors 0, 1 and 2, then the further ones. */
static int make_files(struct boot *b, const struct boot_fds *x, u32 uid, struct fdtable **ret, struct file **ret_tty)
{
	struct fdtable *ft = fdtable_new();
	struct task *t = ft ? task_new_kernel(b->kernel, b->fs, b->mnt_ns, ft) : NULL;
	struct file *f = NULL;
	int r = t ? 0 : -ENOMEM;

	if (x->tty >= 0 && r == 0)
		r = tty_from_host(b->kernel, HOSTFD(x->tty), uid, &f);
	for (int i = 0; i < 3 && r == 0; i++)
		r = x->tty < 0 ? install_host(b, t, x->stdio[i]) : install(t, f);
	for (u32 i = 0; i < x->nextra && r == 0; i++)
		r = install_host(b, t, x->extra[i]);
	if (t)
		task_free_kernel(t);
	if (r < 0) {
		file_unref(f);
		fdtable_unref(NULL, ft);
		return r;
	}
	*ret = ft;
	*ret_tty = f;
	return 0;
}

/* The home directory of @uid in the container's /etc/passwd; "/" if it is not there. */
static void find_home(struct boot *b, u32 uid, char *buf, size_t cap)
{
	char *text = kbuf_alloc(65536), *line, *save = NULL;
	struct iobuf io;
	struct file *f;
	ssize_t n;

	(void)str_copy(buf, cap, "/");
	if (!text || vfs_open(b->hands, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC, 0, 0, &f) < 0) {
		kfree(text);
		return;
	}
	iobuf_kernel(&io, text, 65535);
	n = file_read(b->hands, f, &io, NULL, true);
	file_unref(f);
	for (line = n > 0 ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		char *field[7];
		u64 id;
		int k = 0;

		for (char *p = line; k < 7 && p; k++)
			field[k] = strsep(&p, ":");
		if (k < 6 || str_to_u64(field[2], 10, &id) < 0 || id != uid)
			continue;
		if (field[5][0] == '/')
			(void)str_copy(buf, cap, field[5]);
		break;
	}
	kfree(text);
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return n == strcspn(b, "=") && memcmp(a, b, n) == 0;
}

static bool has_home(const struct ctl_process *p)
{
	const char *home = NULL;

	for (u32 i = 0; i < p->envc; i++)
		if (strncmp(p->envp[i], "HOME=", 5) == 0)
			home = p->envp[i] + 5;
	return home && *home;
}

/* A later value counts; an empty HOME is none. As runc has it. */
static bool overridden(const struct ctl_process *p, u32 i)
{
	if (strcmp(p->envp[i], "HOME=") == 0)
		return true;
	for (u32 k = i + 1; k < p->envc && p->envc <= ENV_LOOKED_AT; k++)
		if (same_name(p->envp[i], p->envp[k]))
			return true;
	return false;
}

/* envp with HOME, which everybody expects. */
static char **make_env(struct boot *b, const struct ctl_process *p, char *home, size_t cap, int *ret_n)
{
	char **v = kbuf_array((size_t)p->envc + 2, sizeof(*v));

	if (!v)
		return NULL;
	*ret_n = 0;
	for (u32 i = 0; i < p->envc; i++)
		if (!overridden(p, i))
			v[(*ret_n)++] = p->envp[i];
	if (!has_home(p)) {
		memcpy(home, "HOME=", 5);
		find_home(b, p->uid, home + 5, cap - 5);
		v[(*ret_n)++] = home;
	}
	return v;
}

struct parts {
	struct fs *fs;
	struct fdtable *files;
	struct file *tty;
	struct cred *cred;
	char **envp;
	char *program;                          /* PATH_MAX */
	char home[512];
	struct rlimit64_g rl[RLIM_NLIMITS];
	struct sched_start sched;
};

static void drop_parts(struct parts *x)
{
	if (x->fs)
		fs_unref(x->fs);
	if (x->files)
		fdtable_unref(NULL, x->files);
	if (x->cred)
		cred_unref(x->cred);
}

static void make_sched(const struct ctl_process *p, struct sched_start *ret)
{
	const struct ctl_sched *s = &p->sched;

	*ret = (struct sched_start){ .cpus = { s->cpus[0], s->cpus[1] } };
	if (s->set & CTL_SCHED_POLICY) {
		ret->policy = (int)s->policy;
		ret->prio = (int)s->prio;
		ret->nice = s->nice;
		ret->reset_on_fork = s->reset_on_fork != 0;
		memcpy(ret->deadline, s->deadline, sizeof(ret->deadline));
	}
	if (s->set & CTL_SCHED_IOPRIO)
		ret->ioprio = s->ioprio;
}

static int create(struct boot *b, const struct ctl_process *p, struct parts *x, int envc, bool hold)
{
	struct process_args a = {
		.exec = { .path = x->program, .argv = p->argv, .envp = x->envp, .argc = (int)p->argc, .envc = envc },
		.cred = x->cred, .fs = x->fs, .files = x->files, .rlim = x->rl,
		.mnt_ns = mnt_ns_ref(b->mnt_ns), .oom_score_adj = p->oom_score_adj, .personality = p->personality, .sched = &x->sched,
		.ctty = x->tty ? tty_file_link(x->tty) : NULL,
		.pid = b->number || b->held || b->started ? 0 : 1, .container = b->number,
		.nsset = b->nsset ? nsset_ref(b->nsset) : NULL, .seccomp = b->seccomp, .no_new_privs = p->no_new_privs,
		.hold = hold,
	};
	int pid = 0, r;

	x->cred = NULL;
	x->fs = NULL;
	x->files = NULL;
	r = process_create(b->kernel, &a, &pid);
	if (r < 0)
		return boot_fail(b, r, PREFIX "exec %s: %s", x->program, r == -ENOEXEC ? "exec format error" :
		                 r == -ENOENT ? "no such file or directory" : strerror(-r));
	return pid;
}

int boot_process(struct boot *b, const struct ctl_process *p, const struct boot_fds *fds, bool hold,
                 struct file **ret_tty)
{
	struct parts x = { 0 };
	struct task *t = NULL;
	int envc = 0, r;

	r = make_files(b, fds, p->uid, &x.files, &x.tty);
	if (r == 0)
		r = make_fs(b, p, &x.fs);
	if (r == 0) {
		t = task_new_kernel(b->kernel, x.fs, b->mnt_ns, NULL);
		x.program = kbuf_alloc(PATH_MAX);
		x.cred = make_cred(p);
		x.envp = make_env(b, p, x.home, sizeof(x.home), &envc);
		r = t && x.program && x.cred && x.envp ? find_program(b, t, p, x.program) : -ENOMEM;
	}
	if (t)
		task_free_kernel(t);
	if (r == 0 && x.tty && (p->rows || p->cols))
		(void)!tty_set_winsize(x.tty, p->rows, p->cols);
	make_rlimits(p, x.rl);
	make_sched(p, &x.sched);
	if (r == 0)
		r = create(b, p, &x, envc, hold);
	drop_parts(&x);
	kfree(x.program);
	kfree(x.envp);
	if (ret_tty && r >= 0)
		*ret_tty = x.tty;
	else
		file_unref(x.tty);
	return r;
}
