/*
 * settings.h - numbers and names of the whole system that /proc/sys shows and lets a guest change.
 *
 * What belongs to a namespace is with that namespace (ipc/settings.c, socket/net.h).  Numbers are atomic: each
 * is read once, where it counts.  The bounds in settings.c are what a guest may set at most, whatever its rights.
 */
#pragma once
#include "platform/base/lock.h"

struct strbuf;

enum setting {
	SETTING_INOTIFY_EVENTS, SETTING_INOTIFY_INSTANCES, SETTING_INOTIFY_WATCHES,
	SETTING_KEY_GC_DELAY, SETTING_KEYS, SETTING_KEY_BYTES, SETTING_ROOT_KEYS, SETTING_ROOT_KEY_BYTES,
	SETTING_CORE_USES_PID, SETTING_LEASE_BREAK, SETTING_LEASES, SETTING_DNOTIFY,
	SETTINGS
};

#define CORE_PATTERN_MAX 128            /* with its NUL */

struct settings {
	_Atomic u32 number[SETTINGS];
	struct mutex mu;                                /* RANK_LEAF */
	char core_pattern[CORE_PATTERN_MAX] GUARDED_BY(mu);
};

void settings_init(struct settings *s);

static inline u32 setting_get(const struct settings *s, enum setting which)
{
	return atomic_load_explicit(&s->number[which], memory_order_relaxed);
}

/* By the name of the file in /proc/sys: 0, -ENOENT, -EINVAL. */
int setting_show(struct settings *s, const char *name, struct strbuf *out) must_check;
int setting_store(struct settings *s, const char *name, char *text) must_check;

/* core(5): a file name with %-specifiers. A program to pipe to ('|') is refused: -EINVAL. */
void core_pattern_get(struct settings *s, char *ret);           /* CORE_PATTERN_MAX bytes */
int core_pattern_set(struct settings *s, const char *text, size_t len) must_check;
