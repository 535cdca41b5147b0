/*
 * net.c - /sys/class/net: one directory for each link of the reader's network namespace.
 *
 * As in Linux the class holds links to where the device is, and all ours are virtual ones. A node's arg is the
 * interface index, given on from a link's directory to what is below; the link may be gone by the time of reading.
 */
#include "sentry/fs/sysfs/sysfs.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/str.h"
#include "sentry/fs/pseudo/pseudo.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"

static int link_of(struct task *t, const struct pseudo_node *n, struct link_info *ret)
{
	struct stack *st = net_stack(task_net(t));

	return st ? link_get(st, (u32)n->arg, ret) : -ENODEV;
}

static bool is_loopback(const struct link_info *l) { return l->arphrd == ARPHRD_LOOPBACK; }

static void put_address(struct strbuf *out, const struct link_info *l, bool broadcast)
{
	for (int i = 0; i < 6 && l->arphrd != ARPHRD_NONE; i++)
		strbuf_printf(out, i ? ":%02x" : "%02x", is_loopback(l) ? 0 : broadcast ? 0xff : l->mac[i]);
	strbuf_puts(out, "\n");
}

/* What a link that is down does not tell. */
static int put_if_up(struct strbuf *out, const struct link_info *l, const char *what)
{
	if (!(l->flags & IFF_UP))
		return -EINVAL;
	strbuf_puts(out, what);
	return 0;
}

/* What ethtool would say; a loopback has none of it. */
static int put_medium(struct strbuf *out, const struct link_info *l, const char *what)
{
	return is_loopback(l) ? -EINVAL : put_if_up(out, l, what);
}

/* The flags that were set: what Linux adds for others to see (IFF_RUNNING) is not in this file. */
static u32 own_flags(const struct link_info *l) { return l->flags & 0xffff & ~(u32)IFF_RUNNING; }

#define SHOW(fn, call) \
	static int fn(struct task *t, struct pseudo_node *n, struct strbuf *out) \
	{ \
		struct link_info l; \
		int r = link_of(t, n, &l); \
		if (r < 0) \
			return r; \
		call; \
		return r; \
	}
SHOW(show_addr_assign, strbuf_puts(out, is_loopback(&l) ? "0\n" : "3\n"))
SHOW(show_addr_len, strbuf_puts(out, l.arphrd == ARPHRD_NONE ? "0\n" : "6\n"))
SHOW(show_address, put_address(out, &l, false))
SHOW(show_broadcast, put_address(out, &l, true))
SHOW(show_carrier, r = put_if_up(out, &l, l.flags & IFF_RUNNING ? "1\n" : "0\n"))
SHOW(show_dormant, r = put_if_up(out, &l, "0\n"))
SHOW(show_duplex, r = put_medium(out, &l, "full\n"))
SHOW(show_flags, strbuf_printf(out, "0x%x\n", own_flags(&l)))
SHOW(show_ifindex, strbuf_printf(out, "%u\n", l.ifindex))
SHOW(show_mtu, strbuf_printf(out, "%u\n", l.mtu))
SHOW(show_name_assign, strbuf_puts(out, is_loopback(&l) ? "2\n" : "4\n"))
SHOW(show_operstate, strbuf_puts(out, !(l.flags & IFF_RUNNING) ? "down\n" : is_loopback(&l) ? "unknown\n" : "up\n"))
SHOW(show_speed, r = put_medium(out, &l, "10000\n"))
SHOW(show_target, strbuf_printf(out, "../../devices/virtual/net/%s", l.name))
SHOW(show_txqlen, strbuf_printf(out, "%u\n", l.txqlen))
SHOW(show_type, strbuf_printf(out, "%u\n", l.arphrd))
SHOW(show_uevent, strbuf_printf(out, "INTERFACE=%s\nIFINDEX=%u\n", l.name, l.ifindex))
SHOW(show_multicast, strbuf_printf(out, "%lu\n", l.multicast))
SHOW(show_rx_bytes, strbuf_printf(out, "%lu\n", l.rx_bytes))
SHOW(show_rx_dropped, strbuf_printf(out, "%lu\n", l.rx_dropped))
SHOW(show_rx_errors, strbuf_printf(out, "%lu\n", l.rx_errors))
SHOW(show_rx_packets, strbuf_printf(out, "%lu\n", l.rx_packets))
SHOW(show_tx_bytes, strbuf_printf(out, "%lu\n", l.tx_bytes))
SHOW(show_tx_dropped, strbuf_printf(out, "%lu\n", l.tx_dropped))
SHOW(show_tx_errors, strbuf_printf(out, "%lu\n", l.tx_errors))
SHOW(show_tx_packets, strbuf_printf(out, "%lu\n", l.tx_packets))

#define ROW(nm, fn) { .name = nm, .mode = S_IFREG | 0444, .show = fn }
#define TEXT(nm, tx) { .name = nm, .mode = S_IFREG | 0444, .text = tx "\n" }
#define DIR(nm, d) { .name = nm, .mode = S_IFDIR | 0555, .dir = &d }
#define DIR_OF(e) { .entries = e, .n = ARRAY_SIZE(e) }

