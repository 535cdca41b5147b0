/*
 * exec_send.h - ask a sandbox to start one more process.
 */
#pragma once
#include "runsc-cli/container.h"

/*
 * @nfds: of them the last @nextra become 3, 4, ...  @op: CTL_EXEC or CTL_HOOK.  The guest's pid, or -errno with the error told.  A second message, CTL_WAIT with a
 * struct ctl_exit, comes over @sock when the process ends; it is killed if @sock is closed before.
 */
int exec_send(struct cli *cli, int sock, u32 op, const struct oci_process *p, const int *fds, size_t nfds,
              u32 nextra) must_check;
