/*
 * netjoin.c - the container's network, moved into the sandbox.
 *
 * The namespace is the one that config.json names, else the sentry's own, into which engines put an
 * interface by a hook.  A child enters it, reads links, addresses and routes with libnl, opens what carries the frames of
 * each Ethernet link (a packet socket; see open_link()), hands all over, and only then takes the addresses from the host's kernel, so
 * that it no longer answers for them.
 *
 * The host's own namespace (the inode of ours) is never changed: with --network=host or --allow-host-network the
 * sandbox is shown what is there, and a broker makes its sockets (netbroker.c).
 */
#include "runsc-cli/setup/netjoin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/link.h"
#include "runsc-cli/setup/netbroker.h"
#include "runsc-cli/setup/resolver.h"
#include "runsc-cli/setup/sys.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#define RCVBUF (4 << 20)

struct caches { struct nl_sock *nl; struct nl_cache *links, *addrs, *routes; };

/* What the child is to do, and in memory that it shares, why it could not. */
struct join { int sock; bool show; const char *link; char *why; };

static void put_ip(u8 out[16], struct nl_addr *a)
{
	memset(out, 0, 16);
	if (!a)
		return;
	if (nl_addr_get_family(a) == AF_INET) {
		out[10] = out[11] = 0xff;
		if (nl_addr_get_len(a) == 4)
			memcpy(out + 12, nl_addr_get_binary_addr(a), 4);
	} else if (nl_addr_get_len(a) == 16) {
		memcpy(out, nl_addr_get_binary_addr(a), 16);
	}
}

static void read_addrs(struct caches *c, struct ctl_link *l)
{
	for (struct nl_object *o = nl_cache_get_first(c->addrs); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		struct ctl_addr *out = &l->addrs[l->naddrs];

		if ((u32)rtnl_addr_get_ifindex(a) != l->ifindex || l->naddrs == CTL_LINK_ADDRS)
			continue;
		out->family = (u8)rtnl_addr_get_family(a);
		out->plen = (u8)rtnl_addr_get_prefixlen(a);
		out->scope = (u8)rtnl_addr_get_scope(a);
		put_ip(out->ip, rtnl_addr_get_local(a));
		if (rtnl_addr_get_broadcast(a))
			put_ip(out->brd, rtnl_addr_get_broadcast(a));
		l->naddrs++;
	}
}

static void read_routes(struct caches *c, struct ctl_link *l)
{
	for (struct nl_object *o = nl_cache_get_first(c->routes); o; o = nl_cache_get_next(o)) {
		struct rtnl_route *r = (struct rtnl_route *)o;
		struct rtnl_nexthop *nh = rtnl_route_nexthop_n(r, 0);
		struct ctl_route *out = &l->routes[l->nroutes];

		if (!nh || (u32)rtnl_route_nh_get_ifindex(nh) != l->ifindex || l->nroutes == CTL_LINK_ROUTES ||
		    rtnl_route_get_table(r) != RT_TABLE_MAIN || rtnl_route_get_type(r) != RTN_UNICAST)
			continue;
		out->family = (u8)rtnl_route_get_family(r);
		out->plen = (u8)nl_addr_get_prefixlen(rtnl_route_get_dst(r));
		out->scope = (u8)rtnl_route_get_scope(r);
		out->metric = rtnl_route_get_priority(r);
		put_ip(out->dst, rtnl_route_get_dst(r));
		if (rtnl_route_nh_get_gateway(nh)) {
			out->has_gw = 1;
			put_ip(out->gw, rtnl_route_nh_get_gateway(nh));
		}
		l->nroutes++;
	}
}

static int open_packet(u32 ifindex)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)ifindex,
	};
	int one = 1, buf = RCVBUF, fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0) {
		int e = -errno;

		close(fd);
		return e;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof(buf));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buf, sizeof(buf));
	return fd;
}

/*
 * What carries the frames: of a macvtap, and of a TAP that nobody holds (it has no carrier), the device's own descriptor, unless --link=packet
 * says otherwise; with --link=xdp an AF_XDP socket; else a packet socket.  A TAP's frames go to whoever has its
 * descriptor, so there the sandbox is at the other end of the wire and needs another address than the host's end.
 */
