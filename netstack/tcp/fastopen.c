/*
 * fastopen.c - Fast Open cookies: making and checking ours, remembering theirs.
 *
 * A cookie is a SipHash over the addresses as they stand in the SYN, so that
 * servers behind one address can share a key; the layout is Linux'.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "platform/base/alloc.h"
#include "netstack/core/nic.h"
#include "netstack/tcp/tcp.h"

#define COOKIE_LEN 8

void tfo_init(struct stack *s)
{
	mutex_init(&s->tfo.mu, RANK_STACK);
	s->ops->random(s->ctx, &s->tfo.key[0], sizeof(s->tfo.key[0]));
	s->tfo.nkeys = 1;
}

void tfo_done(struct stack *s) { kfree(s->tfo.cache); }

/* ------------------------------------------------------------------- keys */

void tfo_keys_load(struct sipkey *key, const u8 *b, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		memcpy(key[i].k, b + 16 * i, 16);
}

void tfo_keys_store(const struct sipkey *key, u8 *b, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		memcpy(b + 16 * i, key[i].k, 16);
}

/* Four words in hexadecimal, each stored little-endian. */
static bool parse_key(const char *s, struct sipkey *ret)
{
	u32 w[4];
	char end = 0;

	if (sscanf(s, "%8x-%8x-%8x-%8x%c", &w[0], &w[1], &w[2], &w[3], &end) < 4 ||
	    (end && end != ',' && end != '\n'))
		return false;
	memcpy(ret->k, w, 16);
	return true;
}

int tfo_key_set(struct stack *s, const char *val)
{
	const char *comma = strchr(val, ',');
	struct sipkey k[2];

	if (!parse_key(val, &k[0]) || (comma && !parse_key(comma + 1, &k[1])))
		return -EINVAL;
	mutex_lock(&s->tfo.mu);
	s->tfo.nkeys = comma ? 2 : 1;
	memcpy(s->tfo.key, k, s->tfo.nkeys * sizeof(k[0]));
	mutex_unlock(&s->tfo.mu);
	return 0;
}

int tfo_key_get(struct stack *s, char *buf, size_t cap)
{
	u32 w[8], n, i;
	int at = 0;

	mutex_lock(&s->tfo.mu);
	n = s->tfo.nkeys;
	memcpy(w, s->tfo.key, sizeof(w));
	mutex_unlock(&s->tfo.mu);
	for (i = 0; i < n * 4 && at < (int)cap; i++)
		at += snprintf(buf + at, cap - (size_t)at, "%08x%c", w[i],
			       i % 4 < 3 ? '-' : i + 1 == n * 4 ? '\n' : ',');
	return at < (int)cap ? 0 : -ENOSPC;
}

/* ------------------------------------------------------------------ option */

void tfo_cookie_of(const struct tcp_opts *o, struct tfo_cookie *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->len = -1;
	if (!o->has_fo)
		return;
	ret->exp = o->fo_exp;
	if (o->fo_len == 0 || (o->fo_len >= TCP_FO_MIN && o->fo_len <= TCP_FO_MAX))
		ret->len = (int8_t)o->fo_len;
	if (ret->len > 0)
		memcpy(ret->b, o->fo_cookie, o->fo_len);
}

void tfo_put(struct tcp_opts *o, const struct tfo_cookie *c)
{
	if (c->len < 0)
		return;
	o->has_fo = true;
	o->fo_exp = c->exp;
	o->fo_len = (u8)c->len;
	o->fo_cookie = c->b;
}

/* ------------------------------------------------------------------ server */

static void make_cookie(const struct sipkey *key, const struct connkey *k, struct tfo_cookie *ret)
{
	bool v4 = ip_is4(&k->raddr);
	u32 n = v4 ? 4 : 16, off = 16 - n;
	u8 b[32];
	u64 h;

	memcpy(b, k->raddr.b + off, n);
	memcpy(b + n, k->laddr.b + off, n);
	h = siphash(key, b, 2 * n);
	ret->len = COOKIE_LEN;
	memcpy(ret->b, &h, COOKIE_LEN);
}

