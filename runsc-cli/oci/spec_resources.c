/*
 * spec_resources.c - linux.resources: numbers for the host's control groups.
 *
 * Only read here; setup/cgroup_limit.c knows the files.  A number that is absent stays RES_UNSET.  Accepted without effect: devices (no
 * host device is behind any node), network, rdma, kernel memory, swappiness and the OOM killer's switch.
 */
#include <errno.h>
#include <string.h>
#include "runsc-cli/oci/spec.h"

#define BLK_MAX  256            /* limits of devices */
#define HUGE_MAX 16

static int parse_cpu(const struct jnode *res, struct oci_resources *r_)
{
	struct jnode n;
	int r = j_get(res, "cpu", J_OBJECT, &n);

	if (r <= 0)
		return r;
	r = j_int(&n, "shares", 0, INT64_MAX, &r_->cpu_shares);
	if (r >= 0)
		r = j_int(&n, "quota", -1, INT64_MAX, &r_->cpu_quota);
	if (r >= 0)
		r = j_int(&n, "period", 0, INT64_MAX, &r_->cpu_period);
	if (r >= 0)
		r = j_int(&n, "burst", 0, INT64_MAX, &r_->cpu_burst);
	if (r >= 0)
		r = j_int(&n, "idle", 0, 1, &r_->cpu_idle);
	if (r >= 0)
		r = j_int(&n, "realtimePeriod", 0, INT64_MAX, &r_->rt_period);
	if (r >= 0)
		r = j_int(&n, "realtimeRuntime", -1, INT64_MAX, &r_->rt_runtime);
	if (r >= 0)
		r = j_str(&n, "cpus", &r_->cpus);
	if (r >= 0)
		r = j_str(&n, "mems", &r_->mems);
	return r < 0 ? r : 0;
}

/* One list of blockIO, of @kind. */
static int parse_blk(const struct jnode *bio, const char *list, const char *key, enum oci_blk kind, struct oci_resources *res)
{
	struct jnode a, e;
	int r = j_get(bio, list, J_ARRAY, &a);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < j_count(&a); i++) {
		struct oci_blk_limit *b = &res->blk[res->nblk];
		s64 value = RES_UNSET;

		if (res->nblk == BLK_MAX)
			return j_fail(&a, -E2BIG, "more than %d limits of devices", BLK_MAX);
		b->kind = kind;
		r = j_item(&a, i, J_OBJECT, &e);
		if (r >= 0)
			r = j_u32(&e, "major", &b->major);
		if (r >= 0)
			r = j_u32(&e, "minor", &b->minor);
		if (r >= 0)
			r = j_int(&e, key, 0, INT64_MAX, &value);
		if (r < 0)
			return r;
		b->value = value;
		res->nblk += value != RES_UNSET;        /* a leafWeight alone is nothing here */
	}
	return 0;
}

static int parse_block_io(const struct jnode *n, struct oci_spec *s)
{
	static const struct { const char *list, *key; enum oci_blk kind; } lists[] = {
		{ "weightDevice", "weight", BLK_WEIGHT },
		{ "throttleReadBpsDevice", "rate", BLK_READ_BPS }, { "throttleWriteBpsDevice", "rate", BLK_WRITE_BPS },
		{ "throttleReadIOPSDevice", "rate", BLK_READ_IOPS }, { "throttleWriteIOPSDevice", "rate", BLK_WRITE_IOPS },
	};
	struct jnode m;
	int r = j_get(n, "blockIO", J_OBJECT, &m);

	if (r <= 0)
		return r;
	s->res.blk = pool_alloc(&s->pool, BLK_MAX, sizeof(*s->res.blk));
	if (!s->res.blk)
		return j_nomem(&m);
	r = j_int(&m, "weight", 0, 65535, &s->res.blkio_weight);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(lists); i++)
		r = parse_blk(&m, lists[i].list, lists[i].key, lists[i].kind, &s->res);
	return r;
}

/* The size is part of a file's name: "2MB", "64KB", "1GB". */
static bool is_page_size(const char *p)
{
	size_t n = strspn(p, "0123456789");

	return n > 0 && n < 8 && strchr("KMG", p[n]) && p[n] && strcmp(p + n + 1, "B") == 0;
}

static int parse_huge(const struct jnode *n, struct oci_spec *s)
{
	struct jnode a, e;
	int r = j_get(n, "hugepageLimits", J_ARRAY, &a);

	if (r <= 0)
		return r;
	if (j_count(&a) > HUGE_MAX)
		return j_fail(&a, -E2BIG, "more than %d sizes", HUGE_MAX);
	s->res.huge = pool_alloc(&s->pool, j_count(&a), sizeof(*s->res.huge));
	if (!s->res.huge)
		return j_nomem(&a);
	for (size_t i = 0; i < j_count(&a); i++) {
		struct oci_huge *h = &s->res.huge[i];

		h->size = "";
		r = j_item(&a, i, J_OBJECT, &e);
		if (r >= 0)
			r = j_str(&e, "pageSize", &h->size);
		if (r >= 0)
			r = j_u64(&e, "limit", &h->limit);
		if (r < 0)
			return r;
		if (!is_page_size(h->size))
			return j_fail(&e, -EINVAL, "pageSize must be like 2MB, not \"%.16s\"", h->size);
		s->res.nhuge++;
	}
	return 0;
}

int parse_resources(const struct jnode *lin, struct oci_spec *s)
{
	struct oci_resources *res = &s->res;
	struct jnode n, m;
	int r = j_get(lin, "resources", J_OBJECT, &n);

	if (r <= 0)
		return r;
	s->has_res = true;
	r = j_get(&n, "memory", J_OBJECT, &m);
	if (r > 0) {
		r = j_int(&m, "limit", -1, INT64_MAX, &res->mem_limit);
		if (r >= 0)
			r = j_int(&m, "reservation", -1, INT64_MAX, &res->mem_reservation);
		if (r >= 0)
			r = j_int(&m, "swap", -1, INT64_MAX, &res->mem_swap);
	}
	if (r >= 0)
		r = parse_cpu(&n, res);
	if (r >= 0)
		r = j_get(&n, "pids", J_OBJECT, &m);
	if (r > 0)
		r = j_int(&m, "limit", INT64_MIN + 1, INT64_MAX, &res->pids_limit);
	if (r >= 0)
		r = parse_block_io(&n, s);
	if (r >= 0)
		r = parse_huge(&n, s);
	if (r >= 0)
		r = j_pairs(&n, "unified", &res->unified, &res->nunified);
	return r < 0 ? r : 0;
}
