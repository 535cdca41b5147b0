#include "tests/unit/unit.h"

/*
 * Netfilter under a fake clock: what a rule costs and does, a client and a server with a router that translates
 * between them, conntrack's limits and lifetimes, and tables that lie.
 */
#include <errno.h>
#include "tests/unit/nf_blob.h"
#include "netstack/core/stack.h"
#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include "netstack/netfilter/nf_int.h"
#include "netstack/netfilter/nft.h"

static const char *const hooks_of_filter = "filter";

/* filter: one rule in @hook for UDP port @port, else everything passes. */
static void one_rule(struct blob *x, bool v6, u32 hook, u16 port, int verdict)
{
	blob_begin(x, v6, hooks_of_filter);
	for (u32 h = NF_IN; h <= NF_OUT; h++) {
		blob_hook(x, h);
		if (h == hook) {
			blob_udp(x, port);
			blob_verdict(x, verdict);
		}
		blob_policy(x, h, BLOB_ACCEPT);
	}
	blob_end(x);
}

static void no_rules(struct blob *x, bool v6, const char *table, u32 hooks)
{
	blob_begin(x, v6, table);
	for (u32 h = 0; h < NF_HOOKS; h++)
		if (hooks >> h & 1) {
			blob_hook(x, h);
			blob_policy(x, h, BLOB_ACCEPT);
		}
	blob_end(x);
}

static void tables_without_rules_cost_nothing(void **state)
{
	struct rig r;
	struct blob x;

	(void)state;
	rig_init(&r, 1);
	assert_int_equal(blob_entries_now(r.s[0], false, "filter"), 4);
	assert_int_equal(blob_entries_now(r.s[0], false, "nat"), 5);
	assert_int_equal(blob_entries_now(r.s[0], true, "raw"), 3);
	assert_int_equal(r.s[0]->nf.mask, 0);
	one_rule(&x, false, NF_IN, 53, BLOB_DROP);
	assert_int_equal(blob_set(&x, r.s[0]), 0);
	assert_int_equal(r.s[0]->nf.mask, 1 << NF_IN | 1 << NF_FWD | 1 << NF_OUT);
	no_rules(&x, false, "filter", 14);
	assert_int_equal(blob_set(&x, r.s[0]), 0);
	assert_int_equal(r.s[0]->nf.mask, 0);
	assert_null(r.s[0]->nf.ct.bucket);
	rig_done(&r);
}

