/*
 * inet_ioctl.c - netdevice(7) and the queue ioctls of sockets.
 *
 * Reading interfaces needs no privilege; changing them needs CAP_NET_ADMIN.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include "netstack/api.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/inet.h"
#include "sentry/socket/net.h"

static long put_int(struct task *t, gaddr_t arg, long v)
{
	s32 n = (s32)v;

	return v < 0 ? v : copy_out(t, arg, &n, sizeof(n));
}

static void put_in(struct sockaddr *sa, const struct ipaddr *ip)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	memcpy(&in.sin_addr, ip->b + 12, 4);
	memcpy(sa, &in, sizeof(in));
}

static bool is_v4(const struct ipaddr *ip) { return ip->b[10] == 0xff && ip->b[11] == 0xff && !ip->b[0]; }

/* The first IPv4 address of a link. */
static int first_v4(struct stack *st, u32 ifindex, struct addr_info *a)
{
	for (unsigned i = 0; addr_nth(st, i, a) == 0; i++)
		if (a->ifindex == ifindex && is_v4(&a->ip))
			return 0;
	return -EADDRNOTAVAIL;
}

/* The address with the label that a request names ("eth0:1"): without a colon the link's first, whatever it is called. */
static int labelled_v4(struct stack *st, u32 ifindex, const char *label, struct addr_info *a)
{
	if (!strchr(label, ':'))
		return first_v4(st, ifindex, a);
	for (unsigned i = 0; addr_nth(st, i, a) == 0; i++)
		if (a->ifindex == ifindex && is_v4(&a->ip) && strncmp(a->label, label, IFNAMSIZ) == 0)
			return 0;
	return -EADDRNOTAVAIL;
}

static long if_conf(struct task *t, struct stack *st, gaddr_t arg)
{
	struct { s32 len, pad; u64 buf; } c;
	struct addr_info a;
	s32 used = 0;

	if (copy_in(t, &c, arg, sizeof(c)) < 0)
		return -EFAULT;
	for (unsigned i = 0; addr_nth(st, i, &a) == 0; i++) {
		struct ifreq r = { 0 };
		struct link_info l;

		if (!is_v4(&a.ip) || link_get(st, a.ifindex, &l) < 0)
			continue;
		if (c.buf && used + (s32)sizeof(r) > c.len)
			break;
		memcpy(r.ifr_name, a.label[0] ? a.label : l.name, IFNAMSIZ - 1);
		put_in(&r.ifr_addr, &a.ip);
		if (c.buf && copy_out(t, GADDR(c.buf + (u64)used), &r, sizeof(r)) < 0)
			return -EFAULT;
		used += (s32)sizeof(r);
	}
	c.len = used;
	return copy_out(t, arg, &c, sizeof(c));
}

static long if_change(struct task *t, struct stack *st, u32 cmd, const struct ifreq *r, u32 ifindex)
{
	if (!net_capable(t, task_net(t), CAP_NET_ADMIN))
		return -EPERM;
	if (cmd == SIOCSIFFLAGS && strchr(r->ifr_name, ':')) {  /* of an alias: it is there, or not */
		struct addr_info a;
		int e = labelled_v4(st, ifindex, r->ifr_name, &a);

		return e < 0 || (r->ifr_flags & IFF_UP) ? e : addr_del(st, &a);
	}
	if (cmd == SIOCSIFFLAGS)
		return link_set_flags(st, ifindex, (u32)(u16)r->ifr_flags,
				      IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_NOARP);
	if (cmd == SIOCSIFMTU)
		return r->ifr_mtu < 0 ? -EINVAL : link_set_mtu(st, ifindex, (u32)r->ifr_mtu);
	return -EOPNOTSUPP;
}

static long if_address(struct stack *st, u32 cmd, u32 ifindex, struct ifreq *r)
{
	struct addr_info a;
	struct ipaddr mask = { { 0 } };
	int e = labelled_v4(st, ifindex, r->ifr_name, &a);

	if (e < 0)
		return e;
	for (int i = 0; i < a.plen; i++)
		mask.b[12 + i / 8] |= (u8)(0x80 >> i % 8);
	put_in(&r->ifr_addr, cmd == SIOCGIFADDR ? &a.ip : cmd == SIOCGIFBRDADDR ? &a.brd :
	       cmd == SIOCGIFDSTADDR ? &a.peer : &mask);
	return 0;
}

/* The length of a netmask, or -1. */
static int mask_len(u32 mask)
{
	int n = 0;

	while (n < 32 && mask >> (31 - n) & 1)
		n++;
	return n < 32 && mask << n ? -1 : n;
}

/* Length by class, as Linux still has it here. */
static int class_len(u32 ip) { return !(ip >> 31) ? 8 : ip >> 30 == 2 ? 16 : ip >> 29 == 6 ? 24 : -1; }