/* 0 no, 1 by the first key, 2 by an old one; *ret_fresh is made by the first. */
static int check_cookie(struct tcp_ep *l, const struct connkey *k, const struct tfo_cookie *c,
			struct tfo_cookie *ret_fresh)
{
	struct tfo *f = &l->ep.stack->tfo;
	struct tfo_cookie old = { 0 };
	struct sipkey key[2];
	u32 n = l->fo.nkeys;

	if (n) {
		memcpy(key, l->fo.key, sizeof(key));
	} else {
		mutex_lock(&f->mu);
		memcpy(key, f->key, sizeof(key));
		n = f->nkeys;
		mutex_unlock(&f->mu);
	}
	make_cookie(&key[0], k, ret_fresh);
	if (c->len == COOKIE_LEN && memcmp(c->b, ret_fresh->b, COOKIE_LEN) == 0)
		return 1;
	if (n > 1)
		make_cookie(&key[1], k, &old);
	return n > 1 && c->len == COOKIE_LEN && memcmp(c->b, old.b, COOKIE_LEN) == 0 ? 2 : 0;
}

bool tfo_accepts(struct tcp_ep *l, const struct connkey *k, const struct tcp_seg *g,
		 struct tfo_cookie *ret_send)
{
	struct stack *s = l->ep.stack;
	u32 mode = (u32)s->sysctl.tcp_fastopen[0];
	struct tfo_cookie c, fresh = { .len = -1 };
	int ok = 0;

	tfo_cookie_of(&g->o, &c);
	*ret_send = fresh;
	if (!(mode & TFO_SERVER) || (!g->len && c.len < 0) ||
	    atomic_load(&l->aq->fo_pending) >= l->fo.backlog)
		return false;
	fresh.exp = c.exp;
	if ((mode & TFO_SERVER_NO_COOKIE) || l->fo.no_cookie) {
		MIB(s, TcpExt_TCPFastOpenPassive);
		return true;
	}
	if (c.len >= 0)
		ok = check_cookie(l, k, &c, &fresh);
	if (c.len == 0)
		MIB(s, TcpExt_TCPFastOpenCookieReqd);
	else if (c.len > 0 && !ok)
		MIB(s, TcpExt_TCPFastOpenPassiveFail);
	if (ok != 1)
		*ret_send = fresh;
	if (ok)
		MIB(s, TcpExt_TCPFastOpenPassive);
	return ok != 0;
}

/* ------------------------------------------------------------------ client */

static struct tfo_entry *find(struct tfo *f, const struct tcp_ep *t)
{
	u32 i;

	for (i = 0; f->cache && i < TFO_CACHE; i++) {
		struct tfo_entry *e = &f->cache[i];

		if (e->mss && ip_eq(&e->raddr, &t->ep.raddr) && ip_eq(&e->laddr, &t->ep.laddr))
			return e;
	}
	return NULL;
}

bool tfo_client(struct tcp_ep *t, struct tfo_cookie *ret, u16 *ret_mss)
{
	struct stack *s = t->ep.stack;
	struct tfo_entry *e;

	memset(ret, 0, sizeof(*ret));
	mutex_lock(&s->tfo.mu);
	e = find(&s->tfo, t);
	if (e) {
		*ret = e->c;
		*ret_mss = MIN(*ret_mss, e->mss);
		if (e->c.len <= 0)
			ret->exp = e->try_exp == 1;
	}
	mutex_unlock(&s->tfo.mu);
	if ((s->sysctl.tcp_fastopen[0] & TFO_CLIENT_NO_COOKIE) || t->fo.no_cookie) {
		ret->len = -1;
		return true;
	}
	return ret->len > 0;
}

static void learn(struct tcp_ep *t, u16 mss, const struct tfo_cookie *c, u8 try_exp)
{
	struct tfo *f = &t->ep.stack->tfo;
	struct tfo_entry *e;

	mutex_lock(&f->mu);
	if (!f->cache)
		f->cache = kbuf_alloc(TFO_CACHE * sizeof(*f->cache));
	if (f->cache) {
		e = find(f, t);
		if (!e) {
			e = &f->cache[f->next++ % TFO_CACHE];
			memset(e, 0, sizeof(*e));
			e->laddr = t->ep.laddr;
			e->raddr = t->ep.raddr;
		}
		e->mss = mss;
		if (c->len > 0)
			e->c = *c;
		else if (try_exp > e->try_exp && e->c.len <= 0)
			e->try_exp = try_exp;
	}
	mutex_unlock(&f->mu);
}