static int open_link(const struct join *j, struct rtnl_link *link, struct ctl_link *l, int fds[3])
{
	const struct link_req q = { l->name, l->ifindex, l->mtu, j->why };
	const char *type = rtnl_link_get_type(link);
	bool own = type && strcmp(j->link, "packet") != 0;

	if (own && !strcmp(type, "macvtap"))
		return link_open_macvtap(&q, fds) < 0 ? -EIO : 1;
	if (own && !strcmp(type, "tun") && !(rtnl_link_get_flags(link) & IFF_RUNNING)) {
		l->mac[0] = (u8)((l->mac[0] | 2) ^ 4);
		return link_open_tap(&q, fds) < 0 ? -EIO : 1;
	}
	if (!strcmp(j->link, "xdp")) {
		l->kind = CTL_LINK_XDP;
		return link_open_xdp(&q, fds, &l->xdp) < 0 ? -EIO : 3;
	}
	fds[0] = open_packet(l->ifindex);
	return fds[0] < 0 ? link_fail(&q, fds[0], "no packet socket on %s", l->name) : 1;
}

static int hand_over(const struct join *j, struct rtnl_link *link, struct ctl_link *l)
{
	int fds[CTL_MAX_FDS], mine[3] = { -1, -1, -1 }, r = j->show ? 0 : open_link(j, link, l, mine);
	void *payload = NULL;
	struct ctl_hdr h;
	size_t nfds;

	if (r < 0)
		return r;
	r = ctl_send(j->sock, CTL_LINK, 0, l, sizeof(*l), mine, (size_t)r);
	if (r == 0)
		r = ctl_recv(j->sock, 0, &h, &payload, fds, &nfds);
	for (size_t i = 0; i < ARRAY_SIZE(mine); i++)
		if (mine[i] >= 0)
			close(mine[i]);
	if (r < 0)
		return r;
	kfree(payload);
	return h.result;
}

static void take_addrs(struct caches *c, u32 ifindex)
{
	for (struct nl_object *o = nl_cache_get_first(c->addrs); o; o = nl_cache_get_next(o))
		if ((u32)rtnl_addr_get_ifindex((struct rtnl_addr *)o) == ifindex)
			(void)rtnl_addr_delete(c->nl, (struct rtnl_addr *)o, 0);
}

static int move_link(struct caches *c, struct rtnl_link *link, const struct join *j)
{
	struct ctl_link l = {
		.ifindex = (u32)rtnl_link_get_ifindex(link), .mtu = rtnl_link_get_mtu(link),
	};
	struct nl_addr *mac = rtnl_link_get_addr(link);
	int r;

	if ((rtnl_link_get_flags(link) & IFF_LOOPBACK) || rtnl_link_get_arptype(link) != ARPHRD_ETHER ||
	    !(rtnl_link_get_flags(link) & IFF_UP) || !mac || nl_addr_get_len(mac) != 6)
		return 0;
	memcpy(l.mac, nl_addr_get_binary_addr(mac), 6);
	snprintf(l.name, sizeof(l.name), "%s", rtnl_link_get_name(link));
	read_addrs(c, &l);
	read_routes(c, &l);
	r = hand_over(j, link, &l);
	if (r == 0 && !j->show)
		take_addrs(c, l.ifindex);
	return r;
}

/* In the child, inside the namespace.  show: nothing is changed there, the guest only sees it. */
static int move_all(const struct join *j)
{
	struct caches c = { .nl = nl_socket_alloc() };
	int r = -EIO;

	if (c.nl && nl_connect(c.nl, NETLINK_ROUTE) == 0 &&
	    rtnl_link_alloc_cache(c.nl, AF_UNSPEC, &c.links) == 0 && rtnl_addr_alloc_cache(c.nl, &c.addrs) == 0 &&
	    rtnl_route_alloc_cache(c.nl, AF_UNSPEC, 0, &c.routes) == 0) {
		r = 0;
		for (struct nl_object *o = nl_cache_get_first(c.links); o && r == 0; o = nl_cache_get_next(o))
			r = move_link(&c, (struct rtnl_link *)o, j);
	}
	return r;
}

/* A namespace that nobody has set up: as runc, raise loopback. */
static int raise_lo(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), e = 0;

	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &r) < 0)
		e = -errno;
	if (s >= 0)
		close(s);
	return e;
}

