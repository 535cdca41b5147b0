/*
 * sys_misc.c - names of the system, its state, random numbers, and calls that run natively.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/reboot.h>
#include <signal.h>
#include <linux/membarrier.h>
#include <linux/random.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/sysinfo.h>

#include "platform/base/rand.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/loadavg.h"
#include "sentry/kernel/sysinfo.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

#define GRND_KNOWN (GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)
#define NEW_UTS_LEN 64

long sys_uname(struct task *t, const struct sysargs *a)
{
	char buf[6][65];

	uts_get(task_uts(t), buf);
	if ((t->personality & PER_MASK) == PER_LINUX32)
		(void)str_copy(buf[4], sizeof(buf[4]), "i686");
	return copy_out(t, arg_addr(a, 0), buf, sizeof(buf));
}

static long set_uts(struct task *t, const struct sysargs *a, bool domain)
{
	char name[NEW_UTS_LEN + 1] = { 0 };
	int len = arg_s32(a, 1);

	if (!ns_capable(t, task_uts(t)->ns.owner, CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > NEW_UTS_LEN)
		return -EINVAL;
	if (copy_in(t, name, arg_addr(a, 0), (size_t)len) < 0)
		return -EFAULT;
	uts_set(task_uts(t), domain, name);
	return 0;
}

long sys_sethostname(struct task *t, const struct sysargs *a)
{
	return set_uts(t, a, false);
}

long sys_setdomainname(struct task *t, const struct sysargs *a)
{
	return set_uts(t, a, true);
}

long sys_sysinfo(struct task *t, const struct sysargs *a)
{
	struct sysinfo si = { 0 };
	struct sys_totals s = sys_totals(t->kernel);
	struct sys_memory m = sys_memory(t->kernel, &s);
	u64 load[3];

	si.uptime = (long)((ktime_boot(t->kernel) + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
	si.totalram = m.total;
	si.freeram = m.free;
	si.sharedram = m.shmem;
	si.procs = (unsigned short)MIN(s.tasks, 65535u);
	si.mem_unit = 1;
	loadavg_get(t->kernel, 0, load);
	for (int i = 0; i < 3; i++)
		si.loads[i] = load[i] * (65536 / LOAD_ONE);
	return copy_out(t, arg_addr(a, 0), &si, sizeof(si));
}

long sys_getrandom(struct task *t, const struct sysargs *a)
{
	size_t n = MIN(arg_size(a, 1), (size_t)INT32_MAX), done = 0;
	u32 flags = arg_u32(a, 2);
	u8 buf[1024];

	if ((flags & ~(u32)GRND_KNOWN) ||
	    (flags & (GRND_INSECURE | GRND_RANDOM)) == (GRND_INSECURE | GRND_RANDOM))
		return -EINVAL;
	while (done < n) {
		size_t want = MIN(n - done, sizeof(buf)), put;

		rand_bytes(buf, want);
		put = copy_out_some(t, gaddr_add(arg_addr(a, 0), done), buf, want);
		done += put;
		if (put < want)
			break;
		if (done >= 4096 && signal_pending(t))
			break;
	}
	explicit_bzero(buf, sizeof(buf));
	return done == 0 && n > 0 ? -EFAULT : (long)done;
}

/* Barriers run natively; those for rseq come here. */
long sys_membarrier(struct task *t unused_ok, const struct sysargs *a unused_ok)
{
	return -EINVAL;
}

/* As in any pid namespace but a host's: its init ends, by a signal that tells whether it is to come back. */
long sys_reboot(struct task *t, const struct sysargs *a)
{
	u32 magic2 = arg_u32(a, 1);

	if (!ns_capable(t, t->tg->pid_ns->ns.owner, CAP_SYS_BOOT))
		return -EPERM;
	if (arg_u32(a, 0) != LINUX_REBOOT_MAGIC1 || (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
	    magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	switch (arg_u32(a, 2)) {
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
		pid_ns_end(t->tg->pid_ns, SIGHUP);
		break;
	case LINUX_REBOOT_CMD_POWER_OFF:
	case LINUX_REBOOT_CMD_HALT:
		pid_ns_end(t->tg->pid_ns, SIGINT);
		break;
	default:
		return -EINVAL;
	}
	task_exit(t, 0);
	return 0;
}

/* The kernel's log is empty: its size is 0, and there is nothing to read. */
long sys_syslog(struct task *t, const struct sysargs *a)
{
	int type = arg_s32(a, 0);

	if (type != 10 && type != 3 && !capable(t, CAP_SYSLOG) && !capable(t, CAP_SYS_ADMIN))
		return -EPERM;
	switch (type) {
	case 2:
	case 3:
	case 4:
		return !arg_addr(a, 1).v || arg_s32(a, 2) < 0 ? -EINVAL : 0;
	case 8:
		return arg_s32(a, 2) < 1 || arg_s32(a, 2) > 8 ? -EINVAL : 0;
	}
	return type >= 0 && type <= 10 ? 0 : -EINVAL;
}
