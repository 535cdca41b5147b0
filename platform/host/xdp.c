/*
 * xdp.c - moving frames through an AF_XDP socket that was donated.
 *
 * Four rings of indices into one piece of memory: FILL gives empty frames to the kernel and RX brings them back full, TX gives full
 * ones and DONE brings them back empty.  Each has one producer and one consumer, which publish their positions with release and
 * read the other's with acquire.  The kernel is trusted, yet what comes from the rings is masked, so that a frame is always inside.
 *
 * Locks: tx_mu (LEAF) makes one sender of many.  RX and FILL belong to whoever receives.
 * Life: as long as the sandbox; the last descriptor of the program's link detaches it.
 */
#include "platform/host/xdp.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/lock.h"

#define KICKS 64                /* calls that one send may make until the kernel has taken all: 32 frames each */
#define RING_MAX (1u << 16)

struct ring {
	_Atomic u32 *producer, *consumer, *flags;
	void *desc;
	u32 size;               /* a power of two */
	u32 at;                 /* our own position: of the rings that we consume, the consumer's */
};

struct host_xdp {
	hostfd_t sock, guard;           /* immutable */
	u8 *mem;                        /* immutable */
	u32 frame, nrx, ntx;            /* immutable */
	struct ring rx, fill;           /* of the thread that receives */
	struct mutex tx_mu;             /* RANK_LEAF: everything below */
	struct ring tx, done;
	u32 nfree;
	u32 free[];                     /* numbers of empty frames for sending */
};

static int map_ring(struct ring *r, const struct xdp_ring_place *p, u32 size, size_t item, off_t where, hostfd_t sock)
{
	size_t len = p->desc + (size_t)size * item;
	char *m;

	if (p->desc > RING_MAX || p->producer > RING_MAX || p->consumer > RING_MAX || p->flags > RING_MAX)
		return -EINVAL;
	m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, sock.fd, where);
	if (m == MAP_FAILED)
		return -errno;
	r->producer = (_Atomic u32 *)(void *)(m + p->producer);
	r->consumer = (_Atomic u32 *)(void *)(m + p->consumer);
	r->flags = (_Atomic u32 *)(void *)(m + p->flags);
	r->desc = m + p->desc;
	r->size = size;
	return 0;
}

/* On failure what is mapped stays: the sandbox does not start. */
static int map_all(struct host_xdp *x, const struct xdp_layout *l, hostfd_t mem)
{
	size_t bytes = (size_t)(l->rx + l->tx) * l->frame;
	int r;

	x->mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, mem.fd, 0);
	if (x->mem == MAP_FAILED)
		return -errno;
	r = map_ring(&x->rx, &l->ring[XDPR_RX], l->rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING, x->sock);
	if (r == 0)
		r = map_ring(&x->tx, &l->ring[XDPR_TX], l->tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING, x->sock);
	if (r == 0)
		r = map_ring(&x->fill, &l->ring[XDPR_FILL], l->rx, sizeof(u64),
			     (off_t)XDP_UMEM_PGOFF_FILL_RING, x->sock);
	if (r == 0)
		r = map_ring(&x->done, &l->ring[XDPR_DONE], l->tx, sizeof(u64),
			     (off_t)XDP_UMEM_PGOFF_COMPLETION_RING, x->sock);
	return r;
}

static void give(struct host_xdp *x, u64 addr)
{
	((u64 *)x->fill.desc)[x->fill.at++ & (x->fill.size - 1)] = addr;
	atomic_store_explicit(x->fill.producer, x->fill.at, memory_order_release);
}

static bool is_size(u32 n) { return n >= 2 && n <= RING_MAX && (n & (n - 1)) == 0; }

