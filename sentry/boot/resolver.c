/*
 * resolver.c - the engine's DNS server at 127.0.0.11:53, as the guest sees it.
 *
 * Docker's server listens in the kernel of the container's namespace, which the guest cannot reach.  Two endpoints of
 * the stack stand for it, and whole DNS messages go through a helper process (runsc-cli/setup/resolver.c) that can
 * connect to that one address.  One thread takes queries from the endpoints; another takes
 * answers from the helper.  If the helper is gone, queries stay without an answer.
 *
 * Life:  for the sandbox's.  At most QUERIES datagrams wait for an answer (older ones are forgotten)
 *        and CONNS connections are served, with one query in flight each.
 * Locks: mu (RANK_LEAF) guards queries and connections; endpoints are called without it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "platform/host/futex.h"
#include "platform/host/hthread.h"
#include "platform/host/packet.h"
#include "sentry/boot/boot_int.h"
#include "sentry/socket/net.h"

#define QUERIES 256u
#define CONNS   16u
#define STACK_SIZE (128 * 1024)
#define ID_CONN 0x80000000u             /* the answer goes to a connection, not a datagram */

enum conn_step { CONN_FREE, CONN_READ, CONN_ASKED, CONN_ANSWER };

struct tcp_conn {
	struct ep *ep;                  /* first thread only */
	_Atomic u32 step;               /* enum conn_step */
	u32 id;                         /* guarded by mu: of the query in flight */
	size_t at, len;                 /* of buf; the owner of the step's */
	u8 *buf;                        /* 2 bytes of length, message */
};

struct resolver {
	hostfd_t fd;                    /* immutable, like udp and tcp */
	struct ep *udp, *tcp;
	_Atomic u32 kicked;             /* futex: the first thread has something to look at */
	struct mutex mu;                /* RANK_LEAF */
	u32 next_id;                    /* guarded by mu */
	struct { u32 id; struct net_sa peer; } query[QUERIES];  /* guarded by mu; id 0: free */
	struct tcp_conn conn[CONNS];
};

struct flat_io { struct net_io io; u8 *p; size_t at; bool out; };

static int flat_copy(struct net_io *io, void *kbuf, size_t n)
{
	struct flat_io *f = container_of(io, struct flat_io, io);

	if (f->out)
		memcpy(kbuf, f->p + f->at, n);
	else
		memcpy(f->p + f->at, kbuf, n);
	f->at += n;
	return 0;
}

static ssize_t ep_move(struct ep *e, bool out, void *buf, size_t n, struct net_sa *name)
{
	struct flat_io f = { .io = { .len = n, .copy = flat_copy }, .p = buf, .out = out };
	struct net_msg m = { .io = &f.io, .flags = MSG_DONTWAIT | MSG_NOSIGNAL, .name = name };

	return out ? ep_send(e, &m) : ep_recv(e, &m);
}

static void kick(void *opaque, u32 events)
{
	struct resolver *r = opaque;

	(void)events;
	if (!atomic_exchange(&r->kicked, 1))
		host_futex_wake(&r->kicked, 1);
}

static u32 new_id(struct resolver *r)
{
	r->next_id = (r->next_id + 1) & ~ID_CONN;
	if (!r->next_id)
		r->next_id = 1;
	return r->next_id;
}

static void ask(struct resolver *r, u32 id, const void *msg, size_t n)
{
	struct dns_hdr h = { .id = id, .tcp = id & ID_CONN ? 1 : 0 };
	struct iovec v[2] = { { &h, sizeof(h) }, { (void *)msg, n } };

	if (host_writev(r->fd, v, 2) < 0)
		log_ratelimited("resolver: the helper does not take queries");
}

static void take_datagrams(struct resolver *r, u8 *buf)
{
	struct net_sa from;
	ssize_t n;

	while ((n = ep_move(r->udp, false, buf, DNS_MAX, &from)) >= 0) {
		u32 id;

		mutex_lock(&r->mu);
		id = new_id(r);
		r->query[id % QUERIES].id = id;
		r->query[id % QUERIES].peer = from;
		mutex_unlock(&r->mu);
		ask(r, id, buf, (size_t)n);
	}
}

/* ---- connections: the first thread owns them in READ and ANSWER, the second moves ASKED to ANSWER ---- */

static void conn_end(struct resolver *r, struct tcp_conn *c)
{
	u8 *buf = c->buf;

	ep_close(c->ep);
	mutex_lock(&r->mu);
	c->ep = NULL;
	c->buf = NULL;
	c->at = c->len = 0;
	c->step = CONN_FREE;
	mutex_unlock(&r->mu);
	kfree(buf);
}

static void take_connections(struct resolver *r)
{
	struct net_sa peer;
	struct ep *e;

	while (ep_accept(r->tcp, &peer, &e) == 0) {
		struct tcp_conn *c = NULL;

		for (u32 i = 0; i < CONNS && !c; i++)
			if (r->conn[i].step == CONN_FREE)
				c = &r->conn[i];
		if (c)
			c->buf = kbuf_alloc(2 + DNS_MAX);
		if (!c || !c->buf) {
			ep_close(e);
			continue;
		}
		c->ep = e;
		c->step = CONN_READ;
		ep_set_ready(e, kick, r);
	}
}

