/*
 * ctl.h - the control socket: how the command line talks to a sandbox.
 *
 * Each container has a socket of its own: what is asked there is about its processes.
 * One SOCK_SEQPACKET connection; each message is a struct ctl_hdr and its
 * payload, each request gets one reply with the same op (EXEC and WAIT get a second
 * when the process ends).  The command line is trusted by the sentry but may be of another
 * build, so the header carries a version and every size is checked.  The command line
 * believes nothing that a reply claims beyond its size.
 */
#pragma once
#include "platform/base/compiler.h"
#include "platform/host/xdp.h"

enum ctl_op {
	CTL_NONE,
#define CTL(name, what, req, reply) CTL_##name,
#include "runsc-cli/ctl/ctl.def"
#undef CTL
	CTL_COUNT
};

#define CTL_MAGIC   0x35427363u         /* changes with every incompatible change below */
#define CTL_MAX     (4u << 20)          /* bytes of a message */
#define CTL_MAX_FDS 72
#define CTL_EXTRA_FDS 60            /* of --preserve-fds */

struct ctl_hdr { u32 magic; u32 op; s32 result; u32 len; };     /* result: 0 or -errno; in requests 0 */

struct ctl_state { u32 started; s32 init_pid; };
struct ctl_signal { s32 pid; s32 sig; u32 all; u32 pad; };      /* pid 0: the first process */
struct ctl_pid { s32 pid; };
struct ctl_proc { s32 pid, host; };             /* host: its process, as the sentry's pid namespace numbers it */
struct ctl_exit { s32 pid; s32 wstatus; };
struct ctl_winsize { s32 pid; u16 rows, cols; };
struct ctl_stats { u64 mem_bytes, ntasks, max_tasks, mem_limit, uptime_ns; };
/* Limits that are new; those not in @set stay. 0 in max_tasks, mem_limit, cpu_quota: none. */
enum { LIMIT_TASKS = 1, LIMIT_MEM = 2, LIMIT_QUOTA = 4, LIMIT_PERIOD = 8, LIMIT_WEIGHT = 16 };
struct ctl_limits { u32 set, cpu_weight; u64 max_tasks, mem_limit, cpu_quota, cpu_period; };

/* An interface of the container's namespace on its way into the sandbox. Addresses: IPv4 as ::ffff:a.b.c.d. */
#define CTL_LINK_ADDRS  16
#define CTL_LINK_ROUTES 32
struct ctl_addr { u8 ip[16], brd[16]; u32 flags; u8 family, plen, scope, pad; };
struct ctl_route { u8 dst[16], gw[16]; u32 metric; u8 family, plen, scope, has_gw; };
enum { CTL_LINK_FD, CTL_LINK_XDP };     /* packet socket, TAP or macvtap; AF_XDP socket */
struct ctl_link {
	char name[16];
	u8 mac[6], kind, pad;
	u32 ifindex, mtu, naddrs, nroutes;
	struct ctl_addr addrs[CTL_LINK_ADDRS];
	struct ctl_route routes[CTL_LINK_ROUTES];
	struct xdp_layout xdp;          /* with CTL_LINK_XDP */
};

/* Between sandbox and resolver (setup/resolver.c): one packet a query or answer, this and then the DNS message. */
#define DNS_MAX 65535u
struct dns_hdr { u32 id, tcp; };

/* How it is scheduled, as the guest sees it; what @set does not name is Linux's default. */
#define CTL_SCHED_POLICY   1u           /* policy, prio, reset_on_fork, nice, deadline */
#define CTL_SCHED_IOPRIO   2u
struct ctl_sched {
	u32 set, policy, prio, reset_on_fork;
	s32 nice, ioprio;
	u64 deadline[3];                        /* ns: runtime, deadline, period */
	u64 cpus[2];                            /* 0: all */
};

/* What a process of the guest starts with: from config.json, `exec`, or exec's message. */
#define CTL_RLIMITS 16
struct ctl_process {
	u32 uid, gid, umask;
	u32 ngroups;
	u64 cap_bnd, cap_eff, cap_inh, cap_prm, cap_amb;
	u32 rlim_set;                           /* bit per RLIMIT_* */
	u32 tty;                                /* 1: a terminal comes with it */
	u64 rlim_soft[CTL_RLIMITS], rlim_hard[CTL_RLIMITS];
	s32 oom_score_adj;
	u32 no_new_privs;
	u16 rows, cols;                         /* 0 = not given */
	u32 nextra;                             /* descriptors 3, 4, ... that come with it */
	struct ctl_sched sched;
	u32 argc, envc;
	u32 *groups;
	u32 personality;                        /* PER_* */
	char *cwd, **argv, **envp;              /* NULL-terminated */
	char *program;                          /* "": argv[0] names it */
};

/* Bytes written to buf[cap] (cap 0: only counted), or -E2BIG. */
long ctl_process_pack(const struct ctl_process *p, void *buf, size_t cap) must_check;
/*
 * Everything is copied out of @buf into one allocation, *ret_mem, for kfree().
 * 0, -EINVAL (malformed) or -ENOMEM.
 */
int ctl_process_unpack(const void *buf, size_t n, struct ctl_process *ret, void **ret_mem) must_check;

/* ---- one end of a connection (conn.c) ---- */
/* Send one message with descriptors.  0 or -errno. */
int ctl_send(int sock, u32 op, s32 result, const void *payload, size_t n, const int *fds, size_t nfds) must_check;
/*
 * Receive one.  *ret_payload (kfree) has *ret_hdr.len bytes; descriptors beyond those wanted are closed,
 * missing ones are -1.  0; -EAGAIN (with MSG_DONTWAIT in @flags); -EPIPE at the end; -EPROTO if it is no message of ours.
 */
int ctl_recv(int sock, int flags, struct ctl_hdr *ret_hdr, void **ret_payload, int fds[CTL_MAX_FDS],
             size_t *ret_nfds) must_check;
