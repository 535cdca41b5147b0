/*
 * netjoin.h - give a sandbox the network of its container's namespace.
 */
#pragma once
#include "runsc-cli/container.h"
#include "runsc-cli/oci/spec.h"

/*
 * Move links, addresses and routes of the namespace into the sandbox's stack
 * over @sock, a control connection.  0 also when there is nothing to join.
 */
int net_join(struct cli *cli, struct container *c, const struct oci_spec *s, int sock) must_check;
