/*
 * cmd_update.c - update: change limits of a container.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "platform/base/str.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/container.h"
#include "runsc-cli/setup/cgroup.h"

static int number(struct cli *cli, const char *name, const char *text, s64 *ret)
{
	u64 scale = 1, n;
	char digits[32];
	size_t len;

	if (!text)
		return 0;
	len = strlen(text);
	if (len && len < sizeof(digits)) {
		static const char units[] = "bkmgt";
		const char *u;
		char last;

		memcpy(digits, text, len + 1);
		last = (char)tolower((unsigned char)digits[len - 1]);
		if (last >= 'a' && (u = strchr(units, last))) {
			scale <<= 10 * (u - units);
			digits[len - 1] = 0;
		}
		if (strcmp(digits, "-1") == 0) {
			*ret = -1;
			return 0;
		}
		if (str_to_u64(digits, 10, &n) == 0 && !mul_overflows(n, scale, &n) && n <= INT64_MAX) {
			*ret = (s64)n;
			return 0;
		}
	}
	return cli_usage(cli, "--%s: \"%s\" is no number", name, text);
}

/* The file of -r: a linux.resources object; read as part of a whole one. */
static int resources_file(struct cli *cli, const char *file, struct oci_spec *s)
{
	static char text[65536];
	int n = snprintf(text, sizeof(text), "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/\"},\"linux\":{\"resources\":");
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	size_t got;

	if (!f)
		return err_sys(&cli->err, -errno, "--resources: cannot open %s", file);
	got = fread(text + n, 1, sizeof(text) - (size_t)n - 3, f);
	if (f != stdin)
		fclose(f);
	memcpy(text + n + got, "}}", 2);
	return spec_parse(s, file, text, (size_t)n + got + 2, &cli->err);
}

/* @v as a limit that is new in *@to; 0 and what was not given change nothing, and below 0 is none. */
static u32 news(s64 v, u32 bit, u64 *to)
{
	if (v == RES_UNSET || v == 0)
		return 0;
	*to = v > 0 ? (u64)v : 0;
	return bit;
}

/*
 * The sentry counts the guest's tasks and shows it the other limits. A paused one learns it when it goes on: no reply
 * comes before.  Only the first is a limit of the sentry's own, and not told an error.
 */
static int tell_sentry(struct cli *cli, struct container *c, const struct oci_resources *res)
{
	struct ctl_limits l = { .cpu_weight = cgroup_weight(res->cpu_shares) };
	enum status st = container_status(c);
	int r, sock;

	l.set = news(res->pids_limit, LIMIT_TASKS, &l.max_tasks) | news(res->mem_limit, LIMIT_MEM, &l.mem_limit) |
	        news(res->cpu_quota, LIMIT_QUOTA, &l.cpu_quota);
	if (res->cpu_period > 0)
		l.set |= news(res->cpu_period, LIMIT_PERIOD, &l.cpu_period);
	if (res->cpu_shares > 0)
		l.set |= LIMIT_WEIGHT;
	if (!l.set || st == ST_STOPPED || st == ST_CREATING)
		return 0;
	if (st == ST_PAUSED) {
		r = sock = container_connect(c);
		if (sock >= 0) {
			r = ctl_send(sock, CTL_LIMITS, 0, &l, sizeof(l), NULL, 0);
			close(sock);
		}
	} else {
		r = container_call(c, CTL_LIMITS, &l, sizeof(l), NULL, 0);
	}
	if (r == -ESRCH || r == -ECONNREFUSED || r == -EPIPE || !(l.set & LIMIT_TASKS))
		return 0;
	return r < 0 ? err_sys(&cli->err, r, "cannot change the pids limit of container \"%s\"", c->id) : 0;
}

int cmd_update(struct cli *cli, int argc, char **argv)
{
	const char *file = NULL, *mem = NULL, *res = NULL, *swap = NULL, *shares = NULL, *quota = NULL, *period = NULL,
	           *pids = NULL, *cpus = NULL, *mems = NULL, *weight = NULL, *burst = NULL, *idle = NULL, *rtp = NULL, *rtr = NULL;
	const struct opt opts[] = {
		{ "resources", 'r', OPT_STR, &file, "FILE", "JSON of linux.resources; - is stdin" },
		{ "memory", 0, OPT_STR, &mem, "BYTES", "memory limit" },
		{ "memory-reservation", 0, OPT_STR, &res, "BYTES", "soft limit" },
		{ "memory-swap", 0, OPT_STR, &swap, "BYTES", "memory and swap" },
		{ "cpu-share", 0, OPT_STR, &shares, "N", "weight" },
		{ "cpu-quota", 0, OPT_STR, &quota, "US", "time a period" },
		{ "cpu-period", 0, OPT_STR, &period, "US", "length of a period" },
		{ "cpu-burst", 0, OPT_STR, &burst, "US", "burst" },
		{ "cpu-idle", 0, OPT_STR, &idle, "0|1", "idle policy" },
		{ "cpu-rt-period", 0, OPT_STR, &rtp, "US", "realtime: length of a period" },
		{ "cpu-rt-runtime", 0, OPT_STR, &rtr, "US", "realtime: time a period" },
		{ "cpuset-cpus", 0, OPT_STR, &cpus, "LIST", "processors" },
		{ "cpuset-mems", 0, OPT_STR, &mems, "LIST", "memory nodes" },
		{ "pids-limit", 0, OPT_STR, &pids, "N", "number of processes" },
		{ "blkio-weight", 0, OPT_STR, &weight, "N", "I/O weight" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	static const char nothing[] = "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/\"}}";
	struct oci_spec s;
	struct container c;
	const char *id;
	int r = opts_parse(cli, opts, argc, argv, "update [options] CONTAINER-ID");

	if (r < 0)
		return r;
	id = opts_id(cli, argc, argv, r);
	if (!id)
		return -EINVAL;
	r = file ? resources_file(cli, file, &s)
	         : spec_parse(&s, "update", nothing, sizeof(nothing) - 1, &cli->err);
	if (r < 0)
		return r;
	r = container_open(cli, id, true, &c);
	if (r == 0) {
		const struct { const char *name, *text; s64 *dst; } n[] = {
			{ "memory", mem, &s.res.mem_limit }, { "memory-reservation", res, &s.res.mem_reservation },
			{ "memory-swap", swap, &s.res.mem_swap }, { "cpu-share", shares, &s.res.cpu_shares },
			{ "cpu-quota", quota, &s.res.cpu_quota }, { "cpu-period", period, &s.res.cpu_period },
			{ "cpu-burst", burst, &s.res.cpu_burst }, { "cpu-idle", idle, &s.res.cpu_idle },
			{ "pids-limit", pids, &s.res.pids_limit }, { "blkio-weight", weight, &s.res.blkio_weight },
			{ "cpu-rt-period", rtp, &s.res.rt_period }, { "cpu-rt-runtime", rtr, &s.res.rt_runtime },
		};

		for (size_t i = 0; i < ARRAY_SIZE(n) && r == 0; i++)
			r = number(cli, n[i].name, n[i].text, n[i].dst);
		if (cpus)
			s.res.cpus = cpus;
		if (mems)
			s.res.mems = mems;
		if (r == 0)
			r = cgroup_update(cli, &c, &s.res);
		if (r == 0)
			r = tell_sentry(cli, &c, &s.res);
		container_close(&c);
	}
	spec_done(&s);
	return r;
}
