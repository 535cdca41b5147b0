/*
 * netlink_netns.c - the network namespaces that rtnetlink's requests name, by a process or a descriptor, and the numbers that they have
 * for each other.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/ns.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"
#include "sentry/socket/netlink.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"

static struct net *of_process(struct task *t, u32 pid, int *ret_err)
{
	auto_task *x = task_find_nr(t, (int)pid);
	struct ns *ns = x ? task_ns_get(x, NS_NET) : NULL;

	*ret_err = -ESRCH;
	return net_of_ns(ns);
}

static struct net *of_descriptor(struct task *t, u32 fd, int *ret_err)
{
	auto_file *f = fd_get(t, (int)fd);
	struct ns *ns = f ? nsfs_ns(f) : NULL;

	*ret_err = f ? -EINVAL : -EBADF;
	return ns && ns->kind == NS_NET ? net_ref(net_of_ns(ns)) : NULL;
}

static struct nl_target *find(const struct nl_targets *x, u16 type, u32 v)
{
	for (u32 i = 0; i < x->n; i++)
		if (x->t[i].type == type && x->t[i].v == v)
			return (struct nl_target *)&x->t[i];
	return NULL;
}

/* The attributes that name one: of links, and of questions about numbers.  Targets are kept under the first ones. */
static const u16 of_link[] = { IFLA_NET_NS_PID, IFLA_NET_NS_FD }, of_nsid[] = { NETNSA_PID, NETNSA_FD };

static void add(struct task *t, const struct nl_req *q, size_t fixed, const u16 attrs[2], struct nl_targets *ret)
{
	const u16 *types = of_link;
	struct nl_target *g;
	u32 v;

	for (int i = 0; i < 2; i++) {
		if (!nl_find_u32(q, fixed, attrs[i], &v) || find(ret, types[i], v) || ret->n == NL_TARGETS)
			continue;
		g = &ret->t[ret->n++];
		g->type = types[i];
		g->v = v;
		g->net = types[i] == IFLA_NET_NS_PID ? of_process(t, v, &g->err) : of_descriptor(t, v, &g->err);
	}
}

/* One message: its link, and the other end of a veth. */
static void look_at(struct task *t, const struct nl_req *q, struct nl_targets *ret)
{
	struct nl_req info, data, peer;

	if (q->h.nlmsg_type == RTM_GETNSID) {
		add(t, q, sizeof(struct rtgenmsg), of_nsid, ret);
		return;
	}
	add(t, q, sizeof(struct ifinfomsg), of_link, ret);
	if (nl_within(q, sizeof(struct ifinfomsg), IFLA_LINKINFO, &info) && nl_within(&info, 0, IFLA_INFO_DATA, &data) &&
	    nl_within(&data, 0, VETH_INFO_PEER, &peer))
		add(t, &peer, sizeof(struct ifinfomsg), of_link, ret);
}

void netlink_targets_find(struct task *t, const u8 *buf, u32 len, struct nl_targets *ret)
{
	ret->n = 0;
	while (len >= NLMSG_HDRLEN) {
		struct nl_req q = { .body = buf + NLMSG_HDRLEN };
		u32 step;

		memcpy(&q.h, buf, sizeof(q.h));
		if (q.h.nlmsg_len < NLMSG_HDRLEN || q.h.nlmsg_len > len)
			break;
		q.len = q.h.nlmsg_len - NLMSG_HDRLEN;
		if (q.h.nlmsg_type == RTM_NEWLINK || q.h.nlmsg_type == RTM_SETLINK || q.h.nlmsg_type == RTM_GETNSID)
			look_at(t, &q, ret);
		step = MIN((u32)NLMSG_ALIGN(q.h.nlmsg_len), len);
		buf += step;
		len -= step;
	}
}

void netlink_targets_done(struct nl_targets *x)
{
	for (u32 i = 0; i < x->n; i++)
		net_unref(x->t[i].net);
	x->n = 0;
}

static int named(struct nl_req *q, size_t fixed, const u16 attrs[2], struct net **ret)
{
	u32 v, pid;
	bool by_pid = nl_find_u32(q, fixed, attrs[0], &pid), by_fd = nl_find_u32(q, fixed, attrs[1], &v);
	struct nl_target *g;

	*ret = NULL;
	if (!by_pid && !by_fd)
		return 0;
	if (by_pid && by_fd)
		return -EINVAL;
	g = find(q->targets, of_link[by_fd], by_pid ? pid : v);
	if (!g)
		return -ENOBUFS;        /* more in one sendmsg() than anybody needs */
	*ret = g->net;
	return g->net ? 0 : g->err;
}

int netlink_target(struct nl_req *q, size_t fixed, struct net **ret)
{
	int r = named(q, fixed, of_link, ret);

	return r == 0 && *ret && !net_capable(q->t, *ret, CAP_NET_ADMIN) ? -EPERM : r;
}

int netlink_get_nsid(struct nl_req *q)
{
	struct rtgenmsg m = { .rtgen_family = AF_UNSPEC };
	struct net *n;
	int r = named(q, sizeof(m), of_nsid, &n);

	if (r < 0)
		return r;
	if (!n)
		return nl_refuse(q, -EINVAL, "Peer netns reference is missing");
	nl_begin(q->reply, RTM_NEWNSID, 0, q->h.nlmsg_seq, q->portid, &m, sizeof(m));
	nl_attr_u32(q->reply, NETNSA_NSID, (u32)net_nsid(q->net, n, false));
	(void)nl_end(q->reply);
	return 0;
}
