/*
 * fdb.c - a bridge's table of link addresses.
 */
#include "netstack/link/fdb.h"
#include <string.h>
#include "platform/base/alloc.h"
#include "netstack/core/stack.h"

static struct list_head *bucket_of(struct fdb *f, const u8 mac[6])
{
	u32 h = f->key;

	for (int i = 0; i < 6; i++)
		h = (h ^ mac[i]) * 0x01000193u;
	return &f->bucket[(h ^ h >> 15) % FDB_BUCKETS];
}

static bool old(const struct fdb_entry *e, u64 now) { return now > e->seen && now - e->seen > FDB_AGE_NS; }

static struct fdb_entry *find(struct fdb *f, const u8 mac[6])
{
	struct fdb_entry *e;

	if (f->bucket)
		list_for_each(e, bucket_of(f, mac), node)
			if (memcmp(e->mac, mac, 6) == 0)
				return e;
	return NULL;
}

static bool make_table(struct fdb *f, struct stack *s)
{
	if (f->bucket)
		return true;
	f->bucket = kbuf_alloc(FDB_BUCKETS * sizeof(*f->bucket));
	if (!f->bucket)
		return false;
	for (int i = 0; i < FDB_BUCKETS; i++)
		list_init(&f->bucket[i]);
	f->key = stack_rand32(s);
	return true;
}

static void drop(struct fdb *f, struct fdb_entry *e)
{
	list_del_init(&e->node);
	kfree(e);
	f->n--;
}

/* Make room: what is old in this bucket goes. */
static bool has_room(struct fdb *f, struct list_head *b, u64 now)
{
	struct fdb_entry *e, *t;

	if (f->n < FDB_MAX)
		return true;
	list_for_each_safe(e, t, b, node)
		if (old(e, now))
			drop(f, e);
	return f->n < FDB_MAX;
}

void fdb_learn(struct fdb *f, const u8 mac[6], struct nic *port, u64 now)
{
	static const u8 none[6];
	struct fdb_entry *e = find(f, mac);
	struct list_head *b;

	if (e) {
		e->port = port;
		e->seen = now;
		return;
	}
	if ((mac[0] & 1) || memcmp(mac, none, 6) == 0 || !make_table(f, port->stack))
		return;
	b = bucket_of(f, mac);
	if (!has_room(f, b, now))
		return;
	e = knew(struct fdb_entry);
	if (!e)
		return;
	memcpy(e->mac, mac, 6);
	e->port = port;
	e->seen = now;
	list_add_tail(&e->node, b);
	f->n++;
}

struct nic *fdb_port(struct fdb *f, const u8 mac[6], u64 now)
{
	struct fdb_entry *e = find(f, mac);

	return e && !old(e, now) ? e->port : NULL;
}

void fdb_flush(struct fdb *f, const struct nic *port)
{
	struct fdb_entry *e, *t;

	for (int i = 0; i < FDB_BUCKETS && f->bucket; i++)
		list_for_each_safe(e, t, &f->bucket[i], node)
			if (!port || e->port == port)
				drop(f, e);
}

const struct fdb_entry *fdb_nth(const struct fdb *f, u32 *i, u64 now)
{
	struct fdb_entry *e;

	for (int k = 0; k < FDB_BUCKETS && f->bucket; k++)
		list_for_each(e, &f->bucket[k], node)
			if (!old(e, now) && (*i)-- == 0)
				return e;
	return NULL;
}

void fdb_done(struct fdb *f)
{
	fdb_flush(f, NULL);
	kfree(f->bucket);
	f->bucket = NULL;
}
