/*
 * sys.c - /proc/sys: values that Linux shows and lets a container set.
 *
 * Values are constants or live in struct kernel; a store that Linux would refuse
 * in a container is absent from the mode bits.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/rand.h"
#include "platform/base/str.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include <linux/capability.h>

enum uts_field { UTS_SYSNAME, UTS_RELEASE, UTS_VERSION, UTS_NODE, UTS_DOMAIN };

static char *uts_at(struct uts *u, enum uts_field f)
{
	switch (f) {
	case UTS_SYSNAME:
		return u->sysname;
	case UTS_RELEASE:
		return u->release;
	case UTS_VERSION:
		return u->version;
	case UTS_NODE:
		return u->nodename;
	default:
		return u->domainname;
	}
}

static int show_uts(struct task *t, enum uts_field f, struct strbuf *out)
{
	mutex_lock(&task_uts(t)->mu);
	strbuf_printf(out, "%s\n", uts_at(task_uts(t), f));
	mutex_unlock(&task_uts(t)->mu);
	return 0;
}

#define SHOW_UTS(fn, f) \
	static int fn(struct task *t, struct pseudo_node *n, struct strbuf *out) \
	{ (void)n; return show_uts(t, f, out); }
SHOW_UTS(show_ostype, UTS_SYSNAME)
SHOW_UTS(show_osrelease, UTS_RELEASE)
SHOW_UTS(show_osversion, UTS_VERSION)
SHOW_UTS(show_hostname, UTS_NODE)
SHOW_UTS(show_domainname, UTS_DOMAIN)

static int store_uts(struct task *t, enum uts_field f, char *text, size_t len)
{
	if (!ns_capable(t, task_uts(t)->ns.owner, CAP_SYS_ADMIN))
		return -EPERM;
	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	mutex_lock(&task_uts(t)->mu);
	str_copy(uts_at(task_uts(t), f), 65, text);
	mutex_unlock(&task_uts(t)->mu);
	return 0;
}

static int store_hostname(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	(void)n;
	return store_uts(t, UTS_NODE, text, len);
}

static int store_domainname(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	(void)n;
	return store_uts(t, UTS_DOMAIN, text, len);
}

static void put_uuid(struct strbuf *out, const u8 *b)
{
	for (int i = 0; i < 16; i++)
		strbuf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	strbuf_putc(out, '\n');
}

static int show_boot_id(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	put_uuid(out, t->kernel->boot_id);
	return 0;
}

static int show_uuid(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	u8 b[16];

	(void)t;
	(void)n;
	rand_bytes(b, sizeof(b));
	b[6] = (u8)((b[6] & 0x0f) | 0x40);
	b[8] = (u8)((b[8] & 0x3f) | 0x80);
	put_uuid(out, b);
	return 0;
}

static int show_aio_nr(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	strbuf_printf(out, "%u\n", atomic_load(&t->kernel->aio_nr));
	return 0;
}

static int show_threads_max(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	u32 now, max;

	(void)n;
	pid_count(t->kernel, &now, &max);
	strbuf_printf(out, "%u\n", max ? max : 32768);
	return 0;
}

static int show_ipc(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	return ipc_setting_show(task_ipc_ns(t), n->e->name, out);
}

static int store_ipc(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	(void)len;
	return ipc_setting_store(t, task_ipc_ns(t), n->e->name, text);
}

static int show_setting(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	return setting_show(&t->kernel->settings, n->e->name, out);
}

static int store_setting(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	(void)len;
	return setting_store(&t->kernel->settings, n->e->name, text);
}

static int show_core_pattern(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	char text[CORE_PATTERN_MAX];

	(void)n;
	core_pattern_get(&t->kernel->settings, text);
	strbuf_printf(out, "%s\n", text);
	return 0;
}

static int store_core_pattern(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	(void)n;
	return core_pattern_set(&t->kernel->settings, text, len);
}

/* Mode bits are the last word here: no capability overrides them. Root is the first namespace's. */
static int sysctl_permission(struct task *t, struct pseudo_node *n, int mask)
{
	u32 bits = task_cred(t)->euid == 0 ? n->e->mode >> 6 : n->e->mode;

	return (u32)mask & ~bits & 7 ? -EACCES : 0;
}

/* What belongs to a namespace is for its root to change. */
static int ipc_permission(struct task *t, struct pseudo_node *n, int mask)
{
	u32 bits = user_ns_is_root(ipc_owner(task_ipc_ns(t)), task_cred(t)->euid) ? n->e->mode >> 6 : n->e->mode;

	return (u32)mask & ~bits & 7 ? -EACCES : 0;
}

