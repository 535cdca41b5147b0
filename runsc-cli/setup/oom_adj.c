/* oom_adj.c - see oom_adj.h. */
#include "runsc-cli/setup/oom_adj.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SENTRY_BYTES (8ll << 20)        /* a busy sentry's own, roughly */
#define ADJ_MAX      1000
#define LEAD_MAX     100                /* stubs of one sandbox are not worth that much less than another's */

/* The kernel counts a thousandth of the limit for each point: of the group's that ran out, or of all there is. */
s32 oom_adj_stub(const struct oci_resources *r, s32 adj)
{
	s64 lead = r->mem_limit > 0 ? SENTRY_BYTES * ADJ_MAX / r->mem_limit + 1 : 1;

	return (s32)MIN(adj + MIN(lead, (s64)LEAD_MAX), (s64)ADJ_MAX);
}

int oom_adj_set(pid_t pid, s32 adj)
{
	char path[64] = "/proc/self/oom_score_adj", text[16];
	int fd, r = 0;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	snprintf(text, sizeof(text), "%d", adj);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

s32 oom_adj_take(struct cli *cli, const struct oci_spec *s)
{
	s32 want = s->process.oom_score_adj, have = 0;
	FILE *f;

	if (s->process.has_oom_score_adj && oom_adj_set(0, want) < 0)
		cli_note(cli, "process.oomScoreAdj: the host does not let us give %d; the container keeps the caller's", want);
	f = fopen("/proc/self/oom_score_adj", "re");
	if (f && fscanf(f, "%d", &have) != 1)
		have = 0;
	if (f)
		fclose(f);
	return have;
}