int host_xdp_new(const struct xdp_layout *l, hostfd_t sock, hostfd_t mem, hostfd_t guard, struct host_xdp **ret)
{
	struct host_xdp *x;
	int r;

	if (!is_size(l->rx) || !is_size(l->tx) || (l->frame != 2048 && l->frame != 4096))
		return -EINVAL;
	x = kmem_zalloc(sizeof(*x) + l->tx * sizeof(x->free[0]), "struct host_xdp");
	if (!x)
		return -ENOMEM;
	x->sock = sock;
	x->guard = guard;
	x->frame = l->frame;
	x->nrx = l->rx;
	x->ntx = x->nfree = l->tx;
	mutex_init(&x->tx_mu, RANK_LEAF);
	r = map_all(x, l, mem);
	if (r < 0) {
		kfree(x);
		return r;
	}
	for (u32 i = 0; i < l->tx; i++)
		x->free[i] = l->rx + i;
	for (u32 i = 0; i < l->rx; i++)
		give(x, (u64)i * l->frame);
	*ret = x;
	return 0;
}

ssize_t host_xdp_readv(struct host_xdp *x, const struct iovec *iov, int n)
{
	struct ring *r = &x->rx;
	struct xdp_desc d;
	u32 off, len;
	size_t done = 0;

	if (r->at == atomic_load_explicit(r->producer, memory_order_acquire))
		return -EAGAIN;
	d = ((struct xdp_desc *)r->desc)[r->at++ & (r->size - 1)];
	off = (u32)d.addr & (x->frame - 1);
	d.addr = (d.addr / x->frame & (x->nrx - 1)) * x->frame;
	len = MIN(d.len, x->frame - off);
	for (int i = 0; i < n && done < len; i++) {
		size_t k = MIN(iov[i].iov_len, len - done);

		memcpy(iov[i].iov_base, x->mem + d.addr + off + done, k);
		done += k;
	}
	atomic_store_explicit(r->consumer, r->at, memory_order_release);
	give(x, d.addr);
	return (ssize_t)done;
}

/* Frames that have left are empty again. */
static void collect(struct host_xdp *x)
{
	struct ring *r = &x->done;
	u32 end = atomic_load_explicit(r->producer, memory_order_acquire);

	for (; r->at != end && x->nfree < x->ntx; r->at++)
		x->free[x->nfree++] = x->nrx + (u32)(((u64 *)r->desc)[r->at & (r->size - 1)] / x->frame & (x->ntx - 1));
	atomic_store_explicit(r->consumer, r->at, memory_order_release);
}

/*
 * Tell the kernel.  What is written does not matter: sendmsg() would name an address, which a filter cannot see.
 * -EAGAIN after a batch that was not the last, -EBUSY or -ENOBUFS while the interface is behind: the frames stay in the ring.
 */
static void kick(struct host_xdp *x)
{
	for (int i = 0; i < KICKS; i++) {
		if (write(x->sock.fd, "", 1) >= 0 || errno != EAGAIN)
			break;
		if (atomic_load_explicit(x->tx.consumer, memory_order_acquire) == x->tx.at)
			break;
	}
}

ssize_t host_xdp_writev(struct host_xdp *x, const struct iovec *iov, int n)
{
	struct ring *r = &x->tx;
	size_t len = 0;
	u8 *to;
	u32 f;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (len > x->frame)
		return -EMSGSIZE;
	mutex_lock(&x->tx_mu);
	if (x->nfree < x->ntx / 2)
		collect(x);
	if (x->nfree == 0) {
		kick(x);
		collect(x);
	}
	if (x->nfree == 0) {
		mutex_unlock(&x->tx_mu);
		return -ENOBUFS;
	}
	f = x->free[--x->nfree];
	to = x->mem + (size_t)f * x->frame;
	for (int i = 0; i < n; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	((struct xdp_desc *)r->desc)[r->at++ & (r->size - 1)] =
		(struct xdp_desc){ .addr = (u64)f * x->frame, .len = (u32)len };
	atomic_store_explicit(r->producer, r->at, memory_order_release);
	if (atomic_load_explicit(r->flags, memory_order_acquire) & XDP_RING_NEED_WAKEUP)
		kick(x);
	mutex_unlock(&x->tx_mu);
	return (ssize_t)len;
}