/* SIOCSIFADDR, SIOCSIFNETMASK: the IPv4 address of that name, or the first, is replaced. */
static long set_address(struct stack *st, u32 cmd, const struct link_info *l, const struct ifreq *r)
{
	struct sockaddr_in in;
	struct addr_info old, a = {
		.ifindex = l->ifindex, .flags = 0x80 /* IFA_F_PERMANENT */, .valid_s = UINT32_MAX, .preferred_s = UINT32_MAX,
	};
	bool have = labelled_v4(st, l->ifindex, r->ifr_name, &old) == 0;
	int plen, e;
	u32 v;

	memcpy(&in, &r->ifr_addr, sizeof(in));
	v = ntohl(in.sin_addr.s_addr);
	if (in.sin_family != AF_INET && cmd == SIOCSIFADDR)
		return -EINVAL;
	if (!have && cmd != SIOCSIFADDR)
		return -EADDRNOTAVAIL;
	plen = cmd == SIOCSIFADDR ? class_len(v) : mask_len(v);
	if (plen < 0)
		return -EINVAL;
	a.ip = (struct ipaddr){ { [10] = 0xff, 0xff, (u8)(v >> 24), (u8)(v >> 16), (u8)(v >> 8), (u8)v } };
	if (cmd != SIOCSIFADDR)
		a.ip = old.ip;
	a.peer = a.ip;
	a.plen = (u8)plen;
	memcpy(a.label, r->ifr_name, sizeof(a.label));
	if ((l->flags & IFF_BROADCAST) && plen < 31) {
		a.brd = a.ip;
		for (int i = plen; i < 32; i++)
			a.brd.b[12 + i / 8] |= (u8)(0x80 >> i % 8);
	}
	if (cmd == SIOCSIFADDR && have && !memcmp(&old.ip, &a.ip, sizeof(a.ip)))
		return 0;
	e = have ? addr_del(st, &old) : 0;
	if (e == 0 && (v || cmd != SIOCSIFADDR))
		e = addr_add(st, &a);
	return e;
}

/* SIOCSIFBRDADDR, SIOCSIFDSTADDR: the address stays, what goes with it is another. */
static long set_other_end(struct stack *st, u32 cmd, const struct link_info *l, const struct ifreq *r)
{
	struct sockaddr_in in;
	struct addr_info a;
	struct ipaddr *which = cmd == SIOCSIFBRDADDR ? &a.brd : &a.peer, to = { { [10] = 0xff, 0xff } };
	int e;

	memcpy(&in, &r->ifr_addr, sizeof(in));
	if (in.sin_family != AF_INET)
		return -EINVAL;
	e = labelled_v4(st, l->ifindex, r->ifr_name, &a);
	if (e < 0)
		return e;
	memcpy(to.b + 12, &in.sin_addr, 4);
	if (memcmp(which, &to, sizeof(to)) == 0)
		return 0;
	if (cmd == SIOCSIFDSTADDR && class_len(ntohl(in.sin_addr.s_addr)) < 0)
		return -EINVAL;
	e = addr_del(st, &a);
	*which = to;
	return e < 0 ? e : addr_add(st, &a);
}

/* ETHTOOL_GLINK: what drivers and programs ask for most; the rest no driver here supports. */
static long if_ethtool(struct task *t, const struct ifreq *r, const struct link_info *l)
{
	gaddr_t at = GADDR((u64)(uintptr_t)r->ifr_data);
	struct ethtool_value v;

	if (copy_in(t, &v, at, sizeof(v)) < 0)
		return -EFAULT;
	if (v.cmd != ETHTOOL_GLINK)
		return -EOPNOTSUPP;
	v.data = l->flags & IFF_RUNNING ? 1 : 0;
	return copy_out(t, at, &v, sizeof(v));
}

static long if_query(struct stack *st, u32 cmd, struct ifreq *r, const struct link_info *l)
{
	switch (cmd) {
	case SIOCGIFINDEX:
		r->ifr_ifindex = (int)l->ifindex;
		return 0;
	case SIOCGIFNAME:
		memset(r->ifr_name, 0, IFNAMSIZ);
		memcpy(r->ifr_name, l->name, IFNAMSIZ - 1);
		return 0;
	case SIOCGIFFLAGS:
		r->ifr_flags = (short)l->flags;
		return 0;
	case SIOCGIFMTU:
		r->ifr_mtu = (int)l->mtu;
		return 0;
	case SIOCGIFMAP:
		memset(&r->ifr_map, 0, sizeof(r->ifr_map));
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_metric = 0;
		return 0;
	case SIOCGIFTXQLEN:
		r->ifr_qlen = (int)l->txqlen;
		return 0;
	case SIOCGIFHWADDR:
		memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
		r->ifr_hwaddr.sa_family = l->arphrd;
		memcpy(r->ifr_hwaddr.sa_data, l->mac, 6);
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
	case SIOCGIFDSTADDR:
		return if_address(st, cmd, l->ifindex, r);
	case SIOCGMIIPHY:
	case SIOCGMIIREG:
	case SIOCSMIIREG:
		return -EOPNOTSUPP;     /* no link here has one */
	default:
		return -ENOTTY;
	}
}

