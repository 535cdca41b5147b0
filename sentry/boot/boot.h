/*
 * boot.h - what a sandbox is made of, and the entry of its sentry process.
 *
 * The launcher fills in a boot_config and forks; the sentry reads it in the memory it has
 * inherited, so nothing is serialised.  boot_main() runs in the process that
 * the launcher has already jailed: own namespaces, empty root, no capability, only
 * the descriptors named here.  It does not return while the sandbox lives; the process's exit
 * status is that of the container's first process (128 + n after signal n).
 */
#pragma once
#include "platform/base/compiler.h"

struct ctl_process;

#define BOOT_GOFER_CTL 4

struct boot_mount {
	const char *dest, *type, *source, *data;
	u32 flags;                      /* MNT_* of sentry/vfs/vfs.h */
	int root;                       /* bind: index of the gofer's root; else -1 */
	bool is_dir;                    /* bind: of a directory */
	u32 propagation;                /* BOOT_PROP(); 0: as it comes */
	bool copy_up;                   /* tmpfs: it begins with what it covers */
};

/* 1 + a type as mount_set_propagation() counts them, and for all below it too. */
#define BOOT_PROP(type, rec) ((u32)(type) + 1 + ((rec) ? 0x10u : 0))
#define BOOT_PROP_MAX 0x14u

struct boot_device {
	const char *path;
	char type;                      /* c b p */
	u32 major, minor, mode, uid, gid;
};

struct boot_pair { const char *key, *value; };

/* How the sentry and the launcher talk on sync_fd: one packet each, a letter first. */
#define BOOT_SYNC_MAPPED 'M'            /* to the sentry: ids are mapped */
#define BOOT_SYNC_JAILED 'J'            /* to the launcher: all namespaces are made */
#define BOOT_SYNC_GO     'G'            /* to the sentry: it is in its control groups, fork the zygote */
#define BOOT_SYNC_READY  'R'            /* to the launcher: waiting for start */
#define BOOT_SYNC_ERROR  'E'            /* to the launcher: text follows; the sentry exits */
#define BOOT_SYNC_COMMIT 'C'            /* to the sentry: the container exists now.  The end instead: exit */

struct boot_config {
	const char *id, *hostname, *domainname, *cgroup_path;
	const char *platform;
	bool strace, root_readonly, overlay;
	u32 root_propagation;           /* BOOT_PROP() */
	int upper_root;                 /* overlay: index of the gofer's root that keeps the writes; -1: in memory */
	struct ctl_process *process;
	struct boot_mount *mounts;
	u32 nmounts;
	struct boot_device *devices;
	u32 ndevices;
	struct boot_pair *sysctl;
	u32 nsysctl;
	const char **masked, **readonly;
	u32 nmasked, nreadonly;
	const struct sock_filter *seccomp;      /* linux.seccomp as BPF; nseccomp 0: none */
	u32 nseccomp;
	u64 mem_limit, pids_limit;      /* 0 = none */
	u32 ncpus;                      /* at most; the launcher's child lowers it to those that it may run on */
	u64 cpu_quota, cpu_period;      /* us; quota 0 = none.  For the guest's cpu.max only */
	u32 cpu_weight;                 /* of control groups v2 */
	const char *uid_map, *gid_map;  /* text of what /proc/self/uid_map shows; NULL: every id is itself */
	u32 own_ns;                     /* member: CLONE_NEW* of what it does not share with the first container */

	/* Descriptors, all inherited. */
	int sync_fd;
	int ctl_fd;                     /* listening SOCK_SEQPACKET */
	int stdio[3];                   /* with a terminal: -1 */
	int tty_fd;                     /* slave of the host's pair, or -1 */
	int *extra;                     /* process->nextra descriptors that become 3, 4, ... */
	int gofer_inval, gofer_ctl[BOOT_GOFER_CTL];
	int log_fd;                     /* -1 = none */
};

int boot_main(const struct boot_config *cfg);

/*
 * pack.c: a member's description for CTL_MEMBER, without its descriptors (nor what only the first container decides:
 * platform, strace, limits).  Bytes written to buf[cap] (buf NULL: only counted), or -E2BIG.
 */
long boot_config_pack(const struct boot_config *c, void *buf, size_t cap) must_check;
/* All sizes are checked.  *ret points into the two allocations, for kfree().  0, -EINVAL or -ENOMEM. */
int boot_config_unpack(const void *buf, size_t n, struct boot_config *ret, struct ctl_process *ret_process,
                       void **ret_mem, void **ret_process_mem) must_check;

/* Descriptors that go with CTL_MEMBER, in this order; 3 standard files or 1 terminal follow, then the process's further ones. */
enum { MEMBER_FD_LISTEN, MEMBER_FD_INVAL, MEMBER_FD_CTL, MEMBER_FD_STDIO = MEMBER_FD_CTL + BOOT_GOFER_CTL };
