/*
 * jail.h - how the gofer locks itself in: called once each, single-threaded
 * (jail_enter) and with all threads started (jail_lock).
 */
#pragma once
#include "gofer/gofer.h"
#include "gofer/path.h"

/*
 * An inotify instance for watches_init(), before rights are dropped.  The host counts instances and watches by user, and few of the
 * former: root's gofer makes its own as nobody, so that sandboxes take none from the host's services.  -ENFILE: there is none
 * left, and nothing will be watched; other errors are fatal.
 */
int jail_inotify(void) must_check;

/*
 * Clone the roots' mounts, move into an empty root that holds nothing but a
 * view of this process's own descriptors, close every descriptor that is not
 * in @cfg nor @keep, bound resources, drop capabilities.  Changes the dirfds in @roots; *ret_links is
 * the path of the descriptor directory.
 */
int jail_enter(const struct gofer_config *cfg, struct gofer_root *roots, int keep, const char **ret_links) must_check;

/* Load the seccomp filter of syscall-tables/hostcalls-gofer.def in every thread. */
int jail_lock(const struct fdlinks *links) must_check;
