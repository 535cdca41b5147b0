/*
 * conntab.h - TCP connections by address and port pairs.
 *
 * Holds three kinds of node: full endpoints, half-open requests and
 * TIME_WAITs, so that one look-up finds whatever a segment belongs to.  Table
 * of lists under 64 locks (RANK_STACK); grows never, but the lists stay short
 * for some ten thousand connections.  A node in the table holds a reference.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "netstack/api.h"

#define CONN_BUCKETS 4096
#define CONN_LOCKS   64

struct stack;

struct connkey {
	struct ipaddr laddr, raddr;
	u16 lport, rport;
};

enum conn_kind { CONN_EP, CONN_REQ, CONN_TW };

struct connnode {
	struct connnode *next, **prev;  /* guarded by the bucket's lock */
	struct connkey key;             /* immutable while hashed */
	u32 hash;
	u8 kind;                        /* enum conn_kind; immutable */
	bool hashed;
};

struct conntab {
	struct mutex mu[CONN_LOCKS];    /* RANK_STACK */
	struct connnode **bucket;
	_Atomic u32 n_tw, n_req;
};

int conntab_init(struct conntab *t) must_check;
void conntab_done(struct conntab *t);
u32 conn_hash(struct stack *s, const struct connkey *k);
/* -EADDRINUSE when the 4-tuple is taken.  The caller passes a reference in. */
int conn_insert(struct stack *s, struct connnode *n) must_check;
/* Put @n where @old is, atomically.  False when @old is no longer there. */
bool conn_replace(struct stack *s, struct connnode *old, struct connnode *n) must_check;
/* True when it was in (the caller drops the table's reference). */
bool conn_remove(struct stack *s, struct connnode *n) must_check;
/* With a reference (conn_ref), or NULL. */
struct connnode *conn_lookup(struct stack *s, const struct connkey *k);
void conn_ref(struct connnode *n);
void conn_unref(struct connnode *n);
/* Snapshot of a bucket for dumps: up to @max referenced nodes, skipping the first @skip. */
int conn_bucket_nodes(struct stack *s, u32 bucket, int skip, struct connnode **ret, int max);
