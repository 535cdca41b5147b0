/*
 * resolver.h - the helper that asks the engine's DNS server for a sandbox.
 */
#pragma once
#include "runsc-cli/container.h"
#include "runsc-cli/oci/spec.h"

/*
 * If the container's resolv.conf names 127.0.0.11, start a helper in the network namespace @ns and give its socket to
 * the sandbox over @sock, a control connection.  It ends with the sandbox.  0 also when there is nothing to do.
 */
int resolver_start(struct cli *cli, struct container *c, const struct oci_spec *s, int ns, int sock) must_check;
