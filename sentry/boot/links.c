/*
 * links.c - interfaces that the launcher moves from the container's namespace into the stack.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/log.h"
#include "platform/base/str.h"
#include "platform/host/xdp.h"
#include "sentry/boot/boot_int.h"
#include "sentry/socket/net.h"

static int add_address(struct stack *st, u32 ifindex, const struct ctl_addr *a, const char *label)
{
	struct addr_info i = {
		.ifindex = ifindex, .plen = a->plen, .scope = a->scope, .flags = IFA_F_PERMANENT,
		.valid_s = UINT32_MAX, .preferred_s = UINT32_MAX,
	};
	int r;

	memcpy(i.ip.b, a->ip, 16);
	i.peer = i.ip;
	memcpy(i.brd.b, a->brd, 16);
	(void)str_copy(i.label, sizeof(i.label), label);
	r = addr_add(st, &i);
	return r == -EEXIST ? 0 : r;
}

static int add_route(struct stack *st, u32 ifindex, const struct ctl_route *c)
{
	struct route_info i = {
		.family = c->family, .plen = c->plen, .table = RT_TABLE_MAIN, .proto = RTPROT_BOOT,
		.scope = c->scope, .type = RTN_UNICAST, .has_gw = c->has_gw, .ifindex = ifindex, .metric = c->metric,
	};
	int r;

	memcpy(i.dst.b, c->dst, 16);
	memcpy(i.gw.b, c->gw, 16);
	r = route_add(st, &i, false);
	return r == -EEXIST ? 0 : r;
}

/* Routes without a gateway first: those with one need them. */
static int add_routes(struct stack *st, u32 ifindex, const struct ctl_link *l)
{
	int r = 0;

	for (int gw = 0; gw < 2; gw++)
		for (u32 i = 0; i < l->nroutes && r == 0; i++)
			if (l->routes[i].has_gw == gw)
				r = add_route(st, ifindex, &l->routes[i]);
	return r;
}

/* The AF_XDP socket of @l: three descriptors, two of which are kept. */
static int use_xdp(const struct ctl_link *l, const int fds[3], struct host_xdp **ret)
{
	return host_xdp_new(&l->xdp, HOSTFD(fds[0]), HOSTFD(fds[1]), HOSTFD(fds[2]), ret);
}

int boot_add_link(struct boot *b, const struct ctl_link *l, int *fds, size_t nfds)
{
	struct stack *st = net_stack(net_first(b->kernel));
	struct host_xdp *xdp = NULL;
	struct link_cfg cfg = {
		.arphrd = ARPHRD_ETHER, .mtu = l->mtu, .ifindex = l->ifindex,
		.features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_TSO6 | LINK_F_RXCSUM,
	};
	int r = 0;

	if (!st || l->naddrs > CTL_LINK_ADDRS || l->nroutes > CTL_LINK_ROUTES || !memchr(l->name, 0, sizeof(l->name)) ||
	    (l->kind == CTL_LINK_XDP ? nfds != 3 : nfds > 1))
		return -EINVAL;
	memcpy(cfg.name, l->name, sizeof(cfg.name));
	memcpy(cfg.mac, l->mac, 6);
	if (l->kind == CTL_LINK_XDP)
		r = use_xdp(l, fds, &xdp);
	if (r == 0)
		r = net_add_link(b->kernel, &cfg, nfds ? HOSTFD(fds[0]) : HOSTFD_NONE, xdp);
	if (r < 0)
		return r;
	if (nfds)
		fds[0] = -1;            /* taken over */
	if (xdp)
		fds[2] = -1;
	cfg.ifindex = (u32)r;
	r = link_set_flags(st, cfg.ifindex, IFF_UP, IFF_UP);
	for (u32 i = 0; i < l->naddrs && r == 0; i++)
		r = add_address(st, cfg.ifindex, &l->addrs[i], cfg.name);
	if (r == 0)
		r = add_routes(st, cfg.ifindex, l);
	/* The link stays: the descriptor is the receiving thread's now. */
	if (r < 0)
		log_error("network interface %s: cannot be set up whole: %s", cfg.name, strerror(-r));
	return 0;
}
