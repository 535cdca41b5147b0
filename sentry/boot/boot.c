/*
 * boot.c - from the fork to a sandbox that waits for `start`.
 *
 * One list of steps, in order; a step that fails ends the process with its name and reason
 * told to the launcher.  Nothing is unwound by hand: all that the steps make (stubs, memory, descriptors)
 * belongs to this process, the first of its pid namespace, and ends with it.
 */
#include "sentry/boot/boot.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "platform/base/str.h"
#include "platform/platform.h"
#include "sentry/boot/boot_int.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/gofer/gofer.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/sysinfo.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/loader/loader.h"
#include "sentry/socket/net.h"
#include "sentry/time/ktimer.h"

int boot_fail(struct boot *b, int code, const char *fmt, ...)
{
	va_list ap;

	if (b->error[0])
		return code;
	va_start(ap, fmt);
	vsnprintf(b->error, sizeof(b->error), fmt, ap);
	va_end(ap);
	return code;
}

static int make_platform(struct boot *b)
{
	struct platform_config pc = { .name = b->cfg->platform };
	int r = platform_new(&pc, &b->platform);

	if (r == -ENOENT)
		return boot_fail(b, r, "--platform: there is no platform \"%s\"", b->cfg->platform);
	return r;
}

static void set_memory(struct kernel *k, u64 limit)
{
	struct sysinfo si;

	if (sysinfo(&si) == 0)
		k->mem_host = (u64)si.totalram * si.mem_unit;
	kernel_set_memory(k, limit);
}

/* Ids are the sandbox's own; programs that look find those that the files have on the host. */
static void show_ids(struct boot *b)
{
	struct user_ns *u = b->kernel->user_ns;

	u->shown_uids = b->cfg->uid_map;
	u->shown_gids = b->cfg->gid_map;
}

static int make_kernel(struct boot *b)
{
	const struct boot_config *c = b->cfg;
	struct kernel *k = kernel_new(b->platform);
	struct uts *uts;

	if (!k)
		return -ENOMEM;
	b->kernel = k;
	k->boot = b;
	k->strace = c->strace;
	k->ncpus = MAX(c->ncpus, 1u);
	k->cpu_quota = c->cpu_quota;
	k->cpu_period = c->cpu_period;
	k->cpu_weight = c->cpu_weight;
	pid_limit(k, c->pids_limit);
	k->on_init_exit = control_init_exit;
	k->on_task_exit = control_task_exit;
	set_memory(k, c->mem_limit);
	uts = container_of(k->nsset->of[NS_UTS], struct uts, ns);
	show_ids(b);
	if (*c->hostname)
		uts_set(uts, false, c->hostname);
	if (*c->domainname)
		uts_set(uts, true, c->domainname);
	return 0;
}

static int make_seccomp(struct boot *b)
{
	if (b->cfg->nseccomp)
		b->seccomp = seccomp_new(b->cfg->seccomp, b->cfg->nseccomp);
	return b->cfg->nseccomp && !b->seccomp ? -EINVAL : 0;
}

static int make_vfs(struct boot *b)
{
	return vfs_init(b->kernel);
}

static int make_vdso(struct boot *b)
{
	return vdso_new(b->kernel);
}

static int make_timers(struct boot *b)
{
	return ktimers_start(b->kernel);
}

static int make_network(struct boot *b)
{
	return net_start(b->kernel);
}

static int connect_gofer(struct boot *b)
{
	hostfd_t s[1 + BOOT_GOFER_CTL] = { HOSTFD(b->cfg->gofer_inval) };

	for (int i = 0; i < BOOT_GOFER_CTL; i++)
		s[1 + i] = HOSTFD(b->cfg->gofer_ctl[i]);
	return b->member ? gofer_connect_late(b->kernel, s, ARRAY_SIZE(s), &b->gofer)
	                 : gofer_connect(b->kernel, s, ARRAY_SIZE(s), &b->gofer);
}

/* --overlay=dir: the upper layer is another tree of the gofer's. */
static int cover_kept(struct boot *b, struct inode *lower, struct super **sb, struct inode **root)
{
	struct inode *store;
	struct super *store_sb;
	int r = goferfs_new(b->kernel, b->gofer, (u32)b->cfg->upper_root, false, &store_sb, &store);

	if (r < 0)
		return r;
	r = overlay_kept(NULL, b->kernel, lower, store, sb, root);
	inode_unref(store);
	super_unref(store_sb);
	return r;
}

/* --overlay: the gofer's tree below, what is written above it. */
static int cover_root(struct boot *b, struct super **sb, struct inode **root)
{
	struct super *lower_sb = *sb;
	struct inode *lower = *root;
	int r = b->cfg->upper_root >= 0 ? cover_kept(b, lower, sb, root) :
	                                  overlay_memory(NULL, b->kernel, lower, sb, root);

	super_unref(lower_sb);
	inode_unref(lower);
	return r < 0 ? boot_fail(b, r, "cannot make the overlay of the root file system: %s", strerror(-r)) : 0;
}