static int max_permission(struct task *t, struct pseudo_node *n, int mask)
{
	u32 bits = capable(t, CAP_SYS_RESOURCE) ? n->e->mode >> 6 : n->e->mode;

	return (u32)mask & ~bits & 7 ? -EACCES : 0;
}

#define SYSCTL(nm, bits) .name = nm, .mode = S_IFREG | (bits), .permission = sysctl_permission
#define SETTING(nm) { SYSCTL(nm, 0644), .show = show_setting, .store = store_setting }
#define IPC(nm) { .name = nm, .mode = S_IFREG | 0644, .permission = ipc_permission, .show = show_ipc, .store = store_ipc }
#define ROW(nm, fn) { SYSCTL(nm, 0444), .show = fn }
#define TEXT(nm, tx) { SYSCTL(nm, 0444), .text = tx "\n" }
#define DIR(nm, d) { .name = nm, .mode = S_IFDIR | 0555, .dir = &d }
#define DIR_OF(e) { .entries = e, .n = ARRAY_SIZE(e) }

static const struct pseudo_entry random_entries[] = {
	ROW("boot_id", show_boot_id), TEXT("entropy_avail", "256"), TEXT("poolsize", "256"),
	TEXT("urandom_min_reseed_secs", "60"), ROW("uuid", show_uuid), TEXT("write_wakeup_threshold", "256"),
};
static const struct pseudo_dir random_dir = DIR_OF(random_entries);

static const struct pseudo_entry pty_entries[] = { TEXT("max", "4096"), TEXT("nr", "0"), TEXT("reserve", "1024") };
static const struct pseudo_dir pty_dir = DIR_OF(pty_entries);
static const struct pseudo_entry seccomp_entries[] = {
	TEXT("actions_avail", "kill_process kill_thread trap errno user_notif trace log allow"),
};
static const struct pseudo_dir seccomp_dir = DIR_OF(seccomp_entries);
static const struct pseudo_entry yama_entries[] = { TEXT("ptrace_scope", "0") };
static const struct pseudo_dir yama_dir = DIR_OF(yama_entries);

static const struct pseudo_entry keys_entries[] = {
	SETTING("gc_delay"), SETTING("maxbytes"), SETTING("maxkeys"), SETTING("root_maxbytes"), SETTING("root_maxkeys"),
};
static const struct pseudo_dir keys_dir = DIR_OF(keys_entries);

static const struct pseudo_entry kernel_entries[] = {
	TEXT("cap_last_cap", "40"), 
	{ SYSCTL("core_pattern", 0644), .show = show_core_pattern, .store = store_core_pattern },
	SETTING("core_uses_pid"),
	{ SYSCTL("domainname", 0644), .show = show_domainname, .store = store_domainname },
	TEXT("dmesg_restrict", "1"),
	{ SYSCTL("hostname", 0644), .show = show_hostname, .store = store_hostname },
	DIR("keys", keys_dir),
	TEXT("kptr_restrict", "1"), IPC("msg_next_id"), IPC("msgmax"), IPC("msgmnb"), IPC("msgmni"),
	TEXT("ngroups_max", "65536"), ROW("osrelease", show_osrelease), ROW("ostype", show_ostype),
	TEXT("overflowgid", "65534"), TEXT("overflowuid", "65534"), TEXT("perf_event_paranoid", "3"),
	TEXT("pid_max", "32768"), TEXT("printk", "4\t4\t1\t7"), DIR("pty", pty_dir), DIR("random", random_dir),
	TEXT("randomize_va_space", "2"), TEXT("sched_child_runs_first", "0"), DIR("seccomp", seccomp_dir),
	IPC("sem"), IPC("sem_next_id"), IPC("shm_next_id"), IPC("shmall"), IPC("shmmax"), IPC("shmmni"),
	TEXT("shm_rmid_forced", "0"),
	TEXT("sysrq", "0"), TEXT("tainted", "0"), ROW("threads-max", show_threads_max),
	TEXT("unprivileged_bpf_disabled", "2"), ROW("version", show_osversion), DIR("yama", yama_dir),
};
static const struct pseudo_dir kernel_dir = DIR_OF(kernel_entries);

