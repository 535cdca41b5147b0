/*
 * rig.c - the stack under test, its link, and the virtual clock.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "netstack/core/ipaddr.h"
#include "platform/base/alloc.h"
#include "tests/integration/packetdrill/rig.h"

#define EPOCH_NS 1700000000000000000ull
#define PATIENCE_NS (400ull * 1000000000)       /* a script that waits longer has failed */

struct rig *rig_it;

static u64 op_now(void *c) { return atomic_load(&((struct rig *)c)->now); }
static u64 op_real(void *c) { return EPOCH_NS + op_now(c); }
static void op_kick(void *c) { (void)c; }

static void op_random(void *c, void *p, size_t n)
{
	(void)c;
	if (getrandom(p, n, 0) != (ssize_t)n)
		abort();
}

static const struct stack_ops ops = { op_now, op_real, op_random, op_kick, NULL, NULL };

/* ------------------------------------------------------------------- link */

struct vnet { u8 flags, gso_type; u16 hdr_len, gso_size, csum_start, csum_offset; };

static void finish_csum(u8 *d, size_t n, const struct vnet *v)
{
	u32 sum = 0;
	size_t i;

	if (!(v->flags & 1) || v->csum_start + v->csum_offset + 2u > n)
		return;
	for (i = v->csum_start; i + 1 < n; i += 2)
		sum += (u32)d[i] << 8 | d[i + 1];
	if (i < n)
		sum += (u32)d[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	d[v->csum_start + v->csum_offset] = (u8)(sum >> 8);
	d[v->csum_start + v->csum_offset + 1] = (u8)sum;
}

/* Neighbour discovery, MLD and IGMP are no script's business. */
static bool chatter(const u8 *d, size_t n)
{
	if (n > 40 && d[0] >> 4 == 6)
		return d[6] == 0 || (d[6] == 58 && d[40] >= 130);
	return n > 20 && d[9] == 2;
}

static ssize_t link_writev(void *c, const struct iovec *iov, int n)
{
	struct rig *r = c;
	struct rig_frame *f;
	struct vnet v;
	size_t len = 0, at = 0;
	u8 *d;
	int i;

	for (i = 1; i < n; i++)
		len += iov[i].iov_len;
	memcpy(&v, iov[0].iov_base, sizeof(v));
	d = malloc(len);
	if (!d)
		return -ENOBUFS;
	for (i = 1; i < n; i++) {
		memcpy(d + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	finish_csum(d, len, &v);
	pthread_mutex_lock(&r->mu);
	if (chatter(d, len) || r->tail - r->head == RIG_QUEUE) {
		free(d);
	} else {
		f = &r->q[r->tail++ % RIG_QUEUE];
		*f = (struct rig_frame){ len, op_now(r), d };
	}
	pthread_mutex_unlock(&r->mu);
	return (ssize_t)len;
}

static ssize_t link_readv(void *c, const struct iovec *iov, int n)
{
	struct rig *r = c;
	size_t at = 0, k;
	int i;

	if (!r->rx)
		return -EAGAIN;
	memset(iov[0].iov_base, 0, iov[0].iov_len);
	for (i = 1; i < n; i++) {
		k = MIN(iov[i].iov_len, r->rx_len - at);
		memcpy(iov[i].iov_base, r->rx + at, k);
		at += k;
	}
	r->rx = NULL;
	return (ssize_t)(at + iov[0].iov_len);
}

static const struct link_fd_ops link_ops = { link_readv, link_writev };

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "adapter: %s: %s\n", what, strerror(-r));
	exit(1);
}

static void add_addr(struct rig *r, struct ipaddr ip, u8 plen, const char *what)
{
	struct addr_info a = { .ifindex = r->ifindex, .ip = ip, .peer = ip, .plen = plen,
			       .flags = 0x80 | 0x02 /* permanent, nodad */ };
	int e = addr_add(r->stack, &a);

	must(e == -EEXIST ? 0 : e, what);
}

/* The value of --name= in the command line or, more to the point, in the script. */
static bool option(const char *name, char *ret, size_t cap)
{
	static const char *const files[] = { "/proc/self/cmdline", NULL };
	char buf[65536], script[4096] = "";
	int pass;

	for (pass = 0; pass < 2; pass++) {
		FILE *f = fopen(pass ? script : files[0], "r");
		size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0, i;
		char *p, *last = buf;

		if (f)
			fclose(f);
		buf[n] = 0;
		if (!pass) {
			for (i = 0; i + 1 < n; i++)
				if (!buf[i]) {
					last = buf + i + 1;
					buf[i] = ' ';
				}
			snprintf(script, sizeof(script), "%.4000s", last);
		}
		p = strstr(buf, name);
		if (p) {
			p += strlen(name);
			snprintf(ret, cap, "%.*s", (int)strcspn(p, " \t\n"), p);
			return true;
		}
	}
	return false;
}

static void set_up(struct rig *r)
{
	struct link_cfg c = { .name = "tun0", .arphrd = ARPHRD_NONE, .mtu = 1500 };
	struct route_info v4 = { .family = AF_INET, .table = 254, .type = 1, .dst = ip_any4() };
	struct route_info v6 = { .family = AF_INET6, .table = 254, .type = 1 };
	struct ipaddr a6 = { { 0xfd, 0x3d, 0x0a, 0x0b, 0x17, 0xd6, [15] = 1 } };
	char s[128];
	u8 b[16];
	int e;

	if (option("--mtu=", s, sizeof(s)))
		c.mtu = (u32)atoi(s);
	c.features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_TSO6 | LINK_F_RXCSUM;
	e = link_add_fd(r->stack, &c, &link_ops, r, true);
	must(e, "link");
	r->ifindex = (u32)e;
	r->mtu = c.mtu;
	must(link_set_flags(r->stack, 1, IFF_UP, IFF_UP), "lo");
	must(link_set_flags(r->stack, r->ifindex, IFF_UP, IFF_UP), "tun0");
	add_addr(r, ip_from4n(0xc0a80001), 16, "192.168.0.1");
	add_addr(r, a6, 64, "fd3d:0a0b:17d6::1");
	if (option("--local_ip=", s, sizeof(s))) {
		if (inet_pton(AF_INET, s, b) == 1)
			add_addr(r, ip_from4(b), 16, s);
		else if (inet_pton(AF_INET6, s, b) == 1)
			add_addr(r, ip_from6(b), 64, s);
	}
	v4.ifindex = v6.ifindex = r->ifindex;
	must(route_add(r->stack, &v4, false), "default route");
	must(route_add(r->stack, &v6, false), "default route");
}

struct rig *rig_new(void)
{
	struct rig *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	pthread_mutex_init(&r->mu, NULL);
	pthread_cond_init(&r->cond, NULL);
	r->now = 1000000000000;
	must(alloc_init((size_t)64 << 20), "arena");    /* packetdrill locks all memory */
	must(stack_new(&ops, r, &r->stack), "stack");
	set_up(r);
	rig_it = r;
	rig_sysctls(r);
	return r;
}

void rig_free(struct rig *r)
{
	int i;

	for (i = 0; i < RIG_FDS; i++)
		if (r->sock[i] || r->epoll[i])
			rig_close(r, i);
	rig_it = NULL;
	stack_free(r->stack);
	free(r);
}

/* ------------------------------------------------------------------ clock */

u64 rig_seen(struct rig *r)
{
	u64 v;

	pthread_mutex_lock(&r->mu);
	v = r->events;
	pthread_mutex_unlock(&r->mu);
	return v;
}

static void bump(struct rig *r)
{
	pthread_mutex_lock(&r->mu);
	r->events++;
	r->woken = r->waiters;
	pthread_cond_broadcast(&r->cond);
	pthread_mutex_unlock(&r->mu);
}

void rig_ready(void *opaque, u32 events)
{
	struct rig_sock *s = opaque;

	atomic_fetch_or(&s->edge, events | 0x80000000u);
	if (rig_it)
		bump(rig_it);
}

bool rig_wait(struct rig *r, u64 seen, u64 deadline)
{
	pthread_mutex_lock(&r->mu);
	r->waiters++;
	while (r->events == seen && op_now(r) < deadline)
		pthread_cond_wait(&r->cond, &r->mu);
	r->waiters--;
	r->left = true;
	pthread_mutex_unlock(&r->mu);
	return op_now(r) < deadline;
}

/* Let a thread that an event woke finish what it can before time moves. */
static void settle(struct rig *r)
{
	struct timespec ms = { 0, 1000000 };
	int i, n;

	pthread_mutex_lock(&r->mu);
	n = r->woken;
	r->woken = 0;
	pthread_mutex_unlock(&r->mu);
	for (i = 0; n && i < 5; i++)
		nanosleep(&ms, NULL);
}

/* Run what is due, then move the clock to the next deadline, at most to @end. */
static bool step(struct rig *r, u64 end, bool till_packet)
{
	u64 next = stack_run(r->stack), now = op_now(r);

	settle(r);
	if (till_packet && r->head != r->tail)
		return true;
	if (now >= end)
		return false;
	atomic_store(&r->now, MAX(now, MIN(next, end)));
	if (r->waiters)
		bump(r);
	return true;
}

int rig_usleep(void *u, useconds_t us)
{
	struct rig *r = u;
	u64 end = op_now(r) + us * 1000ull;
	struct timespec ms = { 0, 3000000 };

	/* packetdrill's lock is free now: let the other thread have it. */
	if (r->left)
		nanosleep(&ms, NULL);
	r->left = false;

	while (step(r, end, false))
		;
	stack_run(r->stack);
	settle(r);
	return 0;
}

int rig_gettimeofday(void *u, struct timeval *tv, struct timezone *tz)
{
	struct rig *r = u;
	u64 t = EPOCH_NS + atomic_fetch_add(&r->now, 1000);

	(void)tz;
	tv->tv_sec = (time_t)(t / 1000000000);
	tv->tv_usec = (suseconds_t)(t % 1000000000 / 1000);
	return 0;
}

int rig_netdev_send(void *u, const void *buf, size_t n)
{
	struct rig *r = u;
	int e;

	rig_sysctls(r);
	r->rx = buf;
	r->rx_len = n;
	e = link_fd_rx(r->stack, r->ifindex, 1);
	stack_run(r->stack);
	settle(r);
	rig_counters(r);
	return e < 0 ? rig_err(e) : 0;
}

int rig_netdev_receive(void *u, void *buf, size_t *n, long long *usecs)
{
	struct rig *r = u;
	u64 end = op_now(r) + PATIENCE_NS;
	struct rig_frame f = { 0 };
	bool more = true;

	for (;;) {
		pthread_mutex_lock(&r->mu);
		if (r->head != r->tail)
			f = r->q[r->head++ % RIG_QUEUE];
		pthread_mutex_unlock(&r->mu);
		if (f.data || !more)
			break;
		more = step(r, end, true);
	}
	*n = MIN(*n, f.len);
	if (f.data) {
		memcpy(buf, f.data, *n);
	} else {
		fprintf(stderr, "adapter: no packet came\n");
		exit(1);
	}
	free(f.data);
	*usecs = (long long)((EPOCH_NS + f.at) / 1000);
	return 0;
}

/* ---------------------------------------------------------- the interface */

int rig_err(long r)
{
	if (r >= 0)
		return (int)r;
	errno = (int)-r;
	return -1;
}
