/*
 * netlink.h - AF_NETLINK sockets: messages, replies and dumps, and what a protocol supplies.
 *
 * A request is answered inside sendmsg(): its replies are queued on the socket that asked.  A dump
 * is not made at once: it is a cursor, and each datagram of it is made when the one before has
 * been read, so what a guest can make us hold is bounded.
 *
 * Everything in a request is hostile: handlers see a body whose length is checked, and reach
 * attributes by nl_find(), which never steps over the end.
 */
#pragma once
#include <linux/netlink.h>
#include "netstack/api.h"
#include "sentry/socket/socket.h"

struct stack;
struct net;

#define NL_DGRAM 3776           /* largest datagram of a dump: readers use buffers of a page */

/* Sockets with a port, by kernel. */
struct netlink_table {
	struct mutex mu;                /* RANK_LEAF */
	struct list_head socks GUARDED_BY(mu);
};
void netlink_table_init(struct netlink_table *nt);
bool netlink_is(struct file *f);
/* A datagram from the kernel, no message: mq_notify(2)'s. @f is a netlink socket. */
void netlink_post(struct file *f, const void *data, u32 len);

/* A reply that grows message by message. */
struct nl_buf {
	u8 *p;
	u32 len, cap;
	u32 start;                      /* of the message that is open */
	bool full;                      /* something did not fit: nl_end() drops the message */
};

void nl_begin(struct nl_buf *b, u16 type, u16 flags, u32 seq, u32 portid, const void *fixed, size_t n);
void nl_attr(struct nl_buf *b, u16 type, const void *v, size_t n);
void nl_attr_u8(struct nl_buf *b, u16 type, u8 v);
void nl_attr_u32(struct nl_buf *b, u16 type, u32 v);
void nl_attr_str(struct nl_buf *b, u16 type, const char *s);
u32 nl_nest(struct nl_buf *b, u16 type);
void nl_nest_end(struct nl_buf *b, u32 at);
bool nl_end(struct nl_buf *b);          /* false: no room, the message is not there */

struct nl_dump {
	/* Add messages from d->pos on while they fit. 0: all told; 1: more to come. */
	int (*fill)(struct nl_dump *d, struct nl_buf *b);
	struct stack *st;
	struct net *net;                /* borrowed: the socket's */
	u32 seq, portid;
	u32 pos;
	u16 flags;                      /* NLM_F_* beside MULTI */
	u8 family;
	u32 ifindex, table;             /* filters of a strict request; 0 = any */
	u32 proto, states, ext;         /* sock_diag */
	u16 sport, dport;               /* the same; 0: any */
	u32 code_len;
	u8 *code;                       /* the same, a program of diag_filter.h, or NULL; freed with the dump */
	int err;                        /* said at the end, with why: -errno */
	const char *why;
	struct nft_filter nft;
};

/* What the messages of one sendmsg() build up together: a change of nf_tables. */
struct nl_batch { struct nft_batch *nft; bool failed; };

/* Why a request is refused, and for which attribute: the offset from the message's header, or 0. */
struct nl_ext { const char *msg; u32 at; };

/*
 * The network namespaces that a message's links are to go to.  They are found before the socket is locked, as processes and
 * descriptors are locked before it.  netlink_netns.c
 */
#define NL_TARGETS 8            /* of one sendmsg(); a message has two at most */
struct nl_target { u16 type; u32 v; int err; struct net *net; };        /* IFLA_NET_NS_*; a reference, or why not */
struct nl_targets { struct nl_target t[NL_TARGETS]; u32 n; };
void netlink_targets_find(struct task *t, const u8 *buf, u32 len, struct nl_targets *ret);
void netlink_targets_done(struct nl_targets *x);
struct nl_req;
/*
 * What the attributes after @fixed bytes say about where a link goes: a borrowed namespace in which the asker may do that, NULL: they say nothing.
 * -errno.
 */
int netlink_target(struct nl_req *q, size_t fixed, struct net **ret) must_check;
/* netlink_bridge.c: what AF_BRIDGE is asked for. */
int netlink_dump_ports(struct nl_dump *d, struct nl_buf *b);
int netlink_dump_fdb(struct nl_dump *d, struct nl_buf *b);
int netlink_get_nsid(struct nl_req *q) must_check;

struct nl_req {
	struct task *t;
	struct stack *st;
	struct net *net;
	struct nlmsghdr h;
	const u8 *body;                 /* after the header */
	u32 len;                        /* of body */
	u32 portid;
	bool strict;                    /* NETLINK_GET_STRICT_CHK */
	struct nl_buf *reply;           /* NL_DGRAM of room */
	struct nl_batch *batch;
	struct nl_dump *dump;           /* fill it and return NL_DUMP */
	struct nl_ext ext;
	struct nl_buf *note;            /* a change: what is told to the members of note_group; NL_DGRAM of room */
	u32 note_group;                 /* RTNLGRP_*; 0: nobody is told */
	const struct nl_targets *targets;
};

#define NL_DUMP 1

/* The attribute @type after @fixed bytes of the body, NULL if absent or shorter than @min. */
const void *nl_find(const struct nl_req *q, size_t fixed, u16 type, size_t min, u32 *ret_len);
bool nl_find_u32(const struct nl_req *q, size_t fixed, u16 type, u32 *ret);
/* A name; false if there is none or it is too long. */
bool nl_find_name(const struct nl_req *q, size_t fixed, u16 type, char ret[NET_IFNAMSIZ]);
/* The attributes within an attribute, as the body of a request; false: there is no such one. */
bool nl_within(const struct nl_req *q, size_t fixed, u16 type, struct nl_req *ret);
/* The body's fixed part, zeros beyond what was sent; false if less than @min was. */
bool nl_fixed(const struct nl_req *q, void *dst, size_t n, size_t min);

/* @error, and @why for those who asked for words (NETLINK_EXT_ACK). */
int nl_refuse(struct nl_req *q, int error, const char *why);
/* The dump ends at once, with @error. */
int nl_dump_nothing(struct nl_dump *d, struct nl_buf *b);
/* netlink_check.c */
int netlink_check_lengths(struct nl_req *q) must_check;
int netlink_check_strict(struct nl_req *q) must_check;

/* 0, NL_DUMP or -errno (told as NLMSG_ERROR). */
int netlink_route(struct nl_req *q) must_check;
int netlink_route_change(struct nl_req *q) must_check;
int netlink_change_link(struct nl_req *q) must_check;
int netlink_delete_link(struct nl_req *q) must_check;
int netlink_sock_diag(struct nl_req *q) must_check;
int netlink_netfilter(struct nl_req *q) must_check;
int netlink_generic(struct nl_req *q) must_check;

/* Tell the members of a group of what q, which is RTM_NEW* or RTM_DEL*, has changed. */
struct addr_info;
struct neigh_info;
struct route_info;
/* Several may be told of, the last one's group counts. */
void netlink_note_link(struct nl_req *q, u32 ifindex);
void netlink_note_addr(struct nl_req *q, const struct addr_info *a);
void netlink_note_route(struct nl_req *q, const struct route_info *r);
void netlink_note_neigh(struct nl_req *q, const struct neigh_info *n);

int netlink_create(struct task *t, int type, int proto, struct file **ret) must_check;
