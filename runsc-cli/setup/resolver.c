/*
 * resolver.c - see resolver.h.
 *
 * Docker gives containers of a user network a DNS server at 127.0.0.11: a socket of dockerd in the container's
 * namespace, reached through NAT rules of that namespace's kernel.  The sandbox has a stack of its own and no way there, so
 * this process carries whole DNS messages.  It knows one address, interprets nothing, and
 * has no files, rights or other way out: 11 host calls (hostcalls-resolver.def).
 *
 * Each query has a socket of its own and DEADLINE seconds; at most QUERIES at a time, others are dropped, as UDP would.
 * It trusts neither side: sizes are what the kernel says was received.
 */
#include "runsc-cli/setup/resolver.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/helper.h"

#define QUERIES  64
#define DEADLINE 12                     /* seconds: clients give up after 5 or 10 */

static const struct hc_row calls[] = {
#define HC(name, rule, why) { .nr = SYS_##name, rule },
#include "syscall-tables/hostcalls-resolver.def"
#undef HC
};

struct query {
	int fd;                         /* -1: free */
	struct dns_hdr h;
	time_t end;
	bool sending;                   /* TCP: buf[at..len) is still to be sent; else it is being filled */
	size_t at, len;
	u8 *buf;                        /* TCP: 2 bytes of length, message */
};

struct resolver {
	int sock;                       /* to the sandbox */
	struct query q[QUERIES];
	u8 buf[DNS_MAX];
};

static time_t now(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void query_end(struct query *q)
{
	close(q->fd);
	kfree(q->buf);
	*q = (struct query){ .fd = -1 };
}

static void answer(struct resolver *x, struct query *q, const void *msg, size_t n)
{
	struct iovec v[2] = { { &q->h, sizeof(q->h) }, { (void *)msg, n } };

	if (writev(x->sock, v, 2) < 0 && errno == EPIPE)
		_exit(0);
	query_end(q);
}

static void udp_query(struct query *q, const u8 *msg, size_t n)
{
	if (write(q->fd, msg, n) != (ssize_t)n)
		query_end(q);
}

static void tcp_query(struct query *q, const u8 *msg, size_t n)
{
	q->buf = kbuf_alloc(2 + DNS_MAX);
	if (!q->buf) {
		query_end(q);
		return;
	}
	q->buf[0] = (u8)(n >> 8);
	q->buf[1] = (u8)n;
	memcpy(q->buf + 2, msg, n);
	q->len = n + 2;
	q->sending = true;
}

static void take_query(struct resolver *x)
{
	const struct sockaddr_in server = {
		.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0x7f00000b),
	};
	struct query *q = NULL;
	struct dns_hdr h;
	struct iovec v[2] = { { &h, sizeof(h) }, { x->buf, sizeof(x->buf) } };
	ssize_t n = readv(x->sock, v, 2);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		_exit(0);               /* the sandbox has ended */
	if (n < (ssize_t)sizeof(h))
		return;
	for (int i = 0; i < QUERIES && !q; i++)
		if (x->q[i].fd < 0)
			q = &x->q[i];
	if (!q)
		return;
	*q = (struct query){ .h = h, .end = now() + DEADLINE };
	q->fd = socket(AF_INET, (h.tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q->fd < 0)
		return;
	if (connect(q->fd, (const struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS)
		query_end(q);
	else if (h.tcp)
		tcp_query(q, x->buf, (size_t)n - sizeof(h));
	else
		udp_query(q, x->buf, (size_t)n - sizeof(h));
}

static void tcp_step(struct resolver *x, struct query *q)
{
	size_t want = q->at < 2 ? 2 : 2 + ((size_t)q->buf[0] << 8 | q->buf[1]);
	ssize_t n = q->sending ? write(q->fd, q->buf + q->at, q->len - q->at) : read(q->fd, q->buf + q->at, want - q->at);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		query_end(q);
		return;
	}
	q->at += (size_t)n;
	if (q->sending && q->at == q->len) {
		q->sending = false;
		q->at = 0;
	} else if (!q->sending && q->at >= 2 && q->at == 2 + ((size_t)q->buf[0] << 8 | q->buf[1])) {
		answer(x, q, q->buf + 2, q->at - 2);
	}
}

static void query_step(struct resolver *x, struct query *q)
{
	ssize_t n;

	if (q->h.tcp) {
		tcp_step(x, q);
		return;
	}
	n = read(q->fd, x->buf, sizeof(x->buf));
	if (n > 0)
		answer(x, q, x->buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		query_end(q);           /* nobody listens there: the client's time runs out */
}

static noreturn_fn void helper_loop(struct resolver *x)
{
	for (;;) {
		struct pollfd pf[1 + QUERIES] = { { .fd = x->sock, .events = POLLIN } };
		bool any = false;
		time_t t;

		for (int i = 0; i < QUERIES; i++) {
			pf[1 + i] = (struct pollfd){ .fd = x->q[i].fd, .events = x->q[i].sending ? POLLOUT : POLLIN };
			any |= x->q[i].fd >= 0;
		}
		if (poll(pf, ARRAY_SIZE(pf), any ? 1000 : -1) < 0)
			continue;
		t = now();
		for (int i = 0; i < QUERIES; i++) {
			if (x->q[i].fd < 0)
				continue;
			if (pf[1 + i].revents)
				query_step(x, &x->q[i]);
			else if (x->q[i].end <= t)
				query_end(&x->q[i]);
		}
		if (pf[0].revents)
			take_query(x);
	}
}

static void helper_main(int sock)
{
	struct resolver *x = kbuf_alloc(sizeof(*x));

	if (!x)
		return;
	x->sock = sock;
	for (int i = 0; i < QUERIES; i++)
		x->q[i].fd = -1;
	helper_loop(x);
}

/* Is it Docker's server that the container will ask? */
static bool wanted(const struct oci_spec *s)
{
	char line[256], addr[64];
	bool hit = false;
	FILE *f = NULL;

	for (u32 i = 0; i < s->nmounts && !f; i++)
		if (strcmp(s->mounts[i].destination, "/etc/resolv.conf") == 0)
			f = fopen(s->mounts[i].source, "re");
	while (f && !hit && fgets(line, sizeof(line), f))
		hit = sscanf(line, " nameserver %63s", addr) == 1 && strcmp(addr, "127.0.0.11") == 0;
	if (f)
		fclose(f);
	return hit;
}

int resolver_start(struct cli *cli, struct container *c, const struct oci_spec *s, int ns, int sock)
{
	const struct helper h = {
		.name = "resolver", .op = CTL_RESOLVER, .ns = ns, .calls = calls, .ncalls = ARRAY_SIZE(calls),
		.main = helper_main,
	};

	return geteuid() == 0 && wanted(s) ? helper_start(cli, c, &h, sock) : 0;
}
