/*
 * procs.h - the launcher's children: the gofer and the sentry, each jailed before it does anything.
 */
#pragma once
#include "runsc-cli/setup/roots.h"
#include "sentry/boot/boot.h"

/* Fork the gofer, which serves @roots over the gofer's half of the sockets. */
pid_t spawn_gofer(struct cli *cli, const struct roots *roots, int socks[][2], int nsocks, int log_fd) must_check;

/*
 * Fork the sentry.  It waits for BOOT_SYNC_MAPPED on its end of the sync socket (@cfg->sync_fd),
 * jails itself, waits for BOOT_SYNC_GO and calls boot_main().  It lives in the network namespace @netns, which others
 * find by its pid (pods), or with -1 in an empty one of its own; it can make no socket in either.
 */
pid_t spawn_sentry(struct cli *cli, const struct boot_config *cfg, int netns, int *ret_pidfd) must_check;
/* Map the sentry's one id. */
int map_sentry_ids(struct cli *cli, pid_t pid) must_check;

#define SENTRY_ID 65534                 /* inside its user namespace and, for root, outside */