static int mount_root(struct boot *b, struct super *sb, struct inode *root)
{
	struct path at;
	int r = mnt_ns_new(b->kernel, sb, root, MNT_RELATIME, &b->mnt_ns);

	if (r < 0)
		return r;
	at = mnt_ns_root(b->mnt_ns);
	b->fs = fs_new(&at, &at, 0);
	path_put(&at);
	if (!b->fs)
		return -ENOMEM;
	b->hands = task_new_kernel(b->kernel, b->fs, b->mnt_ns, NULL);
	if (b->hands && b->nsset)
		task_enter_kernel(b->hands, b->nsset);
	return b->hands ? 0 : -ENOMEM;
}

static int make_root(struct boot *b)
{
	struct super *sb;
	struct inode *root;
	int tidy, r = goferfs_new(b->kernel, b->gofer, 0, b->cfg->root_readonly || b->cfg->overlay, &sb, &root);

	if (r < 0)
		return boot_fail(b, r, "cannot read the root file system: %s; is the gofer alive?", strerror(-r));
	if (b->cfg->overlay) {
		r = cover_root(b, &sb, &root);
		if (r < 0)
			return r;
	}
	r = mount_root(b, sb, root);
	if (r == 0 && b->cfg->overlay && (tidy = overlay_tidy(b->hands, sb)) < 0)
		log_warn("the work directory of the overlay cannot be emptied: %s", strerror(-tidy));
	super_unref(sb);
	inode_unref(root);
	return r;
}

static int check_program(struct boot *b)
{
	return boot_check_program(b, b->cfg->process);
}

static void *worker(void *arg)
{
	task_worker(arg);
	return NULL;
}

static int start_workers(struct boot *b)
{
	return platform_start_workers(b->platform, worker, b->kernel);
}

static const struct step {
	const char *what;
	int (*fn)(struct boot *b);
} steps[] = {
	{ "start the platform", make_platform },        /* forks the zygote: before any thread */
	{ "catch faults", boot_crash_handlers },        /* after the zygote, which has handlers of its own */
	{ "make the kernel", make_kernel },
	{ "read linux.seccomp", make_seccomp },
	{ "make the file system layer", make_vfs },
	{ "make the vDSO", make_vdso },
	{ "start timers", make_timers },
	{ "start the network stack", make_network },
	{ "connect to the gofer", connect_gofer },
	{ "mount the root", make_root },
	{ "mount file systems", boot_mounts },
	{ "make devices", boot_devices },
	{ "cover paths", boot_cover },
	{ "find the program", check_program },
	{ "open the control socket", control_new },
	{ "install the seccomp filter", boot_filter },
	{ "start workers", start_workers },
};

int boot_member(struct boot *b)
{
	static const struct step member_steps[] = {
		{ "read linux.seccomp", make_seccomp },
		{ "connect to the gofer", connect_gofer },
		{ "mount the root", make_root },
		{ "mount file systems", boot_mounts },
		{ "make devices", boot_devices },
		{ "cover paths", boot_cover },
		{ "find the program", check_program },
	};

	for (size_t i = 0; i < ARRAY_SIZE(member_steps); i++) {
		int r = member_steps[i].fn(b);

		if (r < 0)
			return boot_fail(b, r, "the sandbox cannot %s: %s", member_steps[i].what, strerror(-r));
	}
	return 0;
}

static int report(struct boot *b, const char *what, int code)
{
	char text[700];

	if (b->error[0])
		snprintf(text, sizeof(text), "%c%s", BOOT_SYNC_ERROR, b->error);
	else
		snprintf(text, sizeof(text), "%cthe sandbox cannot %s: %s", BOOT_SYNC_ERROR, what, strerror(-code));
	(void)!write(b->cfg->sync_fd, text, strlen(text));      /* SIGPIPE is ignored; send(2) is not among our host calls */
	return 1;
}

/* The launcher writes down what it has made, then commits; if it died before, nobody knows of us. */
static bool await_commit(struct boot *b)
{
	char c = BOOT_SYNC_READY;
	ssize_t n;

	if (write(b->cfg->sync_fd, &c, 1) != 1)
		return false;
	do {
		n = read(b->cfg->sync_fd, &c, 1);
	} while (n < 0 && errno == EINTR);
	close(b->cfg->sync_fd);
	return n == 1 && c == BOOT_SYNC_COMMIT;
}

static void block_signals(void)
{
	sigset_t set;

	/*
	 * Only the main thread takes SIGWINCH, while it waits (control.c).  Nobody takes SIGCHLD: it would
	 * wake a thread for each stub that ends, which the reaper is told of anyway.  Those for the guest are read.
	 */
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGCHLD);
	control_signals(&set);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int boot_main(const struct boot_config *cfg)
{
	struct boot *b = knew(struct boot);

	if (!b)
		return 1;
	b->cfg = cfg;
	/* libc makes more heaps for more threads, and counts CPUs by opening a file of /sys. */
	(void)mallopt(M_ARENA_MAX, 1);
	block_signals();
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i].fn(b);

		if (r < 0)
			return report(b, steps[i].what, r);
	}
	if (!await_commit(b))
		return 1;
	control_run(b);
}