bool tfo_synack(struct tcp_ep *t, const struct tcp_seg *g)
{
	struct stack *s = t->ep.stack;
	struct tfo_cookie c;
	struct txr *x;
	u8 try_exp = 0;

	if (!t->fo.asked && !t->fo.data)
		return false;
	tfo_cookie_of(&g->o, &c);
	if (!t->fo.asked)
		c.len = -1;             /* one that we did not ask for */
	else if (!t->total_retrans && c.len < 0 && !t->fo.data)
		try_exp = t->fo.exp ? 2 : 1;
	learn(t, MAX(t->peer_mss, (u16)TCP_MSS_MIN), &c, try_exp);
	if (t->fo.data && t->snd_una != t->snd_nxt) {
		MIB(s, TcpExt_TCPFastOpenActiveFail);
		list_for_each(x, &t->txrs, node)
			txr_mark_lost(t, x);
		return true;
	}
	if (t->fo.data) {
		MIB(s, TcpExt_TCPFastOpenActive);
		t->fo.data_acked = true;
		t->ndelivered -= t->ndelivered > 1;     /* SYN and data count as one */
	}
	return false;
}

/* Reserved in a SYN for what middleboxes add. */
#define SYN_OPTIONS 40u

/* Address, port and place in the table, if connect() has not taken them yet; mu held. */
static int begin(struct tcp_ep *t, const struct net_sa *name)
{
	int r;

	if (!(t->ep.stack->sysctl.tcp_fastopen[0] & TFO_CLIENT) || (name && name->family == AF_UNSPEC))
		return -EOPNOTSUPP;
	if (t->fo.taking)
		return -EALREADY;
	if (t->fo.deferred)
		return 0;
	r = tcp_connect_state(t);
	if (r == 0)
		r = name ? tcp_prepare(t, name) : -EINVAL;
	return r;
}

ssize_t tfo_send(struct tcp_ep *t, struct net_msg *m)
{
	struct list_head l;
	u16 mss = UINT16_MAX;
	ssize_t r;
	u32 n = 0;

	m->taken = 0;
	list_init(&l);
	mutex_lock(&t->ep.mu);
	r = begin(t, m->name);
	if (r == 0) {
		t->fo.taking = true;
		if (tfo_client(t, &t->fo.cookie, &mss)) {
			t->peer_mss = mss;
			tcp_sync_mss(t);
			n = t->mss + (t->ts_ok ? 12u : 0);
			n = n > SYN_OPTIONS ? (u32)MIN(m->io->len, (size_t)(n - SYN_OPTIONS)) : 0;
		} else {
			t->fo.cookie.len = 0;
		}
		t->fo.asked = t->fo.cookie.len >= 0;
		t->fo.exp = t->fo.cookie.exp;
	}
	mutex_unlock(&t->ep.mu);
	if (r > 0) {                    /* connected by now: a plain send */
		m->flags &= ~(u32)MSG_FASTOPEN;
		return tcp_send(&t->ep, m);
	}
	if (r < 0)
		return r;
	if (n)
		r = sndq_fill(t, m->io, n, &l);
	mutex_lock(&t->ep.mu);
	if (t->state == TCPS_SYN_SENT && t->fo.taking) {
		if (r > 0) {
			m->taken = (size_t)r;
			sndq_append(t, &l);
			t->push_seq = t->write_seq;
			zc_note(t, m);
			t->fo.more = !(m->flags & MSG_DONTWAIT) && m->taken < m->io->len;
		}
		tcp_launch(t, (u32)MAX(r, 0));
	}
	mutex_unlock(&t->ep.mu);
	sndq_drop(&l);
	return r < 0 ? r : -EINPROGRESS;
}