static void a_rule_holds_on_loopback_and_counts(void **state)
{
	struct net_sa to = rig_sa(ip_from4n(0x7f000001), 53), other = rig_sa(to.ip, 54);
	union { struct ipt_get_entries g; u8 room[2000]; } e = { .g.name = "filter" };
	struct xt_counters *c;
	struct rig r;
	struct blob x;
	struct ep *a, *b;
	char buf[8];

	(void)state;
	rig_init(&r, 2);
	one_rule(&x, false, NF_IN, 53, BLOB_DROP);
	assert_int_equal(blob_set(&x, r.s[0]), 0);
	a = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	b = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(b, &to), 0);
	assert_int_equal(rig_sendto(a, "hello", 5, 0, &to), 5);
	assert_int_equal(rig_recv(b, buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(rig_sendto(a, "x", 1, 0, &other), 1);
	e.g.size = x.len;
	assert_int_equal(nf_getsockopt(r.s[0], false, IPT_SO_GET_ENTRIES, &e, sizeof(e.g) + x.len), 0);
	c = &e.g.entrytable[0].counters;
	assert_int_equal(c->pcnt, 1);
	assert_int_equal(c->bcnt, 33);
	one_rule(&x, false, NF_OUT, 53, BLOB_DROP);
	assert_int_equal(blob_set(&x, r.s[0]), 0);
	assert_int_equal(rig_sendto(a, "hello", 5, 0, &to), -EPERM);
	no_rules(&x, false, "filter", 14);
	assert_int_equal(blob_set(&x, r.s[0]), 0);
	assert_int_equal(rig_sendto(a, "hello", 5, 0, &to), 5);
	assert_int_equal(rig_recv(b, buf, sizeof(buf)), 5);
	ep_close(a);
	ep_close(b);
	rig_done(&r);
}

/* ---- a client (s[1]), a router (s[0]), a server ---- */

struct three {
	struct rig r;
	struct stack *server;
	struct fault_wire *w2;
	struct ipaddr router, inside, srv;     /* the router's two addresses, the server's */
};

static void route_all(struct stack *s, u32 ifi, struct ipaddr gw, bool v6)
{
	struct route_info ri = { .family = v6 ? AF_INET6 : AF_INET, .table = 254, .type = 1, .has_gw = true, .gw = gw,
				 .dst = v6 ? ip_any6() : ip_any4(), .ifindex = ifi };

	assert_int_equal(route_add(s, &ri, true), 0);
}

static void three_up(struct three *t, bool v6, u32 features)
{
	struct fault_cfg c = { .seed = 1, .mtu = 1500, .features = features };
	struct ipaddr in6 = { { 0xfd, 1, [15] = 1 } }, srv6 = { { 0xfd, 1, [15] = 2 } };
	u32 a, b;

	memset(t, 0, sizeof(*t));
	rig_pair(&t->r, &c);
	assert_int_equal(link_set_flags(t->r.s[0], t->r.ifi[0], 0, IFF_UP), 0);
	assert_int_equal(link_set_name(t->r.s[0], t->r.ifi[0], "wan0"), 0);
	assert_int_equal(link_set_flags(t->r.s[0], t->r.ifi[0], IFF_UP, IFF_UP), 0);
	assert_int_equal(stack_new(&rig_ops, &t->r, &t->server), 0);
	rig_lo_up(t->server);
	assert_int_equal(fault_connect(t->r.s[0], t->server, &c, &t->w2, &a, &b), 0);
	t->router = v6 ? rig_ip6(0) : rig_ip(0);
	t->inside = v6 ? in6 : ip_from4n(0x0a010001);
	t->srv = v6 ? srv6 : ip_from4n(0x0a010002);
	rig_addr(t->r.s[0], a, t->inside, v6 ? 64 : 24);
	rig_addr(t->server, b, t->srv, v6 ? 64 : 24);
	assert_int_equal(link_set_flags(t->r.s[0], a, IFF_UP, IFF_UP), 0);
	assert_int_equal(link_set_flags(t->server, b, IFF_UP, IFF_UP), 0);
	assert_int_equal(stack_sysctl_set(t->r.s[0], v6 ? "ipv6/conf/all/forwarding" : "ipv4/ip_forward", "1"), 0);
	route_all(t->r.s[1], t->r.ifi[1], t->router, v6);
	route_all(t->server, b, t->inside, v6);
}

static void three_run(struct three *t, u64 ns)
{
	u64 end = t->r.now + ns;

	while (t->r.now < end) {
		u64 next = NET_NEVER;

		for (int i = 0; i < 4; i++) {
			next = MIN(stack_run(t->r.s[0]), stack_run(t->r.s[1]));
			next = MIN(next, stack_run(t->server));
			next = MIN(next, fault_pump(t->r.w, t->r.now));
			next = MIN(next, fault_pump(t->w2, t->r.now));
		}
		t->r.now = MIN(end, MAX(next, t->r.now + 1));
	}
}

static void three_down(struct three *t)
{
	stack_free(t->server);
	stack_free(t->r.s[0]);
	stack_free(t->r.s[1]);
	t->r.s[0] = t->r.s[1] = NULL;
	fault_free(t->r.w);
	fault_free(t->w2);
}

/* Port 80 of the router is the server's 8080; the server sees the router. */
static void port_forward(struct three *t, bool v6, u8 proto)
{
	struct blob x;

	blob_begin(&x, v6, "nat");
	blob_hook(&x, NF_PRE);
	if (proto == IPPROTO_TCP)
		blob_tcp(&x, 80);
	else
		blob_udp(&x, 80);
	blob_nat(&x, "DNAT", &t->srv, 8080);
	blob_policy(&x, NF_PRE, BLOB_ACCEPT);
	blob_hook(&x, NF_IN);
	blob_policy(&x, NF_IN, BLOB_ACCEPT);
	blob_hook(&x, NF_OUT);
	blob_policy(&x, NF_OUT, BLOB_ACCEPT);
	blob_hook(&x, NF_POST);
	blob_rule(&x, proto);
	blob_masquerade(&x);
	blob_policy(&x, NF_POST, BLOB_ACCEPT);
	blob_end(&x);
	assert_int_equal(blob_set(&x, t->r.s[0]), 0);
}

static void stream_through_nat(bool v6, u32 features)
{
	static u8 out[300000], in[sizeof(out)];
	struct net_sa to, peer;
	struct ep *l, *c, *a = NULL;
	struct three t;
	size_t sent = 0, got = 0;

	three_up(&t, v6, features);
	port_forward(&t, v6, IPPROTO_TCP);
	to = rig_sa(t.router, 80);
	l = rig_listen(t.server, v6 ? ip_any6() : ip_any4(), 8080);
	c = rig_sock(t.r.s[1], to.family, SOCK_STREAM);
	assert_int_equal(ep_connect(c, &to), -EINPROGRESS);
	three_run(&t, 3000000000);
	assert_int_equal(ep_connect_result(c), 0);
	assert_int_equal(ep_accept(l, &peer, &a), 0);
	assert_true(ip_eq(&peer.ip, &t.inside));
	assert_int_equal(nf_conntrack_count(t.r.s[0]), 1);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 7 + (i >> 8));
	for (int k = 0; k < 4000 && got < sizeof(in); k++) {
		ssize_t n = sent < sizeof(out) ? rig_send(c, out + sent, sizeof(out) - sent) : 0;

		sent += (size_t)MAX(n, 0);
		three_run(&t, 5000000);
		while ((n = rig_recv(a, in + got, sizeof(in) - got)) > 0)
			got += (size_t)n;
	}
	assert_int_equal(got, sizeof(in));
	assert_memory_equal(in, out, sizeof(in));
	ep_close(c);
	ep_close(a);
	ep_close(l);
	/* What is over goes, and an empty table has no work. */
	three_run(&t, 400000000000ull);
	assert_int_equal(nf_conntrack_count(t.r.s[0]), 0);
	three_down(&t);
}

