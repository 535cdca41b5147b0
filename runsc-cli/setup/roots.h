/*
 * roots.h - the host directories and files that the gofer will serve.
 *
 * Names are resolved here once, to a canonical name and an inode; the gofer opens the
 * canonical name in its own mount namespace following no symlink, and refuses
 * another inode: whoever swaps a directory for a symlink in between gets an error, not the host.
 */
#pragma once
#include <limits.h>
#include <sys/types.h>
#include "runsc-cli/cli.h"
#include "runsc-cli/oci/spec.h"
#include "runsc-cli/setup/ids.h"

#define ROOTS_MAX 64

struct root_src {
	char path[PATH_MAX];            /* canonical */
	dev_t dev;
	ino_t ino;
	bool readonly, is_dir;
	int idmap;                      /* the user namespace whose ids its files get, or -1 */
	bool idmap_rec;                 /* those of mounts below it, too */
};

struct roots {
	struct root_src v[ROOTS_MAX];   /* [0] is the root file system */
	u32 n;
	int of_mount[1024];             /* by index into spec->mounts; -1 = no bind */
	int upper;                      /* index of --overlay=dir's (upper.h), or -1 */
	int lock_fd;                    /* and what holds its lock, or -1: for the gofer to keep */
	struct ids ids;                 /* as whom they are served */
};

/* Closes what it has opened. */
void roots_done(struct roots *r);
int roots_resolve(struct cli *cli, const struct oci_spec *s, const char *bundle, struct roots *ret) must_check;
/* mountpoints.c: in a read-only root, which the sandbox cannot change. */
void mountpoints_make(const struct oci_spec *s, const struct roots *roots);
/* In the gofer: an O_PATH descriptor of what was resolved, or -errno (-EXDEV: it is something else now). */
int roots_open(const struct root_src *r) must_check;
