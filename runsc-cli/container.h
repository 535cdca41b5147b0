/*
 * container.h - a container as the host sees it: a directory of state, and processes.
 *
 * ROOT/ID/ holds state.json (written by rename, so it is whole or absent), config.json (as it was
 * at creation), ctl.sock and lock.  Whoever changes a container holds the lock.  Processes are
 * named by pid and start time and only ever signalled through a pidfd, so a reused
 * number is never hit.
 */
#pragma once
#include <sys/types.h>
#include "runsc-cli/cli.h"
#include "runsc-cli/oci/spec.h"

#define CGROUP_MAX 16

struct proc_id { s32 pid; u64 start; };         /* start time in ticks, /proc/PID/stat field 22 */

enum status { ST_CREATING, ST_CREATED, ST_RUNNING, ST_PAUSED, ST_STOPPED };

struct container {
	struct pool pool;
	const char *id, *root;
	int dirfd, lockfd;                      /* -1 = none */
	/* state.json */
	const char *bundle, *rootfs, *created, *owner;
	struct proc_id sentry, gofer;           /* sentry: of a member, its keeper (setup/member.h) */
	const char *sandbox;                    /* member: id of the container whose sandbox it is in; else "" */
	struct proc_id host;                    /* member: the process of that sandbox */
	u64 netns;                              /* inode of the network namespace whose links it took; 0 = none */
	struct jpair *annotations;
	u32 nannotations;
	const char *cgroups[CGROUP_MAX];        /* directories that we made, deepest of each hierarchy */
	u32 ncgroups;
	const char *scope;                      /* systemd's unit that the group belongs to; "" = none */
};

int container_check_id(struct cli *cli, const char *id) must_check;
/* A new state directory, locked.  -EEXIST if there is one. */
int container_new(struct cli *cli, const char *id, struct container *ret) must_check;
/* Open an existing one, without and with its lock.  -ENOENT. */
int container_open(struct cli *cli, const char *id, bool lock, struct container *ret) must_check;
int container_save(struct cli *cli, struct container *c) must_check;
/* Read config.json as kept in the state directory. */
int container_spec(struct cli *cli, struct container *c, struct oci_spec *ret) must_check;
int container_keep_spec(struct cli *cli, struct container *c, const char *file) must_check;
void container_remove_dir(struct container *c);
void container_close(struct container *c);

/* The process of its sandbox. */
const struct proc_id *container_host(const struct container *c);
enum status container_status(struct container *c);
const char *status_name(enum status s);
/* The state for `state` and hooks, as JSON text (kfree). */
char *container_state_json(struct container *c, const char *status, s32 pid) must_check;
/*
 * Stop or continue every process of the sandbox. 0 or -errno.  The freezer of
 * the control groups cannot do it: it waits for ever for a thread that waits for the sentry.
 */
int container_stop(struct container *c, bool stop) must_check;

/* Connect to the control socket: a descriptor, or -errno (-ECONNREFUSED, -ENOENT: the sandbox is gone; -ETIMEDOUT). */
int container_connect(struct container *c) must_check;
/*
 * One request, one reply.  The reply's result (>= 0), or -errno.  *ret_payload may be NULL.
 */
int container_call(struct container *c, u32 op, const void *req, size_t n, void *ret, size_t ret_n) must_check;

/* Process identities. */
int proc_id_of(pid_t pid, struct proc_id *ret) must_check;
char proc_state(const struct proc_id *p);                /* the letter of ps; 0 if it is gone */
bool proc_alive(const struct proc_id *p);               /* and not a zombie */
int proc_pidfd(const struct proc_id *p) must_check;     /* -ESRCH if it is another or gone */
int proc_kill(const struct proc_id *p, int sig);
/* Wait until it is gone. 0 or -ETIMEDOUT. */
int proc_wait_gone(const struct proc_id *p, int timeout_ms) must_check;