static const struct pseudo_entry statistics_entries[] = {
	TEXT("collisions", "0"), ROW("multicast", show_multicast), ROW("rx_bytes", show_rx_bytes),
	TEXT("rx_compressed", "0"), TEXT("rx_crc_errors", "0"), ROW("rx_dropped", show_rx_dropped),
	ROW("rx_errors", show_rx_errors), TEXT("rx_fifo_errors", "0"), TEXT("rx_frame_errors", "0"),
	TEXT("rx_length_errors", "0"), TEXT("rx_missed_errors", "0"), TEXT("rx_nohandler", "0"),
	TEXT("rx_over_errors", "0"), ROW("rx_packets", show_rx_packets), TEXT("tx_aborted_errors", "0"),
	ROW("tx_bytes", show_tx_bytes), TEXT("tx_carrier_errors", "0"), TEXT("tx_compressed", "0"),
	ROW("tx_dropped", show_tx_dropped), ROW("tx_errors", show_tx_errors), TEXT("tx_fifo_errors", "0"),
	TEXT("tx_heartbeat_errors", "0"), ROW("tx_packets", show_tx_packets), TEXT("tx_window_errors", "0"),
};
static const struct pseudo_dir statistics_dir = DIR_OF(statistics_entries);

static const struct pseudo_dir empty = { 0 };
static const struct pseudo_entry queues_entries[] = { DIR("rx-0", empty), DIR("tx-0", empty) };
static const struct pseudo_dir queues_dir = DIR_OF(queues_entries);

static const struct pseudo_entry link_entries[] = {
	ROW("addr_assign_type", show_addr_assign), ROW("addr_len", show_addr_len), ROW("address", show_address),
	ROW("broadcast", show_broadcast), ROW("carrier", show_carrier), TEXT("carrier_changes", "0"),
	TEXT("carrier_down_count", "0"), TEXT("carrier_up_count", "0"), TEXT("dev_id", "0x0"), TEXT("dev_port", "0"),
	ROW("dormant", show_dormant), ROW("duplex", show_duplex), ROW("flags", show_flags),
	TEXT("ifalias", ""), ROW("ifindex", show_ifindex), ROW("iflink", show_ifindex), TEXT("link_mode", "0"),
	ROW("mtu", show_mtu), ROW("name_assign_type", show_name_assign), TEXT("netdev_group", "0"),
	ROW("operstate", show_operstate), TEXT("proto_down", "0"), DIR("queues", queues_dir), ROW("speed", show_speed),
	DIR("statistics", statistics_dir),
	{ .name = "subsystem", .mode = S_IFLNK | 0777, .text = "../../../../class/net" },
	ROW("testing", show_dormant), ROW("tx_queue_len", show_txqlen), ROW("type", show_type), ROW("uevent", show_uevent),
};
static const struct pseudo_dir link_dir = DIR_OF(link_entries);
static const struct pseudo_entry one_link = { .name = "", .mode = S_IFDIR | 0555, .dir = &link_dir };
static const struct pseudo_entry one_target = { .name = "", .mode = S_IFLNK | 0777, .show = show_target };

static int links_list(struct task *t, struct pseudo_node *dir, struct dir_ctx *c, u32 mode)
{
	struct stack *st = net_stack(task_net(t));
	struct link_info l;

	while (st && link_next(st, (u32)(c->pos - PSEUDO_DYNAMIC), &l) == 0) {
		if (!pseudo_emit(c, dir, l.name, mode, PSEUDO_DYNAMIC + l.ifindex))
			return 0;
		c->pos = PSEUDO_DYNAMIC + l.ifindex;
	}
	return 0;
}

static int links_find(struct task *t, struct pseudo_node *dir, const char *name, size_t len, const struct pseudo_entry *e,
                      struct inode **ret)
{
	struct stack *st = net_stack(task_net(t));
	char text[NET_IFNAMSIZ];
	struct link_info l;

	if (!st || len >= sizeof(text))
		return -ENOENT;
	memcpy(text, name, len);
	text[len] = 0;
	if (link_by_name(st, text, &l) < 0)
		return -ENOENT;
	*ret = pseudo_new(dir->inode.sb, e, pseudo_ino(dir->inode.ino, name, len), NULL, NULL, l.ifindex, 0, 0);
	return *ret ? 0 : -ENOMEM;
}

static int devices_list(struct task *t, struct pseudo_node *dir, struct dir_ctx *c)
{
	return links_list(t, dir, c, S_IFDIR);
}

static int devices_find(struct task *t, struct pseudo_node *dir, const char *name, size_t len, struct inode **ret)
{
	return links_find(t, dir, name, len, &one_link, ret);
}

static int class_list(struct task *t, struct pseudo_node *dir, struct dir_ctx *c)
{
	return links_list(t, dir, c, S_IFLNK);
}

static int class_find(struct task *t, struct pseudo_node *dir, const char *name, size_t len, struct inode **ret)
{
	return links_find(t, dir, name, len, &one_target, ret);
}

const struct pseudo_dir sysfs_net_devices = { .list = devices_list, .find = devices_find };
const struct pseudo_dir sysfs_net_class = { .list = class_list, .find = class_find };
