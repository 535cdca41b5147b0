/*
 * ring.c - frames of a packet socket's receive ring (PACKET_RX_RING, versions 1 and 2).
 *
 * The owner has the memory; it is written and its status words are read through
 * packet_ring_ops, under the endpoint's lock.  What the reader of the ring puts
 * there decides only whether a frame is free: nothing else is read back.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/raw/packet.h"

#define CHUNK 2048u

static u32 hdr_len(const struct packet_ring *r)
{
	size_t h = r->version == TPACKET_V1 ? sizeof(struct tpacket_hdr) : sizeof(struct tpacket2_hdr);

	return (u32)(TPACKET_ALIGN(h) + sizeof(struct sockaddr_ll));
}

int ring_set(struct packet_ring *r, const struct packet_ring_cfg *c, u32 reserve)
{
	u32 per_block;

	r->reserve = reserve;
	if (c->frame_size < hdr_len(r) + reserve || c->frame_size % TPACKET_ALIGNMENT ||
	    c->frame_size > c->block_size)
		return -EINVAL;
	per_block = c->block_size / c->frame_size;
	if ((u64)per_block * c->block_nr != c->frame_nr)
		return -EINVAL;
	r->c = *c;
	r->per_block = per_block;
	r->head = 0;
	r->on = true;
	return 0;
}

static u64 frame_at(const struct packet_ring *r, u32 i)
{
	return (u64)(i / r->per_block) * r->c.block_size + (u64)(i % r->per_block) * r->c.frame_size;
}

/* The status is the first word of both versions (version 1 has a long; its upper half stays 0). */
static u32 status_of(const struct packet_ring *r, u32 i) { return r->c.ops->read32(r->c.ctx, frame_at(r, i)); }

bool ring_ready(const struct packet_ring *r)
{
	return status_of(r, r->head ? r->head - 1 : r->c.frame_nr - 1) != TP_STATUS_KERNEL;
}

struct meta { u32 status, len, snap, sec, nsec; u16 mac, net; };

/* All of the header but its status, which is written last. */
static void put_header(const struct packet_ring *r, u64 at, const struct meta *m)
{
	if (r->version == TPACKET_V1) {
		struct tpacket_hdr h = { .tp_len = m->len, .tp_snaplen = m->snap, .tp_mac = m->mac,
					 .tp_net = m->net, .tp_sec = m->sec, .tp_usec = m->nsec / 1000 };
		size_t off = sizeof(h.tp_status);

		r->c.ops->write(r->c.ctx, at + off, (u8 *)&h + off, sizeof(h) - off);
	} else {
		struct tpacket2_hdr h = { .tp_len = m->len, .tp_snaplen = m->snap, .tp_mac = m->mac,
					  .tp_net = m->net, .tp_sec = m->sec, .tp_nsec = m->nsec };
		size_t off = sizeof(h.tp_status);

		r->c.ops->write(r->c.ctx, at + off, (u8 *)&h + off, sizeof(h) - off);
	}
}

static void put_name(const struct packet_ring *r, u64 at, const struct pktbuf *p)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(p->ethertype), .sll_ifindex = (int)p->ifindex,
		.sll_hatype = p->nic->arphrd, .sll_pkttype = p->pkttype, .sll_halen = 6,
	};

	memcpy(ll.sll_addr, p->ll_src, 6);
	r->c.ops->write(r->c.ctx, at + hdr_len(r) - sizeof(ll), &ll, sizeof(ll));
}

static void put_data(const struct packet_ring *r, u64 at, const struct pktbuf *p, u32 n)
{
	u8 b[CHUNK];
	u32 off, l;

	for (off = 0; off < n; off += l) {
		l = MIN(n - off, CHUNK);
		pkt_copy(p, off, b, l);
		r->c.ops->write(r->c.ctx, at + off, b, l);
	}
}

bool ring_put(struct ep *e, struct packet_ring *r, const struct pktbuf *p, u32 keep, u32 l2, bool losing)
{
	u64 now = p->stamp ? p->stamp : e->stack->ops->realtime(e->stack->ctx), at = frame_at(r, r->head);
	struct meta m = { .len = p->len, .snap = MIN(keep, p->len), .sec = (u32)(now / 1000000000),
			  .nsec = (u32)(now % 1000000000) };

	if (status_of(r, r->head) != TP_STATUS_KERNEL)
		return false;
	if (e->type == SOCK_DGRAM) {
		m.mac = m.net = (u16)(TPACKET_ALIGN(hdr_len(r)) + 16 + r->reserve);
	} else {
		m.net = (u16)(TPACKET_ALIGN(hdr_len(r) + MAX(l2, 16u)) + r->reserve);
		m.mac = (u16)(m.net - l2);
	}
	if (m.mac >= r->c.frame_size)
		m.snap = 0;
	else
		m.snap = MIN(m.snap, r->c.frame_size - m.mac);
	put_header(r, at, &m);
	put_name(r, at, p);
	put_data(r, at + m.mac, p, m.snap);
	m.status = TP_STATUS_USER | (losing ? TP_STATUS_LOSING : 0u) |
		   (p->flags & PKT_CSUM_PARTIAL ? TP_STATUS_CSUMNOTREADY : 0u) |
		   (p->flags & PKT_CSUM_OK ? TP_STATUS_CSUM_VALID : 0u);
	r->c.ops->write(r->c.ctx, at, &m.status, sizeof(m.status));
	r->head = r->head + 1 == r->c.frame_nr ? 0 : r->head + 1;
	return true;
}
