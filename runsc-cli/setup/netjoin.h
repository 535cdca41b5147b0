/*
 * netjoin.h - give a sandbox the network of its container's namespace.
 */
#pragma once
#include "runsc-cli/container.h"
#include "runsc-cli/oci/spec.h"

/* May the bundle have the network that it asks for?  Told at creation: engines show it. */
int net_check(struct cli *cli, const struct oci_spec *s) must_check;
/* The network namespace that the bundle names, opened; -1: none, the host's, or no right to enter it. */
int net_named(const struct oci_spec *s);
/*
 * Move links, addresses and routes of the namespace into the sandbox's stack
 * over @sock, a control connection; or give it a broker of host sockets.  0 also when there is nothing to join.
 */
int net_join(struct cli *cli, struct container *c, const struct oci_spec *s, int sock) must_check;
