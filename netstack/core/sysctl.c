/*
 * sysctl.c - settings and counters as text and rows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "netstack/core/reserved.h"
#include "netstack/core/stack.h"
#include "netstack/tcp/cc.h"

struct row {
	const char *name;
	u16 off, n;
	s64 min, max;
	s32 def[3];
};

static const struct row rows[] = {
#define X(path, field, cnt, lo, hi, ...) \
	{ path, offsetof(struct net_sysctl, field), cnt, lo, hi, { __VA_ARGS__ } },
	NET_SYSCTLS(X)
#undef X
};

#define CC_NAME   "ipv4/tcp_congestion_control"
#define CC_AVAIL  "ipv4/tcp_available_congestion_control"
#define CC_ALLOW  "ipv4/tcp_allowed_congestion_control"
#define FO_KEY    "ipv4/tcp_fastopen_key"
#define RESERVED  "ipv4/ip_local_reserved_ports"
#define CT_COUNT  "netfilter/nf_conntrack_count"

void sysctl_init(struct net_sysctl *s)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		memcpy((char *)s + rows[i].off, rows[i].def, rows[i].n * sizeof(s32));
	s->tcp_cc = &cc_cubic;
}

const char *stack_sysctl_name(unsigned i)
{
	static const char *const extra[] = { CC_NAME, CC_AVAIL, CC_ALLOW, FO_KEY, CT_COUNT, RESERVED };

	if (i < ARRAY_SIZE(rows))
		return rows[i].name;
	i -= ARRAY_SIZE(rows);
	return i < ARRAY_SIZE(extra) ? extra[i] : NULL;
}

static const struct row *find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

int stack_sysctl_get(struct stack *s, const char *name, char *buf, size_t cap)
{
	const struct row *r = find(name);
	const s32 *v;
	u32 i;
	int n = 0;

	if (strcmp(name, CC_NAME) == 0)
		return snprintf(buf, cap, "%s\n", s->sysctl.tcp_cc->name) < (int)cap ? 0 : -ENOSPC;
	if (strcmp(name, CC_AVAIL) == 0 || strcmp(name, CC_ALLOW) == 0)
		return snprintf(buf, cap, "reno cubic\n") < (int)cap ? 0 : -ENOSPC;
	if (strcmp(name, FO_KEY) == 0)
		return tfo_key_get(s, buf, cap);
	if (strcmp(name, RESERVED) == 0)
		return reserved_get(s, buf, cap);
	if (strcmp(name, CT_COUNT) == 0)
		return snprintf(buf, cap, "%u\n", nf_conntrack_count(s)) < (int)cap ? 0 : -ENOSPC;
	if (!r)
		return -ENOENT;
	v = (const s32 *)((const char *)&s->sysctl + r->off);
	for (i = 0; i < r->n && n < (int)cap; i++)
		n += snprintf(buf + n, cap - (size_t)n, "%d%c", v[i], i + 1 == r->n ? '\n' : '\t');
	return n < (int)cap ? 0 : -ENOSPC;
}

static int set_cc(struct stack *s, const char *val)
{
	char name[16] = { 0 };
	const struct cc_ops *c;

	if (sscanf(val, "%15s", name) != 1)
		return -EINVAL;
	c = cc_find(name);
	if (!c)
		return -ENOENT;
	s->sysctl.tcp_cc = c;
	return 0;
}

/* What readers without a lock see are whole ints, and whole pairs. */
static void store(s32 *to, const s32 *v, u32 n)
{
	u64 both;

	if (n == 2) {
		memcpy(&both, v, sizeof(both));
		__atomic_store_n((u64 *)(void *)to, both, __ATOMIC_RELAXED);
		return;
	}
	for (u32 i = 0; i < n; i++)
		__atomic_store_n(&to[i], v[i], __ATOMIC_RELAXED);
}

int stack_sysctl_set(struct stack *s, const char *name, const char *val)
{
	const struct row *r = find(name);
	s32 v[3];
	char *end;
	u32 i;

	if (strcmp(name, CC_NAME) == 0)
		return set_cc(s, val);
	if (strcmp(name, FO_KEY) == 0)
		return tfo_key_set(s, val);
	if (strcmp(name, RESERVED) == 0)
		return reserved_set(s, val);
	if (!r)
		return strcmp(name, CC_AVAIL) == 0 || strcmp(name, CC_ALLOW) == 0 || strcmp(name, CT_COUNT) == 0 ?
			       -EACCES : -ENOENT;
	for (i = 0; i < r->n; i++) {
		long long x;

		errno = 0;
		x = strtoll(val, &end, 0);
		if (end == val) {
			if (i == 0)
				return -EINVAL;
			memcpy(&v[i], (char *)&s->sysctl + r->off + i * sizeof(s32), sizeof(s32));
			continue;
		}
		if (x == UINT32_MAX && r->min == -1)    /* Linux writes "no limit" so */
			x = -1;
		if (x < r->min || x > r->max)
			return -EINVAL;
		v[i] = (s32)x;
		val = end;
	}
	if (strcmp(name, "ipv4/ip_local_port_range") == 0 && v[1] < v[0])
		return -EINVAL;
	mutex_lock(&s->cfg_mu);
	store((s32 *)(void *)((char *)&s->sysctl + r->off), v, r->n);
	stack_changed(s);
	mutex_unlock(&s->cfg_mu);
	return 0;
}

int stack_counter(struct stack *s, unsigned i, struct stack_counter *ret)
{
	static const struct { const char *group, *name; } names[] = {
#define X(g, n) { #g, #n },
		NET_MIB(X)
#undef X
	};

	if (i >= MIB_MAX)
		return -ENOENT;
	ret->group = names[i].group;
	ret->name = names[i].name;
	ret->value = atomic_load_explicit(&s->mib.c[i], memory_order_relaxed);
	return 0;
}
