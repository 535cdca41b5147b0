/*
 * options.c - mount options of proc: hidepid=, gid=, subset=pid.
 *
 * What they hide is hidden from guests by each other, nothing more.  A mount has its options for good.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"

static const struct { const char *name; u8 value; } hide_names[] = {
	{ "off", HIDE_OFF }, { "noaccess", HIDE_NOACCESS }, { "invisible", HIDE_INVISIBLE }, { "ptraceable", HIDE_UNTRACEABLE },
};

static int set_hide(struct super *sb, const char *v)
{
	u64 n = UINT64_MAX;

	(void)!str_to_u64(v, 10, &n);
	for (size_t i = 0; i < ARRAY_SIZE(hide_names); i++)
		if (n == hide_names[i].value || str_eq(v, hide_names[i].name)) {
			sb->proc_hide = hide_names[i].value;
			return 0;
		}
	return -EINVAL;
}

static int set_gid(struct task *t, struct super *sb, const char *v)
{
	u64 n;

	if (str_to_u64(v, 10, &n) < 0 || n >= UINT32_MAX)
		return -EINVAL;
	sb->proc_gid = t ? user_ns_gid(task_user_ns(t), (u32)n) : (u32)n;
	return sb->proc_gid == UINT32_MAX ? -EINVAL : 0;
}

static int set_option(struct task *t, struct super *sb, const char *name, const char *v)
{
	if (v && str_eq(name, "hidepid"))
		return set_hide(sb, v);
	if (v && str_eq(name, "gid"))
		return set_gid(t, sb, v);
	if (v && str_eq(name, "subset") && str_eq(v, "pid")) {
		sb->proc_pids_only = true;
		return 0;
	}
	/* What else a bundle says is not the guest's fault. */
	return t ? -EINVAL : 0;
}

int proc_set_options(struct task *t, struct super *sb, const char *opts)
{
	auto_kfree char *copy = opts ? kbuf_strdup(opts) : NULL;
	int r = 0;

	if (opts && !copy)
		return -ENOMEM;
	for (char *p = copy, *next; r == 0 && p; p = next) {
		char *v;

		next = strchr(p, ',');
		if (next)
			*next++ = 0;
		v = strchr(p, '=');
		if (v)
			*v++ = 0;
		if (*p)
			r = set_option(t, sb, p, v);
	}
	return r;
}

void proc_show_options(struct super *sb, struct strbuf *out)
{
	if (sb->proc_gid)
		strbuf_printf(out, ",gid=%u", sb->proc_gid);
	for (size_t i = 1; i < ARRAY_SIZE(hide_names); i++)
		if (sb->proc_hide == hide_names[i].value)
			strbuf_printf(out, ",hidepid=%s", hide_names[i].name);
	if (sb->proc_pids_only)
		strbuf_puts(out, ",subset=pid");
}

bool proc_hidden(struct task *t, const struct super *sb, struct task *it, u8 from)
{
	if (sb->proc_hide < from)
		return false;
	if (sb->proc_hide != HIDE_UNTRACEABLE && cred_in_group(task_cred(t), sb->proc_gid))
		return false;
	return !proc_may_trace(t, it);
}
