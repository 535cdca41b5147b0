/*
 * netbroker.h - host sockets for a sandbox: --network=host.
 */
#pragma once
#include "runsc-cli/container.h"
#include "runsc-cli/oci/spec.h"

/*
 * Start a broker in the network namespace @ns (-1: the host's) and give its socket to the sandbox over @ctl, a control
 * connection.  It ends with the sandbox.
 */
int netbroker_start(struct cli *cli, struct container *c, const struct oci_spec *s, int ns, int ctl) must_check;
