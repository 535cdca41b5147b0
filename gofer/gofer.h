/*
 * gofer.h - the entry point of the gofer: the only process that opens the
 * container's files on the host.
 *
 * The launcher, for every gofer:
 *   1. forks (or clones) a single-threaded child into its own mount, pid, net, ipc and uts
 *      namespaces, in the user namespace whose root owns the container's files, with the arena
 *      (alloc_init) already made; it is root there;
 *   2. in that child opens the roots *in the new mount namespace* as
 *      O_PATH | O_DIRECTORY | O_CLOEXEC descriptors (a file is fine for a bind mount of a file);
 *      symlinks in their names have been resolved safely by the launcher;
 *   3. makes the sockets with gofer_sockets() beforehand and gives one half to each side;
 *   4. calls gofer_main(), which does the rest: clones the roots' mounts, an empty root by
 *      pivot_root, closes every other descriptor, drops capabilities to those needed for files, sets
 *      no_new_privs and rlimits, starts one thread a control socket, loads the
 *      seccomp filter, and serves until the sentry has closed its sockets.
 *
 * With @jail false (unit tests) only the serving is done.
 */
#pragma once
#include "platform/base/compiler.h"

#define GOFER_MAX_ROOTS 64
#define GOFER_MAX_CTL   8
#define GOFER_CTL       4               /* control sockets that gofer_sockets() makes */

struct gofer_root {
	int dirfd;
	bool readonly;                  /* every change is refused here, whatever the sentry says */
};

struct gofer_config {
	const struct gofer_root *roots;
	int nroots;
	int inval_fd;                   /* SOCK_SEQPACKET: invalidations, gofer to sentry */
	int ctl_fds[GOFER_MAX_CTL];     /* SOCK_SEQPACKET: requests and replies */
	int nctl;
	int log_fd;                     /* -1: none */
	int hold_fd;                    /* kept open and never used: a lock goes when the gofer does; -1: none */
	bool jail;
	u32 max_nodes;                  /* 0 = default: inodes held for the client */
};

/* Never returns when all is well: the process exits 0 once the sentry is gone. -errno if it could not start. */
int gofer_main(const struct gofer_config *cfg) must_check;

/*
 * Socket pairs, close-on-exec: [0] of each is the sentry's half, [1] the gofer's.
 * Pair 0 carries invalidations, the others control.  0 or -errno.
 */
int gofer_sockets(int pairs[][2], int n) must_check;
