/*
 * cmd_events.c - events: numbers about a container, again and again, and what its memory limit has killed.
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "platform/base/str.h"
#include "runsc-cli/container.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/cgroup.h"
#include "runsc-cli/setup/oom_watch.h"

static void print_stats(struct container *c)
{
	struct json_object *o = json_object_new_object(), *d = json_object_new_object(), *m, *u;
	struct ctl_stats st = { 0 };
	u64 v = 0;

	json_object_object_add(o, "type", json_object_new_string("stats"));
	json_object_object_add(o, "id", json_object_new_string(c->id));
	m = json_object_new_object();
	u = json_object_new_object();
	if (cgroup_read(c, "memory.usage_in_bytes", &v) || cgroup_read(c, "memory.current", &v))
		json_object_object_add(u, "usage", json_object_new_uint64(v));
	if (cgroup_read(c, "memory.limit_in_bytes", &v) || cgroup_read(c, "memory.max", &v))
		json_object_object_add(u, "limit", json_object_new_uint64(v));
	json_object_object_add(m, "usage", u);
	json_object_object_add(d, "memory", m);
	m = json_object_new_object();
	if (container_status(c) == ST_RUNNING && container_call(c, CTL_STATS, NULL, 0, &st, sizeof(st)) >= 0) {
		json_object_object_add(m, "current", json_object_new_uint64(st.ntasks));
		if (st.max_tasks)
			json_object_object_add(m, "limit", json_object_new_uint64(st.max_tasks));
	}
	json_object_object_add(d, "pids", m);
	m = json_object_new_object();
	u = json_object_new_object();
	if (cgroup_read(c, "cpuacct.usage", &v))
		json_object_object_add(u, "total", json_object_new_uint64(v));
	json_object_object_add(m, "usage", u);
	json_object_object_add(d, "cpu", m);
	json_object_object_add(o, "data", d);
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	json_object_put(o);
}

/* As Go writes durations, of one part: 5s, 100ms, 1m; a bare number is of seconds. */
static int parse_interval(struct cli *cli, const char *s, u64 *ret_ms)
{
	static const struct { const char *unit; u64 ms; } units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
	};
	size_t n = strspn(s, "0123456789");
	char digits[10];
	u64 v;

	snprintf(digits, sizeof(digits), "%.*s", (int)MIN(n, sizeof(digits) - 1), s);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(s + n, units[i].unit) == 0 && n < sizeof(digits) && str_to_u64(digits, 10, &v) == 0 && v > 0) {
			*ret_ms = MIN(v * units[i].ms, (u64)INT32_MAX);
			return 0;
		}
	return cli_usage(cli, "--interval: \"%s\" is no duration like 5s or 100ms", s);
}

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

static void print_oom(struct container *c)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("oom"));
	json_object_object_add(o, "id", json_object_new_string(c->id));
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	json_object_put(o);
}

/* Let @ms go by, or until the container ends; tell of what is killed meanwhile. */
static void pass(struct container *c, struct oom_watch *w, u64 ms)
{
	struct pollfd p[2] = { { .fd = proc_pidfd(&c->sentry), .events = POLLIN }, { .fd = w->fd, .events = POLLIN } };
	u64 end = now_ms() + ms, now;
	int r = 0;

	while (p[0].fd >= 0 && (now = now_ms()) < end) {
		r = poll(p, 2, (int)(end - now));
		if ((r < 0 && errno != EINTR) || (r > 0 && p[0].revents))
			break;
		if (r > 0 && p[1].revents && oom_watch_fired(w))
			print_oom(c);
	}
	if (p[0].fd >= 0)
		close(p[0].fd);
}

int cmd_events(struct cli *cli, int argc, char **argv)
{
	const char *interval = "5s";
	bool stats = false;
	const struct opt opts[] = {
		{ "stats", 0, OPT_FLAG, &stats, NULL, "print once and leave" },
		{ "interval", 0, OPT_STR, &interval, "SECONDS", "how often (5s)" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	struct oom_watch w;
	struct container c;
	const char *id;
	u64 ms;
	int r = opts_parse(cli, opts, argc, argv, "events [options] CONTAINER-ID");

	if (r < 0)
		return r;
	id = opts_id(cli, argc, argv, r);
	if (!id)
		return -EINVAL;
	r = parse_interval(cli, interval, &ms);
	if (r < 0)
		return r;
	r = container_open(cli, id, false, &c);
	if (r < 0)
		return r;
	if (container_status(&c) == ST_STOPPED)
		r = err_set(&cli->err, -ESRCH, "container with id %s is not running", id);
	oom_watch_open(cli, &c, &w);
	while (r == 0 && proc_alive(&c.sentry)) {
		print_stats(&c);
		if (stats)
			break;
		pass(&c, &w, ms);
	}
	oom_watch_close(&w);
	container_close(&c);
	return r;
}