static int run_child(int ns, const struct join *j)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int r = ns >= 0 && setns(ns, CLONE_NEWNET) < 0 ? -errno : 0;

		if (r == 0 && ns >= 0 && j->show)
			r = raise_lo();
		_exit(-(r < 0 ? r : move_all(j)) & 127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		return -EAGAIN;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static int in_child(struct cli *cli, int ns, int sock, bool show)
{
	struct join j = { .sock = sock, .show = show, .link = cli->link };
	int r;

	j.why = mmap(NULL, LINK_WHY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (j.why == MAP_FAILED)
		return err_sys(&cli->err, -ENOMEM, "cannot move the container's network interfaces");
	r = run_child(ns, &j);
	if (r < 0 && *j.why)
		err_set(&cli->err, r, "cannot move the container's network interfaces into the sandbox: %s", j.why);
	else if (r < 0)
		err_sys(&cli->err, r, "cannot %s the container's network interfaces; --network=none runs without",
			show ? "read" : "move into the sandbox");
	munmap(j.why, LINK_WHY);
	return r;
}

/* The namespace to join, or -errno. -ENOENT: the host's own is asked for, so there is none. */
static int open_ns(struct container *c, const struct oci_spec *s)
{
	char path[64];
	struct stat ours, theirs;
	const char *p = NULL;
	int fd;

	for (u32 i = 0; i < s->nns; i++)
		if (!strcmp(s->ns[i].type, "network"))
			p = s->ns[i].path;
	/* Without any root the sandbox's own namespace is out of reach, and nobody could have put a link into it. */
	if (!p || (!*p && geteuid()))
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", c->sentry.pid);
	fd = open(*p ? p : path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (stat("/proc/self/ns/net", &ours) < 0 || fstat(fd, &theirs) < 0 ||
	    (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/* Does the bundle ask for the network of the caller? */
static bool wants_host(const struct oci_spec *s)
{
	struct stat ours, theirs;

	for (u32 i = 0; i < s->nns; i++)
		if (!strcmp(s->ns[i].type, "network"))
			return *s->ns[i].path && stat("/proc/self/ns/net", &ours) == 0 && stat(s->ns[i].path, &theirs) == 0 &&
			       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
	return true;
}

int net_named(const struct oci_spec *s)
{
	if (geteuid() != 0 || wants_host(s))
		return -1;
	for (u32 i = 0; i < s->nns; i++)
		if (!strcmp(s->ns[i].type, "network") && *s->ns[i].path)
			return open(s->ns[i].path, O_RDONLY | O_CLOEXEC);
	return -1;
}

int net_check(struct cli *cli, const struct oci_spec *s)
{
	bool host = wants_host(s);

	if (!strcmp(cli->network, "none"))
		return 0;
	if (!host && strcmp(cli->network, "host") != 0)
		return 0;
	if (host && strcmp(cli->network, "host") != 0 && !cli->allow_host_network)
		return err_set(&cli->err, -EPERM, "config.json asks for the host's own network (linux.namespaces has no network "
		               "one), which takes the sandbox's isolation from the host's services away; give the runtime "
		               "--allow-host-network to permit it (Docker: runtimeArgs), or --network=none for loopback only");
	log_msg(LOG_WARN, "reduced assurance: sockets of this container are made by the %s", host ?
	        "host's kernel, on the host's own network" : "host's kernel, in the container's network namespace");
	return 0;
}

static int join_host(struct cli *cli, struct container *c, const struct oci_spec *s, int ns, int sock)
{
	int r = netbroker_start(cli, c, s, ns, sock);

	return r < 0 ? r : in_child(cli, ns, sock, true);
}

int net_join(struct cli *cli, struct container *c, const struct oci_spec *s, int sock)
{
	bool host = wants_host(s);
	int ns = host ? -1 : open_ns(c, s), r;
	struct stat st;

	if (host || !strcmp(cli->network, "host")) {
		r = !host && ns < 0 ? ns : join_host(cli, c, s, ns, sock);
	} else if (ns == -ENOENT) {
		return 0;
	} else if (ns < 0) {
		return err_sys(&cli->err, ns, "cannot open the network namespace of \"%s\"", c->id);
	} else {
		r = in_child(cli, ns, sock, false);
		if (r == 0 && fstat(ns, &st) == 0) {
			c->netns = st.st_ino;
			r = container_save(cli, c);
		}
		if (r == 0)
			r = resolver_start(cli, c, s, ns, sock);
	}
	if (ns >= 0)
		close(ns);
	return r;
}
