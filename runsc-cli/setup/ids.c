/*
 * ids.c - see ids.h.
 *
 * A path that names the user namespace of one of our sandboxes means the ids of that container: the sentry's own
 * namespace maps nobody, its gofer's is the one that counts.
 */
#include "runsc-cli/setup/ids.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "runsc-cli/container.h"
#include "runsc-cli/setup/procs.h"
#include "runsc-cli/setup/sys.h"

#define MAP_BYTES 16384

static int open_ns(struct cli *cli, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(&cli->err, -errno, "linux.namespaces: user: cannot open %s", path) : fd;
}

static ino_t user_ns_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

/* The gofer of the container in whose sandbox's user namespace @ino is, or 0. */
static pid_t gofer_of(struct cli *cli, ino_t ino)
{
	DIR *d = opendir(cli->root);
	struct dirent *e;
	pid_t found = 0;

	while (d && !found && (e = readdir(d))) {
		struct cli quiet = *cli;
		struct container c;

		if (e->d_name[0] == '.' || container_open(&quiet, e->d_name, false, &c) < 0)
			continue;
		if (proc_alive(&c.sentry) && proc_alive(&c.gofer) && user_ns_of(c.sentry.pid) == ino)
			found = c.gofer.pid;
		container_close(&c);
	}
	if (d)
		closedir(d);
	return found;
}

/* Our own namespace is no change. */
static int join(struct cli *cli, const char *path, struct ids *ret)
{
	char of_gofer[64];
	struct stat st;
	pid_t gofer;
	int fd = open_ns(cli, path);

	if (fd < 0)
		return fd;
	gofer = fstat(fd, &st) == 0 && st.st_ino != user_ns_of(getpid()) ? gofer_of(cli, st.st_ino) : 0;
	if (gofer) {
		close(fd);
		snprintf(of_gofer, sizeof(of_gofer), "/proc/%d/ns/user", gofer);
		fd = open_ns(cli, of_gofer);
		if (fd < 0)
			return fd;
	}
	if (fstat(fd, &st) == 0 && st.st_ino == user_ns_of(getpid())) {
		close(fd);
		return 0;
	}
	ret->ns_fd = fd;
	return 0;
}

static int write_map(struct cli *cli, pid_t pid, const char *file, const char *what, const struct oci_idmap *m, u32 n)
{
	char path[64], *text = kbuf_alloc(MAP_BYTES);
	struct strbuf sb;
	int fd, r = 0;

	if (!text)
		return err_set(&cli->err, -ENOMEM, "no memory");
	strbuf_fixed(&sb, text, MAP_BYTES);
	for (u32 i = 0; i < n; i++)
		strbuf_printf(&sb, "%u %u %u\n", m[i].inside, m[i].outside, m[i].count);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		r = err_sys(&cli->err, -errno, "%s: %cidMappings: the host's kernel refuses the mappings (do they overlap, or are the host's ids "
		            "not all yours?)", what, file[0]);
	if (fd >= 0)
		close(fd);
	kfree(text);
	return r;
}

int ids_make(struct cli *cli, const char *what, const struct oci_idmaps *m)
{
	pid_t pid = setup_fork(CLONE_NEWUSER, NULL);
	char path[64];
	int fd = -1, r;

	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0)
		return err_sys(&cli->err, pid, "%s: cannot make a user namespace (is user.max_user_namespaces 0?)", what);
	r = write_map(cli, pid, "uid_map", what, m->uid, m->nuid);
	if (r == 0)
		r = write_map(cli, pid, "gid_map", what, m->gid, m->ngid);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	if (r == 0 && (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		r = err_sys(&cli->err, -errno, "%s: cannot open %s", what, path);
	(void)kill(pid, SIGKILL);               /* our child, not yet waited for */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : fd;
}

static bool only_self(const struct oci_idmaps *m)
{
	return m->nuid == 1 && m->uid[0].count == 1 && m->uid[0].outside == geteuid() && m->ngid == 1 && m->gid[0].count == 1 &&
	       m->gid[0].outside == getegid();
}

static int new_or_named(struct cli *cli, const struct oci_spec *s, const char *path, struct ids *ret)
{
	if (*path)
		return join(cli, path, ret);
	ret->ns_fd = ids_make(cli, "linux", &s->ids);
	return MIN(ret->ns_fd, 0);
}

int ids_resolve(struct cli *cli, const struct oci_spec *s, struct ids *ret)
{
	int r = 0;

	for (u32 i = 0; i < s->nns && r == 0; i++) {
		if (strcmp(s->ns[i].type, "user") != 0)
			continue;
		if (geteuid() && only_self(&s->ids))
			continue;               /* as the gofer of another user serves files in any case */
		if (geteuid())
			return err_set(&cli->err, -EPERM, "linux.uidMappings: only root may map other ids than its own; run as root, or "
			               "take \"user\" out of linux.namespaces");
		r = new_or_named(cli, s, s->ns[i].path, ret);
	}
	if (r == 0 && ret->ns_fd >= 0 && cli_overlay_dir(cli))
		return err_set(&cli->err, -ENOTSUP, "--overlay=dir: cannot be used with a user namespace (linux.uidMappings); use "
		               "--overlay=memory, or none");
	return r;
}

int ids_enter(const struct ids *ids, const char **ret_what)
{
	*ret_what = "join the user namespace";
	if (setns(ids->ns_fd, CLONE_NEWUSER) < 0)
		return -errno;
	*ret_what = "set groups";
	if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		return -errno;
	*ret_what = "become root of the user namespace (is id 0 mapped in it?)";
	if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return -errno;
	/* Mounts that this root may change. */
	*ret_what = "make a mount namespace";
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

static const char *read_map(pid_t pid, const char *file)
{
	char path[64], *text = kbuf_alloc(MAP_BYTES);
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		n = read(fd, text, MAP_BYTES - 1);
		close(fd);
	}
	if (n <= 0) {
		kfree(text);
		return NULL;
	}
	text[n] = 0;
	return text;    /* the sentry's for ever; this process ends */
}

void ids_shown(pid_t gofer, struct boot_config *b)
{
	b->uid_map = read_map(gofer, "uid_map");
	b->gid_map = read_map(gofer, "gid_map");
}
