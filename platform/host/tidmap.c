/* tidmap.c - see tidmap.h. */
#include "platform/host/tidmap.h"

#include <errno.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u
#define PER_PAGE (PAGE_BYTES / sizeof(void *))

int tidmap_init(struct tidmap *m)
{
	size_t counts = TIDMAP_MAX / PER_PAGE * sizeof(*m->live);
	void *map = mmap(NULL, TIDMAP_MAX * sizeof(*m->at) + counts, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return -ENOMEM;
	mutex_init(&m->mu, RANK_LEAF);
	m->at = map;
	m->live = (void *)(m->at + TIDMAP_MAX);
	m->newest = 0;
	return 0;
}

static void give_back_locked(struct tidmap *m, u32 page) REQUIRES(m->mu)
{
	if (!m->live[page] && page != m->newest)
		(void)madvise(m->at + page * PER_PAGE, PAGE_BYTES, MADV_DONTNEED);
}

void tidmap_set(struct tidmap *m, u32 id, void *v)
{
	u32 page = id / PER_PAGE, before;

	mutex_lock(&m->mu);
	if (!atomic_exchange(&m->at[id], v))
		m->live[page]++;
	before = m->newest;
	m->newest = page;
	give_back_locked(m, before);
	mutex_unlock(&m->mu);
}

void *tidmap_take(struct tidmap *m, u32 id, void *v)
{
	void *had;

	mutex_lock(&m->mu);
	had = atomic_load(&m->at[id]);
	if (v && had != v)
		had = NULL;
	if (had) {
		atomic_store(&m->at[id], NULL);
		m->live[id / PER_PAGE]--;
		give_back_locked(m, id / PER_PAGE);
	}
	mutex_unlock(&m->mu);
	return had;
}
