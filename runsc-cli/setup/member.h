/*
 * member.h - a container that is made in the sandbox of another: of a pod, or one whose network it shares.
 *
 * One stack owns the interfaces of a network namespace, so those who share it share a sandbox, as Kubernetes means a pod to be:
 * one kernel, each container with files, a gofer, control groups and a state directory of its own.
 */
#pragma once
#include "runsc-cli/container.h"
#include "sentry/boot/boot.h"

/*
 * Whose sandbox does the bundle belong in?  1: *ret is its first container, open, for container_close(); 0: a new
 * one.  -errno: it names one that cannot take it.
 */
int member_of(struct cli *cli, const struct oci_spec *s, struct container *ret) must_check;
/* CLONE_NEW* of the namespaces that the bundle does not share with that container. */
u32 member_own_ns(const struct oci_spec *s);

/*
 * Fork the member's keeper, a host process whose id is the container's and whose end is its end.  On its end of the sync socket
 * (@cfg->sync_fd, @peer is ours) it behaves as a sentry does: it makes the container after BOOT_SYNC_GO.
 */
pid_t spawn_keeper(struct cli *cli, struct container *c, const struct container *sandbox, const struct boot_config *cfg,
                   int peer, int *ret_pidfd) must_check;