/* false: the connection is over. */
static bool conn_read(struct resolver *r, struct tcp_conn *c)
{
	while (c->step == CONN_READ) {
		size_t want = c->at < 2 ? 2 : 2 + ((size_t)c->buf[0] << 8 | c->buf[1]);
		ssize_t n;

		if (c->at == want) {
			mutex_lock(&r->mu);
			c->id = new_id(r) | ID_CONN;
			c->step = CONN_ASKED;
			mutex_unlock(&r->mu);
			ask(r, c->id, c->buf + 2, want - 2);
			return true;
		}
		n = ep_move(c->ep, false, c->buf + c->at, want - c->at, NULL);
		if (n == -EAGAIN)
			return true;
		if (n <= 0)
			return false;
		c->at += (size_t)n;
	}
	return true;
}

static bool conn_answer(struct tcp_conn *c)
{
	while (c->at < c->len) {
		ssize_t n = ep_move(c->ep, true, c->buf + c->at, c->len - c->at, NULL);

		if (n == -EAGAIN)
			return true;
		if (n <= 0)
			return false;
		c->at += (size_t)n;
	}
	c->at = 0;
	c->step = CONN_READ;
	return true;
}

static void serve_connections(struct resolver *r)
{
	for (u32 i = 0; i < CONNS; i++) {
		struct tcp_conn *c = &r->conn[i];
		u32 step = c->step;
		bool ok = true;

		if (step == CONN_ANSWER)
			ok = conn_answer(c);
		if (ok && (step == CONN_READ || (step == CONN_ANSWER && c->step == CONN_READ)))
			ok = conn_read(r, c);
		else if (step == CONN_ASKED && (ep_poll(c->ep) & (POLLERR | POLLHUP)))
			ok = false;
		if (!ok)
			conn_end(r, c);
	}
}

static void *queries_main(void *arg)
{
	struct resolver *r = arg;
	u8 *buf = kbuf_alloc(DNS_MAX);

	while (buf) {
		atomic_store(&r->kicked, 0);
		take_datagrams(r, buf);
		take_connections(r);
		serve_connections(r);
		(void)host_futex_wait(&r->kicked, 0, INT64_MAX);
	}
	return NULL;
}

static void answer_conn(struct resolver *r, u32 id, const u8 *msg, size_t n)
{
	mutex_lock(&r->mu);
	for (u32 i = 0; i < CONNS; i++) {
		struct tcp_conn *c = &r->conn[i];

		if (c->step != CONN_ASKED || c->id != id)
			continue;
		c->buf[0] = (u8)(n >> 8);
		c->buf[1] = (u8)n;
		memcpy(c->buf + 2, msg, n);
		c->at = 0;
		c->len = n + 2;
		c->step = CONN_ANSWER;
		break;
	}
	mutex_unlock(&r->mu);
	kick(r, 0);
}

static void answer_datagram(struct resolver *r, u32 id, u8 *msg, size_t n)
{
	struct net_sa peer = { .family = 0 };

	mutex_lock(&r->mu);
	if (id && r->query[id % QUERIES].id == id) {
		peer = r->query[id % QUERIES].peer;
		r->query[id % QUERIES].id = 0;
	}
	mutex_unlock(&r->mu);
	if (peer.family)
		(void)!ep_move(r->udp, true, msg, n, &peer);
}

static void *answers_main(void *arg)
{
	struct resolver *r = arg;
	u8 *buf = kbuf_alloc(DNS_MAX);
	struct dns_hdr h;
	ssize_t n = 0;

	while (buf) {
		struct iovec v[2] = { { &h, sizeof(h) }, { buf, DNS_MAX } };

		n = host_readv(r->fd, v, 2);
		if (n < (ssize_t)sizeof(h))
			break;
		n -= (ssize_t)sizeof(h);
		if (h.id & ID_CONN)
			answer_conn(r, h.id, buf, (size_t)n);
		else
			answer_datagram(r, h.id, buf, (size_t)n);
	}
	log_error("resolver: the helper is gone; names of the engine's network are not answered any more");
	kfree(buf);
	return NULL;
}

static int open_endpoints(struct resolver *r, struct stack *st)
{
	const struct net_sa at = { .family = AF_INET, .port = 53, .ip = { { [10] = 0xff, 0xff, 127, 0, 0, 11 } } };
	int e = ep_new(st, AF_INET, SOCK_DGRAM, 0, kick, r, &r->udp);

	if (e == 0)
		e = ep_bind_service(r->udp, &at);
	if (e == 0)
		e = ep_new(st, AF_INET, SOCK_STREAM, 0, kick, r, &r->tcp);
	if (e == 0)
		e = ep_bind_service(r->tcp, &at);
	return e < 0 ? e : ep_listen(r->tcp, CONNS);
}

int boot_add_resolver(struct boot *b, hostfd_t fd)
{
	struct stack *st = net_stack(net_first(b->kernel));
	struct resolver *r = st ? knew(struct resolver) : NULL;
	int e;

	if (!r)
		return st ? -ENOMEM : -ENETDOWN;
	r->fd = fd;
	mutex_init(&r->mu, RANK_LEAF);
	e = open_endpoints(r, st);
	if (e < 0) {
		if (r->udp)
			ep_close(r->udp);
		if (r->tcp)
			ep_close(r->tcp);
		kfree(r);
		return e;
	}
	e = hthread_start(queries_main, r, STACK_SIZE, HTHREAD_TAKES_SIGNALS);
	return e < 0 ? e : hthread_start(answers_main, r, STACK_SIZE, HTHREAD_TAKES_SIGNALS);
}
