/*
 * upper.h - --overlay=dir=PATH: the host directory in which a sandbox keeps what it writes.
 *
 * PATH/upper and PATH/work are the upper and work directories of a Linux overlay with the option userxattr:
 * whiteouts are character devices 0:0, opaque directories have user.overlay.opaque = "y".  PATH is
 * locked (flock) by the gofer for as long as it lives, so two sandboxes never write to one.
 * What lies below upper comes from sandboxes: it is never walked here.
 */
#pragma once
#include "runsc-cli/setup/roots.h"

/* Check and lock PATH, make what is missing in it, and add it to @roots (v[0] is there). 0 or -errno with the error set. */
int upper_prepare(struct cli *cli, struct roots *roots) must_check;
