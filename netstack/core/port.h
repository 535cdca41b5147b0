/*
 * port.h - who is bound to which local port, and who gets a datagram or SYN.
 *
 * One bucket a hash of the port, each with two lists: @binds (sockets that
 * bound, listen, or are UDP) and @kids (accepted TCP connections), which only
 * matter for bind conflicts, so that looking up a listener does not wade
 * through its connections.
 *
 * Locks: bucket mu (RANK_STACK).  The key fields of a bindnode change only
 * under it; a node in a list holds a reference on its endpoint.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "netstack/api.h"

#define PORT_BUCKETS 256
#define PORT_TURNS 1024

struct ep;
struct stack;
struct pktbuf;
enum port_proto { PORT_TCP, PORT_UDP, PORT_PROTOS };

enum {
	BIND_REUSEADDR = 1, BIND_REUSEPORT = 2, BIND_V6ONLY = 4, BIND_LISTEN = 8,
	BIND_V6 = 16,           /* an AF_INET6 socket */
	BIND_AUTO = 32,         /* the port was chosen by connect() */
	BIND_KID = 64,
	BIND_DUAL = 256,        /* of IPv6 for both families, and bound to no address */
	BIND_SERVICE = 128,     /* the owner's own: goes before every other binding and is in nobody's way */
};

struct bindnode {
	struct list_head node;
	struct ep *ep;          /* immutable; NULL: a TIME_WAIT */
	struct ipaddr laddr, raddr;
	u16 lport, rport;       /* rport 0: not connected */
	u32 ifindex, uid, flags;
	u8  proto;              /* enum port_proto */
	bool hashed;
};

struct portbucket {
	struct mutex mu;        /* RANK_STACK */
	struct list_head binds, kids;
};

struct porttab {
	struct portbucket b[PORT_PROTOS][PORT_BUCKETS];
	_Atomic u32 turn[PORT_TURNS];   /* port_auto(): where the next search begins, by a hash of the destination */
};

void porttab_init(struct porttab *t);

/* Claim a port (0: choose one).  0, -EADDRINUSE; fills n->lport and hashes it. */
int port_bind(struct stack *s, struct bindnode *n, u16 port) must_check;
/* The node of an accepted connection, or of a TIME_WAIT (no endpoint); cannot fail. */
void port_bind_kid(struct stack *s, struct bindnode *n);
void port_unbind(struct stack *s, struct bindnode *n);
/* Change keys of a hashed node; port stays. */
void port_rekey(struct stack *s, struct bindnode *n, const struct ipaddr *laddr,
		const struct ipaddr *raddr, u16 rport, u32 flags);
/* Become a listener unless another listener may not share the port. */
int port_listen(struct stack *s, struct bindnode *n) must_check;
/* Choose a port for a connection by RFC 6056, algorithm 4; ok() says whether the 4-tuple is free. */
int port_auto(struct stack *s, struct bindnode *n, bool (*ok)(struct bindnode *n, u16 port))
	must_check;

struct port_key {
	struct ipaddr laddr, raddr;
	u16 lport, rport;
	u32 ifindex;
};

/* Best match with a reference, or NULL.  @listen: listeners only. */
struct ep *port_lookup(struct stack *s, enum port_proto proto, const struct port_key *k, bool listen);
/* Every endpoint that should see a multicast or broadcast datagram. */
int port_lookup_all(struct stack *s, enum port_proto proto, const struct port_key *k,
		    struct ep **ret, int max);