static void streams_pass_a_router_that_translates(void **state)
{
	(void)state;
	stream_through_nat(false, 0);
	stream_through_nat(false, LINK_F_CSUM | LINK_F_TSO4 | LINK_F_RXCSUM);
	stream_through_nat(true, 0);
	stream_through_nat(true, LINK_F_CSUM | LINK_F_TSO6 | LINK_F_RXCSUM);
}

static void datagrams_through_nat(bool v6)
{
	static u8 big[5000], buf[6000];
	struct ep *c, *d, *e;
	struct net_sa to, at, from;
	struct three t;

	three_up(&t, v6, 0);
	port_forward(&t, v6, IPPROTO_UDP);
	to = rig_sa(t.router, 80);
	at = rig_sa(v6 ? ip_any6() : ip_any4(), 8080);
	c = rig_sock(t.r.s[1], to.family, SOCK_DGRAM);
	d = rig_sock(t.server, to.family, SOCK_DGRAM);
	assert_int_equal(ep_bind(d, &at), 0);
	assert_int_equal(ep_connect(c, &to), 0);
	assert_int_equal(rig_send(c, "hello", 5), 5);
	three_run(&t, 2000000000);
	assert_int_equal(rig_recvfrom(d, buf, sizeof(buf), 0, &from), 5);
	assert_true(ip_eq(&from.ip, &t.inside));
	/* In pieces, which the router puts together and cuts again. */
	memset(big, 'b', sizeof(big));
	assert_int_equal(rig_send(c, big, sizeof(big)), sizeof(big));
	three_run(&t, 100000000);
	assert_int_equal(rig_recvfrom(d, buf, sizeof(buf), 0, &from), sizeof(big));
	assert_memory_equal(buf, big, sizeof(big));
	assert_int_equal(rig_sendto(d, big, sizeof(big), 0, &from), sizeof(big));
	three_run(&t, 100000000);
	assert_int_equal(rig_recv(c, buf, sizeof(buf)), sizeof(big));
	/* The server's error quotes what the server got; the client's socket must know it all the same. */
	ep_close(d);
	assert_int_equal(rig_send(c, "who", 3), 3);
	three_run(&t, 100000000);
	assert_int_equal(rig_recv(c, buf, sizeof(buf)), -ECONNREFUSED);
	/* Another client port is another connection: one keeps its port, and both are told apart. */
	e = rig_sock(t.r.s[1], to.family, SOCK_DGRAM);
	assert_int_equal(ep_connect(e, &to), 0);
	assert_int_equal(rig_send(e, "x", 1), 1);
	three_run(&t, 100000000);
	assert_int_equal(nf_conntrack_count(t.r.s[0]), 2);
	three_run(&t, 200000000000ull);
	assert_int_equal(nf_conntrack_count(t.r.s[0]), 0);
	ep_close(c);
	ep_close(e);
	three_down(&t);
}

