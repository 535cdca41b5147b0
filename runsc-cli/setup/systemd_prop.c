/*
 * systemd_prop.c - see systemd_prop.h.
 *
 * What is not given is not written: the unit keeps its own.  UINT64_MAX is systemd's "infinity".
 */
#include "runsc-cli/setup/systemd_prop.h"
#include <errno.h>
#include <string.h>
#include "platform/base/str.h"
#include "runsc-cli/setup/cgroup.h"

void props_open(struct props *p, DBusMessageIter *to)
{
	p->to = to;
	p->ok = dbus_message_iter_open_container(to, DBUS_TYPE_ARRAY, "(sv)", &p->array);
}

void props_close(struct props *p)
{
	p->ok = p->ok && dbus_message_iter_close_container(p->to, &p->array);
}

/* @type: of one value; with @n not negative an array of @n such. */
static void prop(struct props *p, const char *name, int type, const void *v, int n)
{
	const char one[] = { (char)type, 0 }, many[] = { DBUS_TYPE_ARRAY, (char)type, 0 };
	DBusMessageIter row, var, arr;

	p->ok = p->ok && dbus_message_iter_open_container(&p->array, DBUS_TYPE_STRUCT, NULL, &row) &&
		dbus_message_iter_append_basic(&row, DBUS_TYPE_STRING, &name) &&
		dbus_message_iter_open_container(&row, DBUS_TYPE_VARIANT, n < 0 ? one : many, &var);
	if (!p->ok)
		return;
	if (n < 0)
		p->ok = dbus_message_iter_append_basic(&var, type, v);
	else
		p->ok = dbus_message_iter_open_container(&var, DBUS_TYPE_ARRAY, one, &arr) &&
			dbus_message_iter_append_fixed_array(&arr, type, &v, n) &&
			dbus_message_iter_close_container(&var, &arr);
	p->ok = p->ok && dbus_message_iter_close_container(&row, &var) && dbus_message_iter_close_container(&p->array, &row);
}

void prop_str(struct props *p, const char *name, const char *v)
{
	prop(p, name, DBUS_TYPE_STRING, &v, -1);
}

void prop_bool(struct props *p, const char *name, bool v)
{
	dbus_bool_t b = v;

	prop(p, name, DBUS_TYPE_BOOLEAN, &b, -1);
}

void prop_u64(struct props *p, const char *name, u64 v)
{
	dbus_uint64_t n = v;

	prop(p, name, DBUS_TYPE_UINT64, &n, -1);
}

void prop_u32s(struct props *p, const char *name, u32 v)
{
	dbus_uint32_t n = v;

	prop(p, name, DBUS_TYPE_UINT32, &n, 1);
}

/* -1 is "no limit". */
static void prop_max(struct props *p, const char *name, s64 v)
{
	if (v != RES_UNSET && v != 0)
		prop_u64(p, name, v < 0 ? UINT64_MAX : (u64)v);
}

/* "0-3,8" as a set of bits, the first byte's lowest first. */
static int prop_list(struct props *p, const char *name, const char *list)
{
	u8 bits[1024] = { 0 };          /* 8192 CPUs: Linux' NR_CPUS at most */
	u64 n = 0, from, to;
	char word[32];

	if (!list || !*list)
		return 0;
	for (const char *w = list; *w; w += *w == ',') {
		size_t len = strcspn(w, ",");
		char *dash;

		if (len >= sizeof(word))
			return -EINVAL;
		memcpy(word, w, len);
		word[len] = 0;
		w += len;
		dash = strchr(word, '-');
		if (dash)
			*dash = 0;
		if (str_to_u64(word, 10, &from) < 0 || str_to_u64(dash ? dash + 1 : word, 10, &to) < 0 || from > to ||
		    to >= sizeof(bits) * 8)
			return -EINVAL;
		for (u64 i = from; i <= to; i++)
			bits[i / 8] |= (u8)(1u << i % 8);
		n = MAX(n, to / 8 + 1);
	}
	prop(p, name, DBUS_TYPE_BYTE, bits, (int)n);
	return 0;
}

/* Microseconds of each second, in steps of 10 ms, as older systemds want. */
static u64 quota_per_second(u64 quota, u64 period)
{
	const u64 step = 10000;

	if (quota > UINT64_MAX / 1000000 - period)
		return UINT64_MAX;
	return ((quota * 1000000 + period - 1) / period + step - 1) / step * step;
}

static void prop_quota(struct props *p, const struct oci_resources *r)
{
	u64 period = r->cpu_period > 0 ? (u64)r->cpu_period : 100000;

	if (r->cpu_period > 0)
		prop_u64(p, "CPUQuotaPeriodUSec", period);
	if (r->cpu_quota != RES_UNSET && r->cpu_quota != 0)
		prop_u64(p, "CPUQuotaPerSecUSec", r->cpu_quota < 0 ? UINT64_MAX : quota_per_second((u64)r->cpu_quota, period));
}

/* linux.resources.unified: files whose word is one number, or "max". */
static void props_unified(struct props *p, const struct oci_resources *r)
{
	static const struct { const char *file, *name; } rows[] = {
		{ "memory.min", "MemoryMin" }, { "memory.low", "MemoryLow" }, { "memory.high", "MemoryHigh" },
		{ "memory.max", "MemoryMax" }, { "memory.swap.max", "MemorySwapMax" }, { "cpu.weight", "CPUWeight" },
		{ "pids.max", "TasksMax" },
	};
	u64 v;

	for (u32 i = 0; i < r->nunified; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
			if (strcmp(r->unified[i].key, rows[k].file) != 0)
				continue;
			if (strcmp(r->unified[i].value, "max") == 0)
				prop_u64(p, rows[k].name, UINT64_MAX);
			else if (str_to_u64(r->unified[i].value, 10, &v) == 0)
				prop_u64(p, rows[k].name, v);
		}
	}
}

int props_limits(struct props *p, const struct oci_resources *r)
{
	int ret;

	prop_max(p, "MemoryMax", r->mem_limit);
	if (r->mem_reservation > 0)
		prop_u64(p, "MemoryLow", (u64)r->mem_reservation);
	if (cgroup_swap(r) != RES_UNSET)
		prop_u64(p, "MemorySwapMax", cgroup_swap(r) < 0 ? UINT64_MAX : (u64)cgroup_swap(r));
	prop_max(p, "TasksMax", cgroup_pids(r->pids_limit));
	if (r->cpu_shares >= 2 && r->cpu_shares <= 262144)
		prop_u64(p, "CPUWeight", cgroup_weight(r->cpu_shares));
	prop_quota(p, r);
	if (r->blkio_weight >= 10)
		prop_u64(p, "IOWeight", cgroup_io_weight(r->blkio_weight));
	ret = prop_list(p, "AllowedCPUs", r->cpus);
	if (ret == 0)
		ret = prop_list(p, "AllowedMemoryNodes", r->mems);
	props_unified(p, r);
	return ret;
}
