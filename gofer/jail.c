/*
 * jail.c - see jail.h.
 *
 * The order matters: mounts are cloned while the old tree is still there;
 * descriptors are closed once nothing more is opened by name; capabilities go
 * after the last mount; the filter comes last, in jail_lock().
 */
#include "gofer/jail.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "platform/base/log.h"
#include "platform/host/seccomp.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define NOFILE 12000u
#define NOBODY 65534

static int fail(const char *what)
{
	int e = errno ? errno : EIO;

	log_error("gofer: %s: %s", what, strerror(e));
	return -e;
}

/*
 * A mount that stays whole when the old root goes.  A descriptor from another mount
 * namespace can't be cloned; it is used as it is.
 */
static void clone_roots(struct gofer_root *roots, int n)
{
	for (int i = 0; i < n; i++) {
		int fd = (int)syscall(SYS_open_tree, roots[i].dirfd, "",
		                      AT_EMPTY_PATH | OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE);

		if (fd < 0) {
			log_debug("gofer: root %d is not cloned: %s", i, strerror(errno));
			continue;
		}
		close(roots[i].dirfd);
		roots[i].dirfd = fd;
	}
}

/* Any directory will do as the place of the new root: nobody else sees it. */
static const char *mount_tmpfs(void)
{
	static const char *const places[] = { "/tmp", "/run", "/var", "/mnt", "/etc", "/dev" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (mount("none", places[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=755") == 0)
			return places[i];
	return NULL;
}

static int empty_root(void)
{
	const char *place;

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail("cannot make mounts private (is it in its own mount namespace?)");
	place = mount_tmpfs();
	if (!place)
		return fail("cannot mount a tmpfs as empty root");
	if (chdir(place) < 0 || mkdir("fd", 0555) < 0)
		return fail("cannot fill the empty root");
	if (mount("/proc/self/fd", "fd", NULL, MS_BIND, NULL) < 0)
		return fail("cannot bind /proc/self/fd");
	if (mount("none", ".", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return fail("cannot make the empty root read-only");
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return fail("pivot_root");
	return 0;
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int close_others(const struct gofer_config *cfg, const struct gofer_root *roots, int more)
{
	int keep[GOFER_MAX_ROOTS + GOFER_MAX_CTL + 4], n = 0;
	unsigned from = 3;

	for (int i = 0; i < cfg->nroots; i++)
		keep[n++] = roots[i].dirfd;
	for (int i = 0; i < cfg->nctl; i++)
		keep[n++] = cfg->ctl_fds[i];
	keep[n++] = cfg->inval_fd;
	keep[n++] = cfg->log_fd;
	keep[n++] = cfg->hold_fd;
	keep[n++] = more;
	qsort(keep, (size_t)n, sizeof(keep[0]), by_value);
	for (int i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from && close_range(from, (unsigned)keep[i] - 1, 0) < 0)
			return fail("close_range");
		from = (unsigned)keep[i] + 1;
	}
	return close_range(from, ~0u, 0) < 0 ? fail("close_range") : 0;
}

/* A stray write to descriptor 0, 1 or 2 must not reach a file that happens to have the number. */
static int null_stdio(const struct gofer_config *cfg)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail("/dev/null");
	for (int i = 0; i < 3; i++)
		if (i != cfg->log_fd && dup2(fd, i) < 0)
			return fail("dup2");
	if (fd > 2)
		close(fd);
	return 0;
}

static int limit(void)
{
	struct rlimit core = { 0, 0 }, nofile;

	if (setrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &nofile) < 0)
		return fail("rlimit");
	nofile.rlim_cur = nofile.rlim_max = MIN(nofile.rlim_max, (rlim_t)NOFILE);
	return setrlimit(RLIMIT_NOFILE, &nofile) < 0 ? fail("RLIMIT_NOFILE") : 0;
}

static bool needed(cap_value_t c)
{
	switch (c) {
	case CAP_CHOWN:
	case CAP_DAC_OVERRIDE:
	case CAP_DAC_READ_SEARCH:
	case CAP_FOWNER:
	case CAP_FSETID:
	case CAP_MKNOD:
	case CAP_SETFCAP:
		return true;
	default:
		return false;
	}
}

static int drop_caps(void)
{
	cap_t caps;
	int r;

	for (cap_value_t c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (!needed(c) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EPERM)
			return fail("bounding set");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	caps = cap_get_proc();
	if (!caps)
		return fail("capabilities");
	for (cap_value_t c = 0; c < 64 && CAP_IS_SUPPORTED(c); c++) {
		cap_set_flag(caps, CAP_INHERITABLE, 1, &c, CAP_CLEAR);
		if (!needed(c)) {
			cap_set_flag(caps, CAP_PERMITTED, 1, &c, CAP_CLEAR);
			cap_set_flag(caps, CAP_EFFECTIVE, 1, &c, CAP_CLEAR);
		}
	}
	r = cap_set_proc(caps);
	cap_free(caps);
	if (r < 0)
		return fail("capabilities");
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? fail("no_new_privs") : 0;
}

int jail_inotify(void)
{
	uid_t own = geteuid();
	bool lent = own == 0 && syscall(SYS_setresuid, -1, NOBODY, -1) == 0;
	int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0)
		log_warn("gofer: no inotify instance is left (fs.inotify.max_user_instances?): nothing is cached, all is slower");
	if (lent && syscall(SYS_setresuid, -1, own, -1) < 0)
		return -errno;
	return fd < 0 ? -ENFILE : fd;
}

int jail_enter(const struct gofer_config *cfg, struct gofer_root *roots, int keep, const char **ret_links)
{
	int r;

	setsid();
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail("dumpable");
	clone_roots(roots, cfg->nroots);
	r = null_stdio(cfg);
	if (r == 0)
		r = empty_root();
	if (r == 0)
		r = close_others(cfg, roots, keep);
	if (r == 0)
		r = limit();
	if (r == 0)
		r = drop_caps();
	if (r == 0)
		*ret_links = "/fd";
	return r;
}

int jail_lock(const struct fdlinks *links)
{
#define LINKS links->dirfd
#define HC(name, cond, why) { .nr = __NR_##name, cond },
	const struct hc_row rows[] = {
#include "syscall-tables/hostcalls-gofer.def"
	};
#undef HC
#undef LINKS

	return hc_install(rows, ARRAY_SIZE(rows));
}
