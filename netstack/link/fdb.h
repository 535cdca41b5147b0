/*
 * fdb.h - which port of a bridge a link address is behind: learned, forgotten after a while, bounded.
 *
 * The owner's lock guards it.
 */
#pragma once
#include "platform/base/list.h"
#include "netstack/core/nic.h"

#define FDB_BUCKETS 256
#define FDB_MAX     4096
#define FDB_AGE_NS  300000000000ull     /* Linux' ageing_time */

struct fdb {
	struct list_head *bucket;       /* NULL until the first entry */
	u32 n, key;
};

struct fdb_entry {
	struct list_head node;
	u8  mac[6];
	struct nic *port;
	u64 seen;                       /* ns */
};

/* A frame of @mac came in by @port.  A full table learns nothing until something in it is old. */
void fdb_learn(struct fdb *f, const u8 mac[6], struct nic *port, u64 now);
struct nic *fdb_port(struct fdb *f, const u8 mac[6], u64 now);  /* NULL: not known */
/* Forget what is behind @port; NULL: everything. */
void fdb_flush(struct fdb *f, const struct nic *port);
/* The *@i-th entry that counts, or NULL, and *@i is less by those that there are. */
const struct fdb_entry *fdb_nth(const struct fdb *f, u32 *i, u64 now);
void fdb_done(struct fdb *f);
