/*
 * fd.c - a link over a descriptor: packet socket, TAP, TUN, macvtap.
 *
 * One readv or writev a frame, through the owner's wrappers.  With vnet headers
 * super-frames of up to 64 KiB pass both ways, and checksums of transports
 * are left to the other side.  A received frame lands in a big block, which goes
 * on with it when it is long: one stretch to copy from.  Shorter frames move to a block of a class that fits, so
 * that they pin little: a sender that paces small pieces must not fill a receive buffer with room.
 */
#include <errno.h>
#include <net/if_arp.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "netstack/core/stack.h"
#include "netstack/link/link.h"

enum { VNET_NEEDS_CSUM = 1, VNET_DATA_VALID = 2 };
enum { VNET_GSO_NONE, VNET_GSO_TCPV4, VNET_GSO_UDP = 3, VNET_GSO_TCPV6 = 4, VNET_GSO_UDP_L4 = 5,
       VNET_GSO_ECN = 0x80 };

struct fd_link {
	const struct link_fd_ops *io;
	void *ctx;
	bool vnet;
};

void vnet_fill(const struct pktbuf *p, struct vnet_hdr *v)
{
	static const u8 type[] = { [GSO_TCP4] = VNET_GSO_TCPV4, [GSO_TCP6] = VNET_GSO_TCPV6,
				   [GSO_UDP] = VNET_GSO_UDP_L4 };

	memset(v, 0, sizeof(*v));
	if (p->flags & PKT_CSUM_PARTIAL) {
		v->flags = VNET_NEEDS_CSUM;
		v->csum_start = p->csum_start;
		v->csum_offset = p->csum_off;
	}
	if (p->gso_size) {
		v->gso_type = type[p->gso_type];
		v->gso_size = p->gso_size;
		v->hdr_len = p->hdr_len;
	}
}

static int fd_tx(struct nic *n, struct pktbuf *p)
{
	struct fd_link *l = n->priv;
	struct iovec iov[PKT_FRAGS + 2];
	struct vnet_hdr v;
	ssize_t r;
	int k = 0;

	if (l->vnet) {
		vnet_fill(p, &v);
		iov[k++] = (struct iovec){ &v, sizeof(v) };
	}
	k += pkt_iov(p, iov + k, PKT_FRAGS + 1);
	r = l->io->writev(l->ctx, iov, k);
	pkt_free(p);
	return r < 0 ? (int)r : 0;
}

bool vnet_take(struct pktbuf *p, const struct vnet_hdr *v)
{
	if (v->flags & (VNET_NEEDS_CSUM | VNET_DATA_VALID))
		p->flags |= PKT_CSUM_OK;
	if (v->gso_type == VNET_GSO_NONE)
		return true;
	if (!v->gso_size)
		return false;
	p->gso_size = v->gso_size;
	switch (v->gso_type & ~VNET_GSO_ECN) {
	case VNET_GSO_TCPV4:
		p->gso_type = GSO_TCP4;
		return true;
	case VNET_GSO_TCPV6:
		p->gso_type = GSO_TCP6;
		return true;
	case VNET_GSO_UDP_L4:
		p->gso_type = GSO_UDP;
		return true;
	default:
		return false;
	}
}

/* Make a packet of the @len bytes in *@big; small ones move, others take the block (then *@big is NULL). */
static struct pktbuf *wrap(struct stack *s, struct pblock **big, u32 len)
{
	struct pktbuf *p;
	u8 *d;

	if (len <= PBLOCK_MID_CAP) {
		p = pkt_room(s->pool, len, &d);
		if (p)
			memcpy(d, (*big)->data, len);
		return p;
	}
	p = pkt_new(s->pool);
	if (!p)
		return NULL;
	(*big)->used = len;
	p->frag[p->nfrags++] = (struct pfrag){ *big, 0, len };
	p->truesize += len;
	p->len = len;
	*big = NULL;
	return p;
}

static int fd_poll(struct nic *n, int budget)
{
	struct fd_link *l = n->priv;
	struct stack *s = n->stack;
	struct pblock *big = NULL;
	ssize_t r = 0;
	int cnt = 0;

	while (cnt < budget) {
		struct vnet_hdr v = { 0 };
		u32 h = l->vnet ? sizeof(v) : 0;
		struct iovec iov[2] = { { &v, sizeof(v) } };
		struct pktbuf *p;

		if (!big)
			big = pblock_new(s->pool, PBLOCK_BIG_CAP);
		if (!big)
			break;
		iov[1] = (struct iovec){ big->data, big->cap };
		r = l->io->readv(l->ctx, l->vnet ? iov : iov + 1, l->vnet ? 2 : 1);
		if (r <= 0)
			break;
		cnt++;
		if ((size_t)r <= h)
			continue;
		p = wrap(s, &big, (u32)r - h);
		if (!p)
			break;
		if (n->features & LINK_F_RXCSUM)
			p->flags |= PKT_CSUM_OK;
		if (!vnet_take(p, &v)) {
			atomic_fetch_add(&n->stats.rx_errors, 1);
			pkt_free(p);
			continue;
		}
		nic_rx(n, p);
		backlog_drain(s);
	}
	pblock_unref(big);
	if (cnt == 0 && r < 0 && r != -EAGAIN && r != -EINTR)
		return (int)r;
	return cnt;
}

static void fd_free(struct nic *n) { kfree(n->priv); }

static const struct nic_ops fd_ops = {
	.name = "fd", .tx = fd_tx, .poll = fd_poll, .free = fd_free,
};

int link_add_fd(struct stack *s, const struct link_cfg *cfg, const struct link_fd_ops *io,
		void *io_ctx, bool vnet)
{
	struct fd_link *l = knew(struct fd_link);
	struct nic *n;
	int r;

	if (!l)
		return -ENOMEM;
	l->io = io;
	l->ctx = io_ctx;
	l->vnet = vnet;
	n = nic_create(s, cfg, &fd_ops, l, &r);
	if (!n) {
		kfree(l);
		return r;
	}
	if (!vnet)
		n->features &= LINK_F_RXCSUM;
	return (int)n->ifindex;
}
