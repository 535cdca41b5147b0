/* fdmap.c - see fdmap.h. */
#include "gofer/fdmap.h"
#include <errno.h>
#include "platform/base/alloc.h"

#define INDEX_BITS 14u
#define NO_FREE UINT32_MAX

_Static_assert(FDMAP_MAX <= 1u << INDEX_BITS, "a handle has room for the index");

int fdmap_init(struct fdmap *m, u32 cap)
{
	if (cap == 0 || cap > FDMAP_MAX)
		return -EINVAL;
	m->nodes = kbuf_array(cap, sizeof(*m->nodes));
	if (!m->nodes)
		return -ENOMEM;
	mutex_init(&m->mu, RANK_LEAF);
	m->cap = cap;
	m->used = m->fresh = 0;
	m->free_head = NO_FREE;
	return 0;
}

int fdmap_add(struct fdmap *m, int fd, u16 root, u32 mode, u32 *ret)
{
	struct fdnode *n;
	u32 i;

	mutex_lock(&m->mu);
	i = m->free_head;
	if (i == NO_FREE && m->fresh < m->cap) {
		i = m->fresh++;
		m->nodes[i].gen = 1;
		m->nodes[i].next_free = NO_FREE;
	}
	if (i == NO_FREE) {
		mutex_unlock(&m->mu);
		return -ENFILE;
	}
	n = &m->nodes[i];
	m->free_head = n->next_free;
	m->used++;
	n->fd = fd;
	n->refs = 1;
	n->root = root;
	n->type = (u16)(mode >> 12);
	n->open = true;
	n->watch = -1;
	*ret = n->gen << INDEX_BITS | i;
	mutex_unlock(&m->mu);
	return 0;
}

static struct fdnode *find_locked(struct fdmap *m, u32 handle) REQUIRES(m->mu)
{
	u32 i = handle & ((1u << INDEX_BITS) - 1);

	if (i >= m->fresh || !m->nodes[i].open || m->nodes[i].gen != handle >> INDEX_BITS)
		return NULL;
	return &m->nodes[i];
}

struct fdnode *fdmap_get(struct fdmap *m, u32 handle)
{
	struct fdnode *n;

	mutex_lock(&m->mu);
	n = find_locked(m, handle);
	if (n)
		n->refs++;
	mutex_unlock(&m->mu);
	return n;
}

struct fdnode *fdmap_close(struct fdmap *m, u32 handle)
{
	struct fdnode *n;

	mutex_lock(&m->mu);
	n = find_locked(m, handle);
	if (n)
		n->open = false;        /* the handle's reference becomes the caller's */
	mutex_unlock(&m->mu);
	return n;
}

int fdmap_put(struct fdmap *m, struct fdnode *n, int *ret_watch)
{
	int fd = -1;

	*ret_watch = -1;
	mutex_lock(&m->mu);
	if (--n->refs == 0) {
		fd = n->fd;
		*ret_watch = n->watch;
		n->fd = n->watch = -1;
		n->gen = (n->gen + 1) & ((1u << (32 - INDEX_BITS)) - 1);
		if (n->gen == 0)
			n->gen = 1;
		n->next_free = m->free_head;
		m->free_head = (u32)(n - m->nodes);
		m->used--;
	}
	mutex_unlock(&m->mu);
	return fd;
}