/* What follows a colon is the label of an address ("eth0:1"), not part of the link's name. */
static int by_name(struct stack *st, const char *name, struct link_info *ret)
{
	char base[IFNAMSIZ] = { 0 };

	memcpy(base, name, strcspn(name, ":"));
	return link_by_name(st, base, ret);
}

static long if_ioctl(struct task *t, struct stack *st, u32 cmd, gaddr_t arg)
{
	struct ifreq r;
	struct link_info l;
	long e;

	if (copy_in(t, &r, arg, sizeof(r)) < 0)
		return -EFAULT;
	r.ifr_name[IFNAMSIZ - 1] = 0;
	if (cmd == SIOCGIFNAME)
		e = r.ifr_ifindex > 0 ? link_get(st, (u32)r.ifr_ifindex, &l) : -ENODEV;
	else
		e = by_name(st, r.ifr_name, &l);
	if (e < 0)
		return -ENODEV;
	if (cmd == SIOCSIFFLAGS || cmd == SIOCSIFMTU)
		return if_change(t, st, cmd, &r, l.ifindex);
	if (cmd == SIOCSIFADDR || cmd == SIOCSIFNETMASK)
		return net_capable(t, task_net(t), CAP_NET_ADMIN) ? set_address(st, cmd, &l, &r) : -EPERM;
	if (cmd == SIOCSIFBRDADDR || cmd == SIOCSIFDSTADDR)
		return net_capable(t, task_net(t), CAP_NET_ADMIN) ? set_other_end(st, cmd, &l, &r) : -EPERM;
	if (cmd == SIOCETHTOOL)
		return if_ethtool(t, &r, &l);
	e = if_query(st, cmd, &r, &l);
	return e < 0 ? e : copy_out(t, arg, &r, sizeof(r));
}

/* Requests about an interface that must exist; no other has anything to say of one that does not. */
static bool known(u32 cmd)
{
	switch (cmd) {
	case SIOCGIFNAME: case SIOCGIFCONF: case SIOCGIFINDEX: case SIOCGIFFLAGS: case SIOCGIFMTU: case SIOCGIFMAP:
	case SIOCGIFMETRIC: case SIOCGIFTXQLEN: case SIOCGIFHWADDR: case SIOCGIFADDR: case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR: case SIOCGIFDSTADDR: case SIOCSIFFLAGS: case SIOCSIFMTU: case SIOCSIFADDR: case SIOCSIFNETMASK:
	case SIOCSIFBRDADDR: case SIOCSIFDSTADDR: case SIOCETHTOOL: case SIOCGMIIPHY: case SIOCGMIIREG: case SIOCSMIIREG:
		return true;
	default:
		return false;
	}
}

long netdev_ioctl(struct task *t, u32 cmd, gaddr_t arg)
{
	struct stack *st = net_stack(task_net(t));

	if (!st || !known(cmd))
		return -ENOTTY;
	return cmd == SIOCGIFCONF ? if_conf(t, st, arg) : if_ioctl(t, st, cmd, arg);
}

/* When the datagram that was read last came: a struct timeval, or timespec. */
static long last_stamp(struct task *t, struct ep *ep, bool ns, gaddr_t arg)
{
	u64 at = ep_last_stamp(ep), v[2] = { at / 1000000000, at % 1000000000 / (ns ? 1 : 1000) };

	return at ? copy_out(t, arg, v, sizeof(v)) : -ENOENT;
}

long inet_ioctl(struct task *t, struct socket *s, u32 cmd, gaddr_t arg)
{
	struct ep *ep = inet_ep(s);

	switch (cmd) {
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMPNS_OLD:
		return last_stamp(t, ep, cmd == SIOCGSTAMPNS_OLD, arg);
	case FIONREAD:
		return put_int(t, arg, ep_inq(ep));
	case SIOCOUTQ:
		return put_int(t, arg, ep_outq(ep));
	case SIOCOUTQNSD:
		return s->type == SOCK_STREAM ? put_int(t, arg, ep_outq_unsent(ep)) : -ENOTTY;
	case SIOCATMARK:
		return put_int(t, arg, ep_atmark(ep));
	default:
		return -ENOTTY;
	}
}