static void datagrams_pieces_and_errors_pass_a_router_that_translates(void **state)
{
	(void)state;
	datagrams_through_nat(false);
	datagrams_through_nat(true);
}

static void what_is_forwarded_meets_forward_only(void **state)
{
	struct ep *c, *d;
	struct net_sa to, at = rig_sa(ip_any4(), 53);
	struct three t;
	struct blob x;
	char buf[8];

	(void)state;
	three_up(&t, false, 0);
	c = rig_sock(t.r.s[1], AF_INET, SOCK_DGRAM);
	d = rig_sock(t.server, AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(d, &at), 0);
	to = rig_sa(t.srv, 53);
	one_rule(&x, false, NF_IN, 53, BLOB_DROP);
	assert_int_equal(blob_set(&x, t.r.s[0]), 0);
	assert_int_equal(rig_sendto(c, "1", 1, 0, &to), 1);
	three_run(&t, 1000000000);
	assert_int_equal(rig_recv(d, buf, sizeof(buf)), 1);
	one_rule(&x, false, NF_FWD, 53, BLOB_DROP);
	assert_int_equal(blob_set(&x, t.r.s[0]), 0);
	assert_int_equal(rig_sendto(c, "2", 1, 0, &to), 1);
	three_run(&t, 1000000000);
	assert_int_equal(rig_recv(d, buf, sizeof(buf)), -EAGAIN);
	ep_close(c);
	ep_close(d);
	three_down(&t);
}

/* ---- conntrack ---- */

static void track(struct stack *s)
{
	struct blob x;

	blob_begin(&x, false, "filter");
	for (u32 h = NF_IN; h <= NF_OUT; h++) {
		blob_hook(&x, h);
		if (h == NF_IN) {
			blob_rule(&x, 0);
			*(u32 *)blob_match(&x, "state", 0, 4) = 1u << 1;
			blob_verdict(&x, BLOB_ACCEPT);
		}
		blob_policy(&x, h, BLOB_ACCEPT);
	}
	blob_end(&x);
	assert_int_equal(blob_set(&x, s), 0);
}

