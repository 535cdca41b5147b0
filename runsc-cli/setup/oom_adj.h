/*
 * oom_adj.h - whom the host kills first when memory runs out: process.oomScoreAdj for every process of a sandbox.
 *
 * Engines start us with a value that protects their shim; a container that kept it would let the host kill others for what its guest
 * uses.  Stubs hold the guest's memory and get a little more than their sentry, whose end is the end of all: its zygotes inherit
 * the sentry's value before that is lowered.  Source: proc_pid_oom_score_adj(5).
 */
#pragma once
#include <sys/types.h>
#include "runsc-cli/cli.h"
#include "runsc-cli/oci/spec.h"

/* Give us, and so whoever is forked from now on, what @s says, if it may be given (lowering needs CAP_SYS_RESOURCE). What we have then. */
s32 oom_adj_take(struct cli *cli, const struct oci_spec *s) must_check;
/* A stub's, of a container that has @adj: as much more as outweighs a sentry's own memory within the container's limit. */
s32 oom_adj_stub(const struct oci_resources *r, s32 adj) must_check;
/* Give it to @pid, 0: us. 0 or -errno. */
int oom_adj_set(pid_t pid, s32 adj);
