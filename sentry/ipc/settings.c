/*
 * settings.c - limits of an IPC namespace, as /proc/sys/kernel and /proc/sys/fs/mqueue show and change them.
 *
 * Values are atomic: each is read once, where it counts.  What a privileged guest may set is
 * bounded here or, where Linux has no bound, by the hard limit of its user (SHM_MAX, MSG_HARD).
 */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <string.h>

#include "platform/base/str.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel/task.h"

#define UNLIMITED (UINT64_MAX - (1ull << 24))
#define NONE UINT64_MAX                         /* next_id: -1 */

static const struct { u64 normal, min, max; } bounds[IPC_LIMITS] = {
	[LIM_MSGMAX] = { 8192, 0, INT_MAX }, [LIM_MSGMNB] = { 16384, 0, INT_MAX },
	[LIM_MSGMNI] = { 32000, 0, IPC_SLOTS_MAX }, [LIM_SHMMAX] = { UNLIMITED, 0, UINT64_MAX },
	[LIM_SHMALL] = { UNLIMITED, 0, UINT64_MAX }, [LIM_SHMMNI] = { 4096, 0, IPC_SLOTS_MAX },
	[LIM_SEMMSL] = { 32000, 0, INT_MAX }, [LIM_SEMMNS] = { 1024000000, 0, INT_MAX },
	[LIM_SEMOPM] = { 500, 0, INT_MAX }, [LIM_SEMMNI] = { 32000, 0, IPC_SLOTS_MAX },
	[LIM_MSG_NEXT] = { NONE, 0, INT_MAX }, [LIM_SEM_NEXT] = { NONE, 0, INT_MAX },
	[LIM_SHM_NEXT] = { NONE, 0, INT_MAX }, [LIM_MQ_QUEUES] = { 256, 0, INT_MAX },
	[LIM_MQ_MSGS] = { 10, 1, 65536 }, [LIM_MQ_SIZE] = { 8192, 128, 16 << 20 },
	[LIM_MQ_DEF_MSGS] = { 10, 1, 65536 }, [LIM_MQ_DEF_SIZE] = { 8192, 128, 16 << 20 },
};

static const struct row { const char *name; enum ipc_limit first; int n; } rows[] = {
	{ "msgmax", LIM_MSGMAX, 1 }, { "msgmnb", LIM_MSGMNB, 1 }, { "msgmni", LIM_MSGMNI, 1 },
	{ "shmmax", LIM_SHMMAX, 1 }, { "shmall", LIM_SHMALL, 1 }, { "shmmni", LIM_SHMMNI, 1 },
	{ "sem", LIM_SEMMSL, 4 }, { "msg_next_id", LIM_MSG_NEXT, 1 }, { "sem_next_id", LIM_SEM_NEXT, 1 },
	{ "shm_next_id", LIM_SHM_NEXT, 1 }, { "queues_max", LIM_MQ_QUEUES, 1 }, { "msg_max", LIM_MQ_MSGS, 1 },
	{ "msgsize_max", LIM_MQ_SIZE, 1 }, { "msg_default", LIM_MQ_DEF_MSGS, 1 },
	{ "msgsize_default", LIM_MQ_DEF_SIZE, 1 },
};

static const struct row *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

void ipc_limits_init(struct ipc_ns *ns)
{
	for (int i = 0; i < IPC_LIMITS; i++)
		atomic_init(&ipc_limits(ns)[i], bounds[i].normal);
}

int ipc_setting_show(struct ipc_ns *ns, const char *name, struct strbuf *out)
{
	const struct row *r = find(name);

	for (int i = 0; r && i < r->n; i++) {
		u64 v = ipc_limit(ns, r->first + (u32)i);

		if (i)
			strbuf_putc(out, '\t');
		if (v == NONE)
			strbuf_puts(out, "-1");
		else
			strbuf_printf(out, "%llu", (unsigned long long)v);
	}
	strbuf_putc(out, '\n');
	return r ? 0 : -ENOENT;
}

/* One number of @text, which is moved behind it. -ENODATA: there is none. */
static int next_number(char **text, enum ipc_limit l, u64 *ret)
{
	char *word = *text + strspn(*text, " \t\n");
	size_t n = strcspn(word, " \t\n");
	int r;

	if (!n)
		return -ENODATA;
	*text = word + n + (word[n] != '\0');
	word[n] = '\0';
	if (bounds[l].normal == NONE && !strcmp(word, "-1")) {
		*ret = NONE;
		return 0;
	}
	r = str_to_u64(word, 0, ret);
	return r < 0 || *ret < bounds[l].min || *ret > bounds[l].max ? -EINVAL : 0;
}

int ipc_setting_store(struct task *t, struct ipc_ns *ns, const char *name, char *text)
{
	const struct row *r = find(name);
	u64 v[4];
	int n, err = 0;

	if (!r)
		return -ENOENT;
	if (!ns_capable(t, ipc_owner(ns), CAP_SYS_ADMIN) &&
	    !(bounds[r->first].normal == NONE && ns_capable(t, ipc_owner(ns), CAP_CHECKPOINT_RESTORE)))
		return -EPERM;
	for (n = 0; n < r->n; n++) {
		err = next_number(&text, r->first + (u32)n, &v[n]);
		if (err < 0)
			break;
	}
	if (err < 0 && (err != -ENODATA || n == 0))
		return -EINVAL;
	for (int i = 0; i < n; i++)
		ipc_limits(ns)[r->first + (u32)i] = v[i];
	return 0;
}