static void the_table_of_connections_is_bounded_and_empties_itself(void **state)
{
	struct net_sa to = rig_sa(ip_from4n(0x7f000001), 53);
	struct rig r;
	struct ep *a, *b;
	char buf[8];
	int held;

	(void)state;
	rig_init(&r, 3);
	track(r.s[0]);
	assert_int_equal(stack_sysctl_set(r.s[0], "netfilter/nf_conntrack_max", "20"), 0);
	b = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(b, &to), 0);
	for (int i = 0; i < 200; i++) {
		a = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
		(void)!rig_sendto(a, "x", 1, 0, &to);
		ep_close(a);
		(void)!rig_recv(b, buf, sizeof(buf));
	}
	held = (int)nf_conntrack_count(r.s[0]);
	assert_in_range(held, 10, 20);
	rig_run(&r, 31000000000ull);
	assert_int_equal(nf_conntrack_count(r.s[0]), 0);
	assert_int_equal(stack_run(r.s[0]), NET_NEVER);
	ep_close(b);
	rig_done(&r);
}

static void a_dropped_packet_leaves_no_connection(void **state)
{
	struct net_sa to = rig_sa(ip_from4n(0x7f000001), 53), other = rig_sa(to.ip, 54);
	struct rig r;
	struct blob x;
	struct ep *a;

	(void)state;
	rig_init(&r, 4);
	blob_begin(&x, false, "filter");
	for (u32 h = NF_IN; h <= NF_OUT; h++) {
		blob_hook(&x, h);
		if (h == NF_OUT) {
			blob_udp(&x, 53);
			*(u32 *)blob_match(&x, "state", 0, 4) = 1u << 3;        /* new */
			blob_verdict(&x, BLOB_DROP);
		}
		blob_policy(&x, h, BLOB_ACCEPT);
	}
	blob_end(&x);
	assert_int_equal(blob_set(&x, r.s[0]), 0);
	a = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(rig_sendto(a, "x", 1, 0, &to), -EPERM);
	assert_int_equal(nf_conntrack_count(r.s[0]), 0);
	assert_int_equal(rig_sendto(a, "x", 1, 0, &other), 1);
	assert_int_equal(nf_conntrack_count(r.s[0]), 1);
	ep_close(a);
	rig_done(&r);
}

/* ---- tables that lie ---- */

static void spoil_nothing(struct blob *x) { (void)x; }
static void spoil_size(struct blob *x) { x->u.h.size -= 8; }
static void spoil_count(struct blob *x) { x->u.h.num_entries++; }
static void spoil_many(struct blob *x) { x->u.h.num_entries = UINT32_MAX; }
static void spoil_hooks(struct blob *x) { x->u.h.valid_hooks = 31; }
static void spoil_entry(struct blob *x) { x->u.h.hook_entry[NF_IN] = 8; }
static void spoil_underflow(struct blob *x) { x->u.h.underflow[NF_IN] = x->u.h.hook_entry[NF_IN]; }
static struct ipt_entry *first(struct blob *x) { return (struct ipt_entry *)(x->u.b + sizeof(x->u.h)); }
static void spoil_next(struct blob *x) { first(x)->next_offset = 0; }
static void spoil_far(struct blob *x) { first(x)->next_offset = 65528; }
static void spoil_target(struct blob *x) { first(x)->target_offset = 8; }
static void spoil_odd(struct blob *x) { first(x)->target_offset += 4; }
static void spoil_match(struct blob *x) { ((struct xt_entry_match *)first(x)->elems)->u.match_size = 0; }
static void spoil_match_long(struct blob *x) { ((struct xt_entry_match *)first(x)->elems)->u.match_size = 65528; }
static void spoil_name(struct blob *x) { memset(((struct xt_entry_match *)first(x)->elems)->u.user.name, 'a', 29); }
static void spoil_flags(struct blob *x) { first(x)->ip.flags = 0x80; }
static void spoil_proto(struct blob *x) { first(x)->ip.proto = IPPROTO_TCP; }
static int *verdict_of(struct blob *x) { return (int *)((u8 *)first(x) + first(x)->target_offset + 32); }
static void spoil_verdict(struct blob *x) { *verdict_of(x) = -4; }
static void spoil_jump(struct blob *x) { *verdict_of(x) = 4; }
static void spoil_jump_out(struct blob *x) { *verdict_of(x) = 1 << 20; }
static void spoil_jump_mid(struct blob *x) { *verdict_of(x) = (int)x->u.h.hook_entry[NF_OUT]; }
static void spoil_unknown(struct blob *x) { ((struct xt_entry_match *)first(x)->elems)->u.user.name[0] = 'z'; }

