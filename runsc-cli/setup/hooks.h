/*
 * hooks.h - run the bundle's hooks: programs of the host, with the container's state on stdin.
 */
#pragma once
#include "runsc-cli/container.h"

/* Run all of one kind in order; the first failure ends it with the error set. */
int hooks_run(struct cli *cli, struct container *c, const struct oci_spec *s, enum oci_hook_kind kind,
              const char *status) must_check;
/* startContainer hooks: inside the sandbox, as children of the first process, which does not run yet. */
int hooks_run_inside(struct cli *cli, struct container *c, const struct oci_spec *s) must_check;
