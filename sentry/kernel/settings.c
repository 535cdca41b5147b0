/*
 * settings.c - see settings.h: names, bounds and first values.
 */
#include "sentry/kernel/settings.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "platform/base/str.h"

static const struct row { const char *name; u32 normal, min, max; } rows[SETTINGS] = {
	[SETTING_INOTIFY_EVENTS] = { "max_queued_events", 16384, 0, 65536 },
	[SETTING_INOTIFY_INSTANCES] = { "max_user_instances", 128, 0, 65536 },
	[SETTING_INOTIFY_WATCHES] = { "max_user_watches", 65536, 0, 524288 },
	[SETTING_KEY_GC_DELAY] = { "gc_delay", 300, 0, INT_MAX },
	[SETTING_KEYS] = { "maxkeys", 200, 1, INT_MAX },
	[SETTING_KEY_BYTES] = { "maxbytes", 20000, 1, INT_MAX },
	[SETTING_ROOT_KEYS] = { "root_maxkeys", 1000000, 1, INT_MAX },
	[SETTING_ROOT_KEY_BYTES] = { "root_maxbytes", 25000000, 1, INT_MAX },
	[SETTING_CORE_USES_PID] = { "core_uses_pid", 0, 0, INT_MAX },
	[SETTING_LEASE_BREAK] = { "lease-break-time", 45, 0, INT_MAX },
	[SETTING_LEASES] = { "leases-enable", 1, 0, INT_MAX },
	[SETTING_DNOTIFY] = { "dir-notify-enable", 1, 0, INT_MAX },
};

void settings_init(struct settings *s)
{
	for (int i = 0; i < SETTINGS; i++)
		atomic_init(&s->number[i], rows[i].normal);
	mutex_init(&s->mu, RANK_LEAF);
	str_copy(s->core_pattern, sizeof(s->core_pattern), "core");
}

static int find(const char *name)
{
	for (int i = 0; i < SETTINGS; i++)
		if (!strcmp(rows[i].name, name))
			return i;
	return -ENOENT;
}

int setting_show(struct settings *s, const char *name, struct strbuf *out)
{
	int i = find(name);

	if (i < 0)
		return i;
	strbuf_printf(out, "%u\n", setting_get(s, (enum setting)i));
	return 0;
}

int setting_store(struct settings *s, const char *name, char *text)
{
	int i = find(name);
	u64 v;

	if (i < 0)
		return i;
	text += strspn(text, " \t\n");
	text[strcspn(text, " \t\n")] = '\0';
	if (str_to_u64(text, 0, &v) < 0 || v < rows[i].min || v > rows[i].max)
		return -EINVAL;
	atomic_store_explicit(&s->number[i], (u32)v, memory_order_relaxed);
	return 0;
}

void core_pattern_get(struct settings *s, char *ret)
{
	mutex_lock(&s->mu);
	memcpy(ret, s->core_pattern, CORE_PATTERN_MAX);
	mutex_unlock(&s->mu);
}

int core_pattern_set(struct settings *s, const char *text, size_t len)
{
	char fresh[CORE_PATTERN_MAX] = { 0 };
	size_t n = strcspn(text, "\n");

	n = MIN(MIN(n, len), sizeof(fresh) - 1);
	if (text[0] == '|')
		return -EINVAL;
	memcpy(fresh, text, n);
	mutex_lock(&s->mu);
	memcpy(s->core_pattern, fresh, sizeof(fresh));
	mutex_unlock(&s->mu);
	return 0;
}
