/*
 * kernel.h - the root of the sandbox's object graph.
 *
 * Everything that the guest can observe hangs from one struct kernel, in the
 * arena; there is no other mutable state.  Made by boot, reached through task->kernel.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "sentry/kernel/ns.h"
#include "sentry/kernel/settings.h"
#include "sentry/time/ktime.h"

struct platform;
struct pid_table;
struct cgroup;
struct ktimers;
struct tgroup;
struct task;
struct gofer_conn;
struct futex_table;
struct net_runner;
struct devpts;
struct unix_table;
struct vdso;
struct keys;
struct vfs;
struct super;
struct hostpoll;

struct user_ns;
struct nsset;

struct uts {
	struct ns ns;
	struct mutex mu;                        /* RANK_LEAF: the names; those of the machine are immutable */
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

struct kernel {
	struct platform *platform;              /* immutable */
	ktime_t boot_mono;                      /* host CLOCK_MONOTONIC at start; immutable */
	ktime_t mono_offset, real_offset;       /* added to the host's clocks */
	struct ktimers *timers;                 /* immutable */

	struct mutex mu;                        /* RANK_KERNEL: pids, family tree, sessions, groups */
	struct pid_table *pids;                 /* guarded by mu (pid.c) */
	struct tgroup *init;                    /* guarded by mu: pid 1 */
	struct mutex epoll_nest_mu;             /* RANK_EPOLLNEST: adding an epoll to an epoll */
	u64 epoll_walks;                        /* guarded by it */

	u32 ntasks, max_tasks;                  /* guarded by mu: pids limit */
	struct cgroup_tree {                    /* cgroup.h */
		struct mutex mu;                /* RANK_LEAF */
		struct cgroup *root;            /* immutable */
		u64 last_id;                    /* guarded by mu, like the next two */
		struct list_head progs;         /* cgroup_bpf.h: all that there are */
		u32 last_prog;
		_Atomic u32 attached;           /* how often one is attached to a group; written under mu */
		struct super *_Atomic sb;       /* the one file system of them; NULL: never mounted */
	} cgroups;
	_Atomic u64 nforks;                     /* tasks ever made */
	_Atomic u64 ended_utime, ended_stime;   /* ns, of processes that are gone */

	struct user_ns *user_ns;                /* immutable: the first; a reference */
	struct nsset *nsset;                    /* immutable once boot is done: the first of each kind */
	_Atomic u32 nns[NS_KINDS];              /* namespaces that exist */
	_Atomic u32 ns_max[NS_KINDS];           /* and may: user.max_*_namespaces */
	_Atomic u32 ns_kinds_made;              /* bits: the first of this kind was made */
	_Atomic u64 next_ns;                    /* numbers of namespaces */
	struct futex_table *futexes;            /* immutable */
	struct keys *keys;                      /* ipc/keys.h; immutable */
	struct unix_table *unix_sockets;        /* abstract names (socket/unix.c); immutable */
	struct net_runner *net_runner;          /* the network's thread; NULL without a network */
	struct net_rx *net_rx;                  /* receiving from links: set with receive, before there are tasks */
	const struct receive_ops *receive;      /* how a sleeping task serves the links; NULL without any */
	struct super *shm;                      /* tmpfs of unlinked files: tmpfs/anon.c, set once (atomic) */
	struct devpts *devpts;                  /* immutable */
	struct vdso *vdso;                      /* loader/vdso.c; NULL: guests get none; immutable */
	struct vfs *vfs;                        /* mounts and file locks: vfs_init(), by boot; immutable */
	struct hostpoll *hostpoll;              /* set once under mu: watcher of host descriptors */
	struct mutex mq_mu;                     /* RANK_LEAF */
	struct list_head mq_users;              /* guarded by mq_mu: what queues take (ipc/mqueue_fs.c) */
	struct settings settings;               /* settings.h */
	_Atomic u32 aio_nr;                     /* sizes of all contexts of vfs/aio.c */
	_Atomic u64 next_view;                  /* file.view_key */
	_Atomic u64 next_ino;                   /* anonymous inode numbers */
	_Atomic u32 next_dev;                   /* minor of st_dev for the next super block */

	struct {                                /* loadavg.c */
		struct mutex mu;                /* RANK_LEAF */
		ktime_t at;                     /* guarded by mu: up to when; 0: never asked */
		u64 cpu, avg[3];                /* guarded by mu: CPU time used by then */
	} load;

	struct sigio {                          /* vfs/fasync.h: signals of files on their way */
		struct mutex mu;                /* RANK_LEAF */
		struct list_head queue;         /* guarded by mu */
		_Atomic u32 n;                  /* of queue */
		struct mutex flush_mu;          /* RANK_FPOS: held while they are sent */
		void (*flush)(struct kernel *k);        /* immutable */
	} sigio;

	u32 ncpus;                              /* what the guest is told; immutable */
	_Atomic u64 cpu_quota, cpu_period;      /* us, told in cpu.max, quota 0 = none */
	_Atomic u32 cpu_weight;                 /* likewise told */
	u64 mem_host;                           /* bytes; immutable */
	_Atomic u64 mem_total, mem_limit;       /* bytes: what the guest is told it has, its limit (0 = none) */
	u8 boot_id[16];                         /* immutable */
	bool strace;                            /* immutable: log every call */
	void (*on_init_exit)(struct kernel *k, int wstatus);    /* immutable: boot's */
	void (*on_task_exit)(struct kernel *k, int pid, int wstatus);   /* immutable: exec'd leaders, boot's */
	void *boot;                             /* boot's own state */
};

/*
 * A task that is about to sleep until something comes by the network may do the
 * receiving itself, so that what comes wakes one thread and not two (socket/net_rx.c).
 */
enum { RECEIVE_FRAME = 1, RECEIVE_ALSO = 2 };

struct receive_ops {
	bool (*wanted)(struct kernel *k);               /* would begin() give a ticket? */
	u32 (*frames)(struct kernel *k);                /* how many have come, by whomever they were taken in */
	u32 (*begin)(struct kernel *k);                 /* a ticket; 0: somebody else receives, sleep as usual */
	/* Sleep until a frame is there (RECEIVE_FRAME), @also can be read (RECEIVE_ALSO), poke() (0) or the host's deadline (-ETIMEDOUT). */
	int (*wait)(struct kernel *k, u32 *ticket, s64 host_deadline, hostfd_t also);
	bool (*receive)(struct kernel *k);              /* take in what is there; false: somebody else had better do it */
	void (*end)(struct kernel *k, u32 ticket);
	void (*look)(struct kernel *k);                 /* without a ticket: take in what is there, unless somebody does */
	void (*poke)(struct kernel *k);                 /* from any thread: end wait() */
	void (*asleep)(struct kernel *k, int n);        /* +1, -1: a task sleeps for the network as usual */
};

struct kernel *kernel_new(struct platform *p) must_check;
u64 kernel_next_ino(struct kernel *k);
/* The limit of memory that the guest is told of, 0 = none: at boot, and by `update`. */
void kernel_set_memory(struct kernel *k, u64 limit);
