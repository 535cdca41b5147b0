/*
 * cmd_doctor.c - doctor: what this host lacks, and how to get it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/str.h"
#include "runsc-cli/cli.h"
#include "runsc-cli/setup/cgroup_files.h"
#include "runsc-cli/setup/sys.h"

struct checkup { u32 bad; };

static void tell(struct checkup *d, bool good, const char *what, const char *fix)
{
	printf("%-4s %s\n", good ? "ok" : "BAD", what);
	if (!good) {
		printf("     fix: %s\n", fix);
		d->bad++;
	}
}

static bool kernel_at_least(unsigned major, unsigned minor)
{
	struct utsname u;
	unsigned a = 0, b = 0;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &a, &b) == 2 && (a > major || (a == major && b >= minor));
}

/* In a child: the filter stays on whoever installs it. */
static bool try_notify(unsigned flags)
{
	int status;
	pid_t pid = setup_fork(0, NULL);

	if (pid == 0) {
		struct sock_filter f[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
		struct sock_fprog p = { .len = 1, .filter = f };

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(1);
		_exit(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &p) < 0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool try_userns(u64 flags)
{
	int status;
	pid_t pid = setup_fork(flags, NULL);

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool try_process_vm(void)
{
	int x = 42, y = 0;
	struct iovec l = { &y, sizeof(y) }, r = { &x, sizeof(x) };

	return process_vm_readv(getpid(), &l, 1, &r, 1, 0) == sizeof(x) && y == 42;
}

static u64 sysctl(const char *file)
{
	char text[64];
	u64 v = 0;

	if (cg_read("/proc/sys", file, text, sizeof(text)) <= 0 || str_to_u64(text, 10, &v) < 0)
		return UINT64_MAX;
	return v;
}

static void check_cgroups(struct checkup *d)
{
	struct cg_mount m[16];
	size_t n = cg_mounts(m, ARRAY_SIZE(m)), v1 = 0;
	char what[128];

	for (size_t i = 0; i < n; i++)
		v1 += !m[i].v2;
	snprintf(what, sizeof(what), "control groups: %zu v1 hierarchies, %s", v1, n > v1 ? "v2" : "no v2");
	tell(d, n > 0, what, "mount -t cgroup2 none /sys/fs/cgroup; without it limits and pause do not work");
}

int cmd_doctor(struct cli *cli, int argc, char **argv)
{
	const struct opt opts[] = { { NULL, 0, 0, NULL, NULL, NULL } };
	struct checkup d = { 0 };
	struct utsname u;
	char what[256];
	int r = opts_parse(cli, opts, argc, argv, "doctor");

	if (r < 0)
		return r;
	uname(&u);
	snprintf(what, sizeof(what), "kernel %s (5.19 or newer is needed)", u.release);
	tell(&d, kernel_at_least(5, 19), what, "boot a newer kernel");
	tell(&d, try_notify(0), "seccomp user notification", "a kernel with CONFIG_SECCOMP_FILTER, outside a sandbox that forbids seccomp(2)");
	tell(&d, try_notify(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), "seccomp WAIT_KILLABLE_RECV", "boot Linux 5.19 or newer");
	tell(&d, try_userns(CLONE_NEWUSER), "user namespaces",
	     "sysctl user.max_user_namespaces=15000 (and kernel.unprivileged_userns_clone=1 on Debian without root)");
	tell(&d, try_userns(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS),
	     "pid, mount, network, ipc and uts namespaces", "raise user.max_{pid,mnt,net,ipc,uts}_namespaces");
	tell(&d, try_process_vm(), "process_vm_readv", "allow process_vm_readv(2) in the filter that this process runs under");
	tell(&d, sysctl("kernel/yama/ptrace_scope") == UINT64_MAX || sysctl("kernel/yama/ptrace_scope") < 3,
	     "Yama lets a parent read its children's memory", "sysctl kernel.yama.ptrace_scope=1");
	tell(&d, sysctl("vm/max_map_count") >= 65530, "vm.max_map_count at least 65530", "sysctl vm.max_map_count=65530");
	tell(&d, sysctl("vm/overcommit_memory") != 2, "vm.overcommit_memory is not 2", "sysctl vm.overcommit_memory=0; the arena reserves 64 GiB of addresses");
	check_cgroups(&d);
	tell(&d, geteuid() == 0, "running as root", "run as root, or as root of a user namespace (podman without root makes one); else only `do` and `run` work, without control groups");
	printf(d.bad ? "%u of these need attention\n" : "everything is there\n", d.bad);
	return d.bad ? 1 : 0;
}
