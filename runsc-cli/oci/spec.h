/*
 * spec.h - config.json (OCI runtime specification 1.0-1.2) as C structs.
 *
 * spec_load() reads and checks everything that can be checked without touching the
 * bundle; spec_validate() then looks at the bundle.  All pointers point into the spec's pool.
 * What csandbox accepts and ignores is listed in spec_linux.c.
 */
#pragma once
#include "runsc-cli/oci/json.h"
#include "runsc-cli/oci/seccomp.h"

#define OCI_RLIMITS 16
#define OCI_NGROUPS_MAX 65536
#define OCI_VERSION "1.1.0"

struct oci_rlimit { bool set; u64 soft, hard; };

#define OCI_SCHED_DEADLINE 6
/* scheduler, ioPriority, execCPUAffinity */
struct oci_sched {
	bool has_policy, has_ioprio, reset_on_fork;
	u32 policy, prio;                       /* SCHED_* of Linux */
	s32 nice, ioprio;                       /* ioprio: as ioprio_set(2) has it */
	u64 deadline[3];                        /* ns: runtime, deadline, period */
	u64 cpus[2];                            /* 0: not given */
};

struct oci_process {
	bool terminal;
	u32 console_height, console_width;      /* 0 = not given */
	const char *cwd;
	const char **args, **env;               /* NULL-terminated */
	u32 nargs, nenv;
	u32 uid, gid, umask;                    /* umask: 0022 if not given */
	u32 *groups, ngroups;
	u64 cap_bnd, cap_eff, cap_inh, cap_prm, cap_amb;
	struct oci_rlimit rlimits[OCI_RLIMITS]; /* by RLIMIT_* */
	bool no_new_privs;
	s32 oom_score_adj;
	bool has_oom_score_adj;
	struct oci_sched sched;
	u32 personality;                        /* PER_* of Linux */
	const char *program;                    /* NULL: args[0] names it */
};

/* Mount options that are not data for the file system. */
#define OCI_MNT_RDONLY      0x01
#define OCI_MNT_NOSUID      0x02
#define OCI_MNT_NODEV       0x04
#define OCI_MNT_NOEXEC      0x08
#define OCI_MNT_NOATIME     0x10
#define OCI_MNT_RELATIME    0x20
#define OCI_MNT_NODIRATIME  0x40
#define OCI_MNT_NOSYMFOLLOW 0x80
#define OCI_MNT_BIND        0x100
#define OCI_MNT_REC         0x200
#define OCI_MNT_TMPCOPYUP   0x400
#define OCI_MNT_IDMAP       0x800
#define OCI_MNT_IDMAP_REC   0x10000     /* with the mounts below it */
/* Propagation: one of these, OCI_PROP_REC beside it; 0: none was named. */
#define OCI_PROP_PRIVATE    0x1000
#define OCI_PROP_SHARED     0x2000
#define OCI_PROP_SLAVE      0x3000
#define OCI_PROP_UNBINDABLE 0x4000
#define OCI_PROP_REC        0x8000
#define OCI_PROP_MASK       0xf000

struct oci_idmap { u32 inside, outside, count; };       /* ids of the container (mount: of its files), of the host */
struct oci_idmaps {
	struct oci_idmap *uid, *gid;
	u32 nuid, ngid;
};

struct oci_mount {
	const char *destination, *type, *source;        /* type "" for binds */
	const char *data;                               /* comma-separated, maybe "" */
	u32 flags;                                      /* OCI_MNT_* */
	struct oci_idmaps ids;                          /* OCI_MNT_IDMAP: empty: those of the container */
};

struct oci_device {
	const char *path;
	char type;                              /* c b p */
	u32 major, minor, mode, uid, gid;
};

struct oci_hook {
	const char *path;
	const char **args, **env;               /* NULL: {path}, that of the runtime as under runc */
	u32 nargs, nenv;
	u32 timeout;                            /* seconds; 0 = none */
};

enum oci_hook_kind {
	HOOK_PRESTART, HOOK_CREATE_RUNTIME, HOOK_CREATE_CONTAINER, HOOK_START_CONTAINER, HOOK_POSTSTART, HOOK_POSTSTOP,
	HOOK_KINDS
};
extern const char *const oci_hook_names[HOOK_KINDS];