static void a_table_that_lies_is_refused(void **state)
{
	static const struct { void (*fn)(struct blob *x); int want; } c[] = {
		{ spoil_nothing, 0 }, { spoil_size, -EINVAL }, { spoil_count, -EINVAL }, { spoil_many, -EINVAL },
		{ spoil_hooks, -EINVAL }, { spoil_entry, -EINVAL }, { spoil_underflow, -EINVAL }, { spoil_next, -EINVAL },
		{ spoil_far, -EINVAL }, { spoil_target, -EINVAL }, { spoil_odd, -EINVAL }, { spoil_match, -EINVAL },
		{ spoil_match_long, -EINVAL }, { spoil_name, -EINVAL }, { spoil_flags, -EINVAL }, { spoil_proto, -EINVAL },
		{ spoil_verdict, -EINVAL }, { spoil_jump, -ELOOP }, { spoil_jump_out, -ELOOP }, { spoil_jump_mid, -ELOOP },
		{ spoil_unknown, -ENOENT },
	};
	struct rig r;
	struct blob x;

	(void)state;
	rig_init(&r, 5);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		one_rule(&x, false, NF_IN, 53, BLOB_DROP);
		c[i].fn(&x);
		assert_int_equal(blob_set(&x, r.s[0]), c[i].want);
	}
	/* As many bytes as the header says, and no fewer. */
	for (u32 n = 0; n < sizeof(x.u.h) + x.len; n++) {
		struct nf_old_counters old;

		one_rule(&x, false, NF_IN, 53, BLOB_DROP);
		x.u.h.num_counters = blob_entries_now(r.s[0], false, "filter");
		assert_int_equal(nf_setsockopt(r.s[0], false, IPT_SO_SET_REPLACE, x.u.b, n, &old), -EINVAL);
	}
	rig_done(&r);
}

/* filter with chains c0 -> c1 -> ...; the last one jumps to @last (or returns, -1). */
static void chain_of(struct blob *x, u32 n, int last)
{
	u32 head[100], at[100], i;

	blob_begin(x, false, "filter");
	for (u32 h = NF_IN; h <= NF_OUT; h++) {
		blob_hook(x, h);
		if (h == NF_IN) {
			at[n] = x->len;
			blob_rule(x, 0);
			blob_verdict(x, 0);
		}
		blob_policy(x, h, BLOB_ACCEPT);
	}
	for (i = 0; i < n; i++) {
		head[i] = blob_chain(x, "c");
		at[i] = x->len;
		blob_rule(x, 0);
		blob_verdict(x, XT_RETURN);
		blob_rule(x, 0);
		blob_verdict(x, XT_RETURN);
	}
	blob_end(x);
	for (i = 0; i <= n; i++) {
		u8 *e = x->u.b + sizeof(x->u.h) + at[i];
		int *v = (int *)(e + ((struct ipt_entry *)e)->target_offset + 32);

		*v = i == n ? (int)head[0] : i + 1 < n ? (int)head[i + 1] : last < 0 ? XT_RETURN : (int)head[last];
	}
}

static void jumps_in_a_ring_or_too_deep_are_refused(void **state)
{
	struct net_sa to = rig_sa(ip_from4n(0x7f000001), 53);
	struct rig r;
	struct blob x;
	struct ep *a;

	(void)state;
	rig_init(&r, 6);
	chain_of(&x, 3, 0);
	assert_int_equal(blob_set(&x, r.s[0]), -ELOOP);
	chain_of(&x, 1, 0);
	assert_int_equal(blob_set(&x, r.s[0]), -ELOOP);
	chain_of(&x, 5, -1);
	assert_int_equal(blob_set(&x, r.s[0]), 0);
	a = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(rig_sendto(a, "x", 1, 0, &to), 1);
	ep_close(a);
	rig_done(&r);
}

