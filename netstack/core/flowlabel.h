/*
 * flowlabel.h - IPv6 flow labels that sockets lease (IPV6_FLOWLABEL_MGR), and the label of a packet that is sent.
 *
 * A label is shared by the sockets that leased it and lingers when the last one has given it back, so that a
 * packet on its way does not get a second meaning.  Locks: labels->mu (RANK_STACK) guards the table, the labels and
 * every socket's list of leases.
 * Bounds: FL_TOTAL labels a stack, FL_PER_SOCKET leases a socket of who has no CAP_NET_ADMIN.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "netstack/api.h"

struct ep;
struct stack;

struct flowlabels {
	struct mutex mu;                /* RANK_STACK */
	struct list_head all;           /* struct flowlabel */
	u32 n;
	_Atomic bool exclusive;         /* a label is some one's own: who sends with one must have leased it */
};

#define FLOWLABEL_MASK 0xfffffu

void flowlabels_init(struct stack *s);
void flowlabels_done(struct stack *s);
/* The socket goes: its leases end. */
void flowlabel_drop_all(struct ep *e);
/* May @e send with this label?  0 or -EINVAL.  e->mu held. */
int flowlabel_usable(struct ep *e, u32 label) must_check;
/* The label of a packet whose sender gave none: from a hash of its flow, as auto_flowlabels and the socket want. */
u32 flowlabel_auto(const struct ep *e, const struct ipaddr *src, const struct ipaddr *dst, u32 ports, u8 proto);
/* The label that a message or a new connection to @sa asks for; -EINVAL: it is not the socket's to use.  e->mu held. */
int flowlabel_given(struct ep *e, const struct net_sa *sa, u32 *ret) must_check;
int flowlabel_get(struct ep *e, void *val, size_t *len) must_check;    /* getsockopt */
