/*
 * helper.h - a process beside the sandbox that does one narrow thing for it: fork, jail, hand over.
 */
#pragma once
#include "runsc-cli/container.h"
#include "platform/host/seccomp.h"

struct helper {
	const char *name;                       /* of the process, and in errors */
	u32 op;                                 /* CTL_*: how the sandbox is given its end of the socket */
	int ns;                                 /* network namespace, or -1: the caller's */
	u64 caps;                               /* what it keeps */
	const struct hc_row *calls;             /* all that it may do on the host */
	size_t ncalls;
	void (*main)(int sock);                 /* never returns; leaves when the socket ends */
};

/* Start @h and give the sandbox its socket over @ctl, a control connection.  It ends with the sandbox. */
int helper_start(struct cli *cli, struct container *c, const struct helper *h, int ctl) must_check;
