/*
 * spec_sched.c - process.scheduler, ioPriority and execCPUAffinity.
 *
 * The guest sees them (sched_getattr, ioprio_get, sched_getaffinity); the host schedules as it likes.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/str.h"
#include "runsc-cli/oci/spec.h"

#define POLICY_FIFO     1
#define POLICY_RR       2
#define IOPRIO_SHIFT    13

static int parse_policy(const struct jnode *n, struct oci_sched *s)
{
	static const char *const names[] = {
		"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE",
	};
	const char *name = "";
	int r = j_str(n, "policy", &name);
	u32 i = 0;

	if (r < 0)
		return r;
	while (i < ARRAY_SIZE(names) && strcmp(names[i], name) != 0)
		i++;
	if (i == ARRAY_SIZE(names) || i == 4)
		return j_fail(n, -EINVAL, "invalid scheduler policy: \"%.32s\"", name);
	s->policy = i;
	return 0;
}

static int parse_flags(const struct jnode *n, struct oci_sched *s)
{
	const char **v = NULL;
	u32 cnt = 0;
	int r = j_strv(n, "flags", &v, &cnt);

	for (u32 i = 0; i < cnt && r >= 0; i++) {
		if (strcmp(v[i], "SCHED_FLAG_RESET_ON_FORK") == 0)
			s->reset_on_fork = true;
		else
			r = j_fail(n, -EINVAL, "scheduler flag \"%.48s\" has no meaning in a sandbox", v[i]);
	}
	return r < 0 ? r : 0;
}

static int check_scheduler(const struct jnode *n, const struct oci_sched *s)
{
	bool rt = s->policy == POLICY_FIFO || s->policy == POLICY_RR, dl = s->policy == OCI_SCHED_DEADLINE;

	if (rt ? s->prio < 1 || s->prio > 99 : s->prio != 0)
		return j_fail(n, -EINVAL, "scheduler.priority %u: SCHED_FIFO and SCHED_RR have 1 to 99, others 0", s->prio);
	if (!dl && (s->deadline[0] || s->deadline[1] || s->deadline[2]))
		return j_fail(n, -EINVAL, "scheduler runtime/deadline/period can only be specified for SCHED_DEADLINE policy");
	if (dl && (s->deadline[0] < 1024 || s->deadline[0] > s->deadline[1] ||
	           (s->deadline[2] && s->deadline[1] > s->deadline[2]) || (s->deadline[1] | s->deadline[2]) >> 63))
		return j_fail(n, -EINVAL, "scheduler: SCHED_DEADLINE needs 1024 <= runtime <= deadline <= period");
	return 0;
}

static int parse_scheduler(const struct jnode *n, struct oci_sched *s)
{
	struct jnode o;
	s64 nice = 0;
	int r = j_get(n, "scheduler", J_OBJECT, &o);

	if (r <= 0)
		return r;
	r = parse_policy(&o, s);
	if (r == 0)
		r = parse_flags(&o, s);
	if (r == 0)
		r = j_int(&o, "nice", -20, 19, &nice);
	if (r >= 0)
		r = j_u32(&o, "priority", &s->prio);
	if (r >= 0)
		r = j_u64(&o, "runtime", &s->deadline[0]);
	if (r >= 0)
		r = j_u64(&o, "deadline", &s->deadline[1]);
	if (r >= 0)
		r = j_u64(&o, "period", &s->deadline[2]);
	s->nice = (s32)nice;
	s->has_policy = true;
	return r < 0 ? r : check_scheduler(&o, s);
}

static int parse_ioprio(const struct jnode *n, struct oci_sched *s)
{
	static const char *const classes[] = { "", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE" };
	const char *class = "";
	struct jnode o;
	s64 level = 0;
	int r = j_get(n, "ioPriority", J_OBJECT, &o);

	if (r <= 0)
		return r;
	r = j_str(&o, "class", &class);
	if (r >= 0)
		r = j_int(&o, "priority", 0, 7, &level);
	if (r < 0)
		return r;
	for (s32 i = 1; i < (s32)ARRAY_SIZE(classes); i++) {
		if (strcmp(classes[i], class) != 0)
			continue;
		s->ioprio = (i << IOPRIO_SHIFT) | (s32)level;
		s->has_ioprio = true;
		return 0;
	}
	return j_fail(&o, -EINVAL, "ioPriority.class \"%.32s\" is unknown; use IOPRIO_CLASS_BE, _RT or _IDLE", class);
}

/* "0-3,8" into a mask. The guest has 128 CPUs at most: the numbers above are nobody's. */
static bool parse_cpus(const char *text, u64 mask[2])
{
	while (*text) {
		size_t n = strcspn(text, ",");
		const char *dash = memchr(text, '-', n);
		char lo[16], hi[16];
		size_t nlo = dash ? (size_t)(dash - text) : n, nhi = dash ? n - nlo - 1 : n;
		u64 a, b;

		if (nlo >= sizeof(lo) || nhi >= sizeof(hi))
			return false;
		memcpy(lo, text, nlo);
		memcpy(hi, dash ? dash + 1 : text, nhi);
		lo[nlo] = hi[nhi] = 0;
		if (str_to_u64(lo, 10, &a) < 0 || str_to_u64(hi, 10, &b) < 0 || a > b || b > 65535)
			return false;
		for (u64 c = a; c <= b && c < 128; c++)
			mask[c / 64] |= 1ull << (c % 64);
		text += n;
		text += *text == ',' && text[1];
		if (*text == ',')
			return false;
	}
	return true;
}

/* What counts in the end is "final"; "initial" is for the time that runc itself takes. */
static int parse_affinity(const struct jnode *n, struct oci_sched *s)
{
	static const char *const keys[] = { "initial", "final" };
	struct jnode o;
	int r = j_get(n, "execCPUAffinity", J_OBJECT, &o);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *text = "";
		u64 mask[2] = { 0 };

		r = j_str(&o, keys[i], &text);
		if (r < 0)
			return r;
		if (!*text)
			continue;
		if (!parse_cpus(text, mask))
			return j_fail(&o, -EINVAL, "execCPUAffinity.%s \"%.64s\" is no list of CPUs like 0-3,8", keys[i], text);
		memcpy(s->cpus, mask, sizeof(mask));
	}
	return 0;
}

int parse_sched(const struct jnode *n, struct oci_process *p)
{
	int r = parse_scheduler(n, &p->sched);

	if (r == 0)
		r = parse_ioprio(n, &p->sched);
	return r < 0 ? r : parse_affinity(n, &p->sched);
}
