/*
 * cgroup.h - the host's control groups around a sandbox's processes, v1 and v2.
 *
 * Whatever layout there is is taken as it is: each mounted hierarchy gets
 * the container's directory if it can be made, limits are written where their file
 * exists, and what cannot be done is a warning, never a failure.  The directories made are
 * kept in struct container, so that delete removes exactly those.
 */
#pragma once
#include "runsc-cli/container.h"

/* Which directories @s->cgroups_path means: saved before they are made, so that a killed launcher leaves none. */
int cgroup_name(struct cli *cli, struct container *c, const struct oci_spec *s) must_check;
/* Make those and write the limits. 0 or -errno (a malformed path). */
int cgroup_create(struct cli *cli, struct container *c, const struct oci_spec *s) must_check;
/* Move a process into all of them. */
void cgroup_join(struct cli *cli, struct container *c, pid_t pid);
/* Write limits (update). */
void cgroup_limit(struct cli *cli, struct container *c, const struct oci_resources *r);
/* Kill what is left inside and remove the directories. */
void cgroup_remove(struct cli *cli, struct container *c);
/* A number from a file of one of the directories; false if there is none. */
bool cgroup_read(struct container *c, const char *file, u64 *ret);
/* Pids inside, at most @cap; the number. */
size_t cgroup_pids(struct container *c, s32 *ret, size_t cap);