static void a_failed_allocation_leaves_the_old_rules(void **state)
{
	struct nf_old_counters old;
	struct rig r;
	struct blob x;
	u32 had;
	int res = -1;

	(void)state;
	rig_init(&r, 7);
	track(r.s[0]);
	had = r.s[0]->nf.mask;
	for (int n = 1; n < 60 && res != 0; n++) {
		one_rule(&x, false, NF_IN, 53, BLOB_DROP);
		x.u.h.num_counters = blob_entries_now(r.s[0], false, "filter");
		alloc_fail_nth((u64)n);
		res = nf_setsockopt(r.s[0], false, IPT_SO_SET_REPLACE, x.u.b, sizeof(x.u.h) + x.len, &old);
		alloc_fail_nth(0);
		if (res != 0) {
			assert_int_equal(res, -ENOMEM);
			assert_int_equal(r.s[0]->nf.mask, had);
		}
	}
	assert_int_equal(res, 0);
	kfree(old.p);
	rig_done(&r);
}

static u32 attr(u8 *at, u16 type, const void *v, u32 n)
{
	const u16 head[2] = { (u16)(4 + n), type };

	memcpy(at, head, 4);
	memmove(at + 4, v, n);
	memset(at + 4 + n, 0, ALIGN_UP(n, 4u) - n);
	return 4 + ALIGN_UP(n, 4u);
}

/* An expression that jumps to chain "c". */
static u32 jump_expr(u8 *at)
{
	const u32 reg = htonl(NFT_REG_VERDICT), code = htonl((u32)NFT_JUMP);
	u8 verdict[64], data[96], expr[160];
	u32 n = attr(verdict, NFTA_VERDICT_CODE, &code, 4), k;

	n += attr(verdict + n, NFTA_VERDICT_CHAIN, "c", 2);
	n = attr(data, NFTA_DATA_VERDICT, verdict, n);
	k = attr(expr, NFTA_IMMEDIATE_DREG, &reg, 4);
	k += attr(expr + k, NFTA_IMMEDIATE_DATA, data, n);
	memcpy(data, expr, k);
	n = attr(expr, NFTA_EXPR_NAME, "immediate", 10);
	n += attr(expr + n, NFTA_EXPR_DATA, data, k);
	return attr(at, NFTA_LIST_ELEM, expr, n);
}

/* All jumps are followed whenever one is added: a rule has no use for many. */
static void a_rule_jumps_a_few_times_at_most(void **state)
{
	u8 b[NFT_BLOB_MAX];
	struct nft_rule *r;
	char name[NFT_NAME];
	u32 n = 0;

	(void)state;
	for (u32 i = 1; i <= NFT_JUMPS; i++) {
		n += jump_expr(b + n);
		assert_int_equal(nft_rule_new(b, n, &r), 0);
		assert_true(nft_rule_jump(r, i - 1, name));
		assert_string_equal(name, "c");
		assert_false(nft_rule_jump(r, i, name));
		nft_rule_unref(r);
	}
	n += jump_expr(b + n);
	assert_int_equal(nft_rule_new(b, n, &r), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(tables_without_rules_cost_nothing),
		cmocka_unit_test(a_rule_holds_on_loopback_and_counts),
		cmocka_unit_test(streams_pass_a_router_that_translates),
		cmocka_unit_test(datagrams_pieces_and_errors_pass_a_router_that_translates),
		cmocka_unit_test(what_is_forwarded_meets_forward_only),
		cmocka_unit_test(the_table_of_connections_is_bounded_and_empties_itself),
		cmocka_unit_test(a_dropped_packet_leaves_no_connection),
		cmocka_unit_test(a_table_that_lies_is_refused),
		cmocka_unit_test(jumps_in_a_ring_or_too_deep_are_refused),
		cmocka_unit_test(a_failed_allocation_leaves_the_old_rules),
		cmocka_unit_test(a_rule_jumps_a_few_times_at_most),
	};

	return cmocka_run_group_tests(t, unit_setup, NULL);
}