struct oci_hooks { struct oci_hook *v; u32 n; };

/* Limits for the host's cgroups.  Absent numbers are RES_UNSET. */
#define RES_UNSET INT64_MIN
enum oci_blk { BLK_WEIGHT, BLK_READ_BPS, BLK_WRITE_BPS, BLK_READ_IOPS, BLK_WRITE_IOPS };
struct oci_blk_limit { enum oci_blk kind; u32 major, minor; s64 value; };       /* of one block device */
struct oci_huge { const char *size; u64 limit; };                               /* "2MB"; bytes */

struct oci_resources {
	s64 mem_limit, mem_reservation, mem_swap, pids_limit;
	s64 cpu_shares, cpu_quota, cpu_period, cpu_burst, cpu_idle, blkio_weight, rt_period, rt_runtime;
	const char *cpus, *mems;                /* or NULL */
	struct jpair *unified;
	u32 nunified;
	struct oci_blk_limit *blk;
	struct oci_huge *huge;
	u32 nblk, nhuge;
};

struct oci_ns { const char *type, *path; };     /* path "" = a new one */

struct oci_spec {
	struct pool pool;
	const char *version;
	struct oci_process process;
	bool has_process;
	const char *root_path;
	u32 root_propagation;                   /* OCI_PROP_* */
	bool root_readonly;
	const char *hostname, *domainname;      /* "" if not given */
	struct oci_mount *mounts;
	u32 nmounts;
	struct oci_hooks hooks[HOOK_KINDS];
	struct jpair *annotations;
	u32 nannotations;
	struct jpair *sysctl;
	u32 nsysctl;
	const char *cgroups_path;               /* "" if not given */
	struct oci_resources res;
	bool has_res;
	struct oci_ns *ns;
	u32 nns;
	struct oci_idmaps ids;
	struct oci_device *devices;
	u32 ndevices;
	const char **masked, **readonly;
	u32 nmasked, nreadonly;
	struct oci_seccomp *seccomp;            /* or NULL */
	const char *ignored[16];                /* keys present, accepted and without effect */
	u32 nignored;
};

int spec_load(struct oci_spec *s, const char *file, struct err *err) must_check;
int spec_parse(struct oci_spec *s, const char *file, const char *text, size_t n, struct err *err) must_check;
void spec_done(struct oci_spec *s);
/* The file of `exec --process`: a process object alone. */
int spec_load_process(struct pool *pool, const char *file, struct oci_process *ret, struct err *err) must_check;
/* Checks against the bundle directory (rootfs there, bind sources there). */
int spec_validate(const struct oci_spec *s, const char *bundle, struct err *err) must_check;

/* ---- pieces (spec_process.c spec_sched.c spec_mounts.c spec_linux.c spec_idmap.c spec_resources.c spec_hooks.c) ---- */
int parse_process(const struct jnode *n, struct oci_process *ret) must_check;
int parse_sched(const struct jnode *n, struct oci_process *p) must_check;
int parse_mounts(const struct jnode *root, struct oci_spec *s) must_check;
int parse_hooks(const struct jnode *root, struct oci_spec *s) must_check;
int parse_linux(const struct jnode *root, struct oci_spec *s) must_check;
int parse_idmaps(const struct jnode *lin, struct oci_spec *s) must_check;       /* after the namespaces */
int parse_mount_idmaps(const struct jnode *n, struct oci_mount *m) must_check;   /* after the options */
int parse_resources(const struct jnode *lin, struct oci_spec *s) must_check;
void spec_ignore(struct oci_spec *s, const char *key);
/* -1 if unknown. */
int cap_by_name(const char *name);
const char *cap_name(int cap);                  /* NULL if unknown */
int rlimit_by_name(const char *name);
u32 mount_option_names(const char **ret, u32 cap);      /* for `features` */
int mount_propagation(const char *name, u32 *ret) must_check;      /* OCI_PROP_* by the name of the option; -EINVAL */
#define OCI_CAP_LAST 40
