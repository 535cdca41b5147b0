/*
 * packet_ring.c - PACKET_RX_RING: a receive ring that an AF_PACKET socket shares with the guest.
 *
 * The ring is a memfd that the guest maps; the sentry reaches it by pread and
 * pwrite only, so that whatever the guest does to it harms the guest alone.
 * The stack fills frames (netstack/raw/ring.c) through the two functions here.
 *
 * Life: made by the first PACKET_RX_RING, freed with the socket or by a ring of
 * no blocks.  Mappings keep the memory, not this object.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>

#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/host/hostfile.h"
#include "sentry/socket/inet.h"

#define PAGE       4096u
#define RING_MAX   (64u << 20)

struct packet_mem {
	hostfd_t fd;                    /* immutable */
	u32 bytes;                      /* immutable */
};

static void ring_write(void *ctx, u64 off, const void *buf, size_t n)
{
	(void)!host_pwrite(((struct packet_mem *)ctx)->fd, buf, n, off);
}

static u32 ring_read32(void *ctx, u64 off)
{
	u32 v = 0;

	return host_pread(((struct packet_mem *)ctx)->fd, &v, sizeof(v), off) == sizeof(v) ? v : 0;
}

static const struct packet_ring_ops ring_ops = { .write = ring_write, .read32 = ring_read32 };

void packet_mem_free(struct packet_mem *m)
{
	if (m)
		host_close(m->fd);
	kfree(m);
}

static int mem_new(u32 bytes, struct packet_mem **ret)
{
	struct packet_mem *m = knew(struct packet_mem);
	int r;

	if (!m)
		return -ENOMEM;
	m->bytes = bytes;
	r = host_memfd("packet-ring", &m->fd);
	if (r == 0) {
		r = host_ftruncate(m->fd, bytes);
		if (r < 0)
			host_close(m->fd);
	}
	if (r < 0) {
		kfree(m);
		return r;
	}
	*ret = m;
	return 0;
}

int packet_ring_set(struct ep *e, struct packet_mem **own, const void *v, size_t n)
{
	struct packet_ring_cfg c = { .ops = &ring_ops };
	struct packet_mem *m = NULL;
	struct tpacket_req req;
	int r;

	if (n < sizeof(req))
		return -EINVAL;
	memcpy(&req, v, sizeof(req));
	if (req.tp_block_nr == 0) {
		r = req.tp_frame_nr ? -EINVAL : ep_packet_ring(e, NULL);
		if (r == 0) {
			packet_mem_free(*own);
			*own = NULL;
		}
		return r;
	}
	if (*own)
		return -EBUSY;
	if (req.tp_block_size == 0 || req.tp_block_size % PAGE || req.tp_block_size > RING_MAX)
		return -EINVAL;
	if ((u64)req.tp_block_size * req.tp_block_nr > RING_MAX)
		return -ENOMEM;
	c.block_size = req.tp_block_size;
	c.block_nr = req.tp_block_nr;
	c.frame_size = req.tp_frame_size;
	c.frame_nr = req.tp_frame_nr;
	r = mem_new(c.block_size * c.block_nr, &m);
	if (r < 0)
		return r;
	c.ctx = m;
	r = ep_packet_ring(e, &c);
	if (r < 0)
		packet_mem_free(m);
	else
		*own = m;
	return r;
}

int packet_mem_map(struct packet_mem *m, u64 off, u64 len, struct mapping *ret)
{
	/* Linux maps all of it or nothing. */
	if (!m || off || len != m->bytes)
		return -EINVAL;
	*ret = (struct mapping){ .fd = m->fd };
	return 0;
}