static const struct pseudo_entry inotify_entries[] = {
	SETTING("max_queued_events"), SETTING("max_user_instances"), SETTING("max_user_watches"),
};
static const struct pseudo_dir inotify_dir = DIR_OF(inotify_entries);
static const struct pseudo_entry mqueue_entries[] = {
	IPC("msg_default"), IPC("msg_max"), IPC("msgsize_default"), IPC("msgsize_max"), IPC("queues_max"),
};
static const struct pseudo_dir mqueue_dir = DIR_OF(mqueue_entries);
static const struct pseudo_entry epoll_entries[] = { TEXT("max_user_watches", "1048576") };
static const struct pseudo_dir epoll_dir = DIR_OF(epoll_entries);

static const struct pseudo_entry fs_entries[] = {
	TEXT("aio-max-nr", "65536"), ROW("aio-nr", show_aio_nr),
	TEXT("dentry-state", "0\t0\t45\t0\t0\t0"), SETTING("dir-notify-enable"), DIR("epoll", epoll_dir), TEXT("file-max", "9223372036854775807"),
	TEXT("file-nr", "0\t0\t9223372036854775807"), TEXT("inode-nr", "0\t0"), TEXT("inode-state", "0\t0\t0\t0\t0\t0\t0"),
	DIR("inotify", inotify_dir), SETTING("lease-break-time"), SETTING("leases-enable"),
	TEXT("mount-max", "100000"), DIR("mqueue", mqueue_dir), TEXT("nr_open", "1048576"),
	TEXT("overflowgid", "65534"), TEXT("overflowuid", "65534"), TEXT("pipe-max-size", "1048576"),
	TEXT("pipe-user-pages-hard", "0"), TEXT("pipe-user-pages-soft", "16384"), TEXT("protected_hardlinks", "1"),
	TEXT("protected_symlinks", "1"), TEXT("protected_fifos", "0"), TEXT("protected_regular", "0"),
	TEXT("suid_dumpable", "0"),
};
static const struct pseudo_dir fs_dir = DIR_OF(fs_entries);

static const struct pseudo_entry vm_entries[] = {
	TEXT("dirty_background_ratio", "10"), TEXT("dirty_ratio", "20"), TEXT("drop_caches", "0"),
	TEXT("max_map_count", "65530"), TEXT("mmap_min_addr", "65536"), TEXT("nr_hugepages", "0"),
	TEXT("overcommit_memory", "0"), TEXT("overcommit_ratio", "50"), TEXT("panic_on_oom", "0"),
	TEXT("swappiness", "60"), TEXT("vfs_cache_pressure", "100"),
};
static const struct pseudo_dir vm_dir = DIR_OF(vm_entries);

/* How many there may be of the kind that the file is named after; never more than at first. */
static _Atomic u32 *ns_max_of(struct task *t, struct pseudo_node *n)
{
	const char *name = n->e->name + strlen("max_");

	for (int i = 0; i < NS_KINDS; i++)
		if (str_starts(name, ns_name(i)) && name[strlen(ns_name(i))] == '_')
			return &t->kernel->ns_max[i];
	return NULL;
}

static int show_ns_max(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	strbuf_printf(out, "%u\n", atomic_load(ns_max_of(t, n)));
	return 0;
}

static int store_ns_max(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	u64 v;

	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	if (!capable(t, CAP_SYS_RESOURCE))
		return -EPERM;
	if (str_to_u64(text, 10, &v) < 0 || v > INT32_MAX)
		return -EINVAL;
	atomic_store(ns_max_of(t, n), MIN((u32)v, ns_max_of(t, n) == &t->kernel->ns_max[NS_NET] ? NS_NET_MAX : NS_MAX));
	return 0;
}

#define NS_MAX_ROW(nm) { .name = nm, .mode = S_IFREG | 0644, .permission = max_permission, .show = show_ns_max, .store = store_ns_max }
static const struct pseudo_entry user_entries[] = {
	NS_MAX_ROW("max_cgroup_namespaces"), NS_MAX_ROW("max_ipc_namespaces"), NS_MAX_ROW("max_mnt_namespaces"),
	NS_MAX_ROW("max_net_namespaces"), NS_MAX_ROW("max_pid_namespaces"), NS_MAX_ROW("max_user_namespaces"),
	NS_MAX_ROW("max_uts_namespaces"),
};
static const struct pseudo_dir user_dir = DIR_OF(user_entries);

static const struct pseudo_entry sys_entries[] = {
	DIR("fs", fs_dir), DIR("kernel", kernel_dir), DIR("net", proc_sys_net_dir), DIR("user", user_dir), DIR("vm", vm_dir),
};
const struct pseudo_dir proc_sys_dir = DIR_OF(sys_entries);
