/*
 * kernel.c - making the root of the object graph; see kernel.h.
 *
 * Only what every other part needs before it can start is set here; boot fills
 * in the rest (file systems, ipc, network, limits, uts names).
 */
#include "sentry/kernel/kernel.h"

#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "sentry/ipc/keys.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/fasync.h"

struct kernel *kernel_new(struct platform *p)
{
	struct kernel *k = knew(struct kernel);

	if (!k)
		return NULL;
	k->pids = pid_table_new();
	k->futexes = futex_table_new();
	settings_init(&k->settings);
	k->keys = keys_new(&k->settings);
	if (!k->pids || !k->futexes || !k->keys) {
		kfree(k->pids);
		kfree(k->futexes);
		kfree(k->keys);
		kfree(k);
		return NULL;
	}
	k->platform = p;
	mutex_init(&k->mu, RANK_KERNEL);
	mutex_init(&k->epoll_nest_mu, RANK_EPOLLNEST);
	mutex_init(&k->mq_mu, RANK_LEAF);
	mutex_init(&k->load.mu, RANK_LEAF);
	list_init(&k->mq_users);
	sigio_init(k);
	k->boot_mono = ktime_mono(k);
	atomic_init(&k->next_ino, 1);
	atomic_init(&k->next_dev, 1);
	k->ncpus = 1;
	k->cpu_period = 100000;
	k->cpu_weight = 100;
	for (int i = 0; i < NS_KINDS; i++)
		atomic_init(&k->ns_max[i], i == NS_NET ? NS_NET_MAX : NS_MAX);
	if (cgroup_first(k) < 0 || user_ns_first(k, &k->user_ns) < 0 || nsset_first(k, &k->nsset) < 0)
		return NULL;
	rand_bytes(k->boot_id, sizeof(k->boot_id));
	k->boot_id[6] = (k->boot_id[6] & 0x0f) | 0x40;         /* RFC 4122: version 4 */
	k->boot_id[8] = (k->boot_id[8] & 0x3f) | 0x80;
	return k;
}

u64 kernel_next_ino(struct kernel *k)
{
	return atomic_fetch_add_explicit(&k->next_ino, 1, memory_order_relaxed);
}

void kernel_set_memory(struct kernel *k, u64 limit)
{
	k->mem_limit = limit;
	k->mem_total = limit && limit < k->mem_host ? limit : k->mem_host;
}
