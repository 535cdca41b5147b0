/*
 * netfilter.c - iptables' socket options as the kernel answers them: permission, lengths, tables that lie, and what
 * a rule does to a socket.  Each test has a network namespace of its own.
 */
#include "tests/lib/harness.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter_ipv4/ip_tables.h>

#define LIES 4096

static int sock;

/* A namespace with loopback up and a raw socket, as iptables has. */
static void own_net(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct ipt_getinfo i = { .name = "filter" };
	socklen_t n = sizeof(i);

	if (unshare(CLONE_NEWNET) < 0)
		SKIP("needs CAP_SYS_ADMIN");
	sock = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	REQUIRE_OK(sock);
	REQUIRE_OK(ioctl(sock, SIOCSIFFLAGS, &r));
	if (getsockopt(sock, IPPROTO_IP, IPT_SO_GET_INFO, &i, &n) < 0)
		SKIP("no iptables in this kernel");
}

static int get_info(const char *table, struct ipt_getinfo *i)
{
	socklen_t n = sizeof(*i);

	memset(i, 0, sizeof(*i));
	snprintf(i->name, sizeof(i->name), "%s", table);
	return getsockopt(sock, IPPROTO_IP, IPT_SO_GET_INFO, i, &n);
}

/* ---- tables, laid out as iptables does ---- */

static union { struct ipt_replace h; unsigned char b[sizeof(struct ipt_replace) + LIES]; } t;
static struct xt_counters old[64];
static unsigned at;

static unsigned char *entries(void) { return t.b + sizeof(t.h); }
static struct ipt_entry *first(void) { return (struct ipt_entry *)entries(); }

static void rule(int proto)
{
	at = t.h.size;
	((struct ipt_entry *)(entries() + at))->ip.proto = (uint16_t)proto;
	t.h.size += sizeof(struct ipt_entry);
	t.h.num_entries++;
}

static void *part(const char *name, unsigned rev, unsigned size, bool target)
{
	struct xt_entry_match *m = (struct xt_entry_match *)(entries() + t.h.size);
	struct ipt_entry *e = (struct ipt_entry *)(entries() + at);

	if (target)
		e->target_offset = (uint16_t)(t.h.size - at);
	m->u.user.match_size = (uint16_t)(sizeof(*m) + ((size + 7) & ~7u));
	snprintf(m->u.user.name, sizeof(m->u.user.name), "%s", name);
	m->u.user.revision = (uint8_t)rev;
	t.h.size += m->u.user.match_size;
	e->next_offset = (uint16_t)(t.h.size - at);
	return m->data;
}

static void verdict(int v) { memcpy(part("", 0, sizeof(v), true), &v, sizeof(v)); }

static void udp_to(unsigned short port)
{
	struct xt_udp *u;

	rule(IPPROTO_UDP);
	u = part("udp", 0, sizeof(*u), false);
	u->spts[1] = 65535;
	u->dpts[0] = u->dpts[1] = port;
}

static void begin(const char *table) { memset(&t, 0, sizeof(t)); snprintf(t.h.name, sizeof(t.h.name), "%s", table); }
static void hook(unsigned h) { t.h.valid_hooks |= 1u << h; t.h.hook_entry[h] = t.h.size; }
static void policy(unsigned h) { t.h.underflow[h] = t.h.size; rule(0); verdict(-NF_ACCEPT - 1); }
static unsigned chain(const char *name) { rule(0); strcpy(part("ERROR", 0, 30, true), name); return t.h.size; }

/* filter: one rule of INPUT, or OUTPUT, for UDP port 53. */
static void one_rule(unsigned where, int v)
{
	begin("filter");
	for (unsigned h = NF_INET_LOCAL_IN; h <= NF_INET_LOCAL_OUT; h++) {
		hook(h);
		if (h == where) {
			udp_to(53);
			verdict(v);
		}
		policy(h);
	}
	chain("ERROR");
}

static int set_len(unsigned len)
{
	struct ipt_getinfo i;

	if (!t.h.num_counters) {
		REQUIRE_OK(get_info("filter", &i));
		if (strcmp(t.h.name, "nat") == 0)
			REQUIRE_OK(get_info("nat", &i));
		t.h.num_counters = i.num_entries;
	}
	t.h.counters = old;
	return setsockopt(sock, IPPROTO_IP, IPT_SO_SET_REPLACE, &t, len);
}

static int set(void) { return set_len((unsigned)sizeof(t.h) + t.h.size); }

/* ---- tests ---- */

TEST(an_empty_table_is_as_linux_lays_it_out)
{
	struct ipt_getinfo i;
	socklen_t n = sizeof(i) - 1;

	own_net();
	REQUIRE_OK(get_info("filter", &i));
	EXPECT_EQ(i.valid_hooks, 14);
	EXPECT_EQ(i.num_entries, 4);
	EXPECT_EQ(i.size, 3 * 152 + 176);
	EXPECT_EQ(i.hook_entry[NF_INET_LOCAL_IN], 0);
	EXPECT_EQ(i.hook_entry[NF_INET_LOCAL_OUT], 304);
	EXPECT_EQ(i.underflow[NF_INET_FORWARD], 152);
	EXPECT_ERR(get_info("nosuch", &i), ENOENT);
	EXPECT_ERR(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_INFO, &i, &n), EINVAL);
	n = sizeof(i);
	EXPECT_ERR(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_INFO, BAD_PTR, &n), EFAULT);
}

TEST(entries_are_read_by_those_who_know_their_size)
{
	union { struct ipt_get_entries g; char room[4096]; } e = { .g.name = "filter" };
	struct ipt_getinfo i;
	socklen_t n;

	own_net();
	REQUIRE_OK(get_info("filter", &i));
	e.g.size = i.size;
	n = (socklen_t)sizeof(e.g) + i.size;
	EXPECT_OK(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_ENTRIES, &e, &n));
	EXPECT_EQ(n, sizeof(e.g) + i.size);
	EXPECT_EQ(e.g.entrytable[0].target_offset, 112);
	EXPECT_EQ(e.g.entrytable[0].next_offset, 152);
	n--;
	EXPECT_ERR(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_ENTRIES, &e, &n), EINVAL);
	n = 10;
	EXPECT_ERR(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_ENTRIES, &e, &n), EINVAL);
	e.g.size += 8;
	n = (socklen_t)sizeof(e.g) + e.g.size;
	EXPECT_ERR(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_ENTRIES, &e, &n), EAGAIN);
}

static void as_nobody(void)
{
	struct ipt_getinfo i = { .name = "filter" };
	socklen_t n = sizeof(i);

	REQUIRE_OK(setuid(1000));
	EXPECT_ERR(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_INFO, &i, &n), EPERM);
	EXPECT_ERR(setsockopt(sock, IPPROTO_IP, IPT_SO_SET_REPLACE, &t, 200), EPERM);
	EXPECT_ERR(setsockopt(sock, IPPROTO_IP, IPT_SO_SET_ADD_COUNTERS, &t, 200), EPERM);
}

TEST(only_who_may_configure_the_network_may_look)
{
	own_net();
	EXPECT_EQ(in_child(as_nobody), 0);
}

static int revision(int opt, const char *name, unsigned rev)
{
	struct xt_get_revision r = { .revision = (uint8_t)rev };
	socklen_t n = sizeof(r);

	snprintf(r.name, sizeof(r.name), "%s", name);
	return getsockopt(sock, IPPROTO_IP, opt, &r, &n);
}

TEST(revisions_that_exist_are_told)
{
	socklen_t n = 4;

	own_net();
	EXPECT_OK(revision(IPT_SO_GET_REVISION_MATCH, "tcp", 0));
	EXPECT_OK(revision(IPT_SO_GET_REVISION_MATCH, "conntrack", 3));
	EXPECT_OK(revision(IPT_SO_GET_REVISION_TARGET, "DNAT", 2));
	EXPECT_OK(revision(IPT_SO_GET_REVISION_TARGET, "MARK", 2));
	EXPECT_ERR(revision(IPT_SO_GET_REVISION_MATCH, "tcp", 9), EPROTONOSUPPORT);
	EXPECT_ERR(revision(IPT_SO_GET_REVISION_MATCH, "nosuch", 0), ENOENT);
	EXPECT_ERR(revision(IPT_SO_GET_REVISION_TARGET, "nosuch", 0), ENOENT);
	EXPECT_ERR(getsockopt(sock, IPPROTO_IP, IPT_SO_GET_REVISION_MATCH, &t, &n), EINVAL);
}

TEST(a_table_is_replaced_by_those_who_count_its_counters)
{
	own_net();
	one_rule(NF_INET_LOCAL_IN, -NF_DROP - 1);
	EXPECT_OK(set());
	t.h.num_counters = 4;
	EXPECT_ERR(set(), EAGAIN);
	t.h.num_counters = 5;
	EXPECT_OK(set());
	t.h.num_counters = 0x7fffffff;
	EXPECT_ERR(set(), ENOMEM);
	t.h.num_counters = 0;
	t.h.counters = old;
	EXPECT_ERR(setsockopt(sock, IPPROTO_IP, IPT_SO_SET_REPLACE, &t, (socklen_t)sizeof(t.h) + t.h.size), EINVAL);
	t.h.num_counters = 5;
	snprintf(t.h.name, sizeof(t.h.name), "nosuch");
	EXPECT_ERR(set(), ENOENT);
	EXPECT_ERR(setsockopt(sock, IPPROTO_IP, IPT_SO_SET_REPLACE, BAD_PTR, 1000), EFAULT);
}

static void lie(const char *what, int want)
{
	errno = 0;
	if (set() != -1 || errno != want)
		FAIL("%s: errno %d, not %d", what, errno, want);
	one_rule(NF_INET_LOCAL_IN, -NF_DROP - 1);
}

#define M ((struct xt_entry_match *)first()->elems)
#define V (*(int *)((char *)first() + first()->target_offset + 32))

TEST(a_table_that_lies_is_refused)
{
	own_net();
	one_rule(NF_INET_LOCAL_IN, -NF_DROP - 1);
	t.h.num_entries++, lie("entries", EINVAL);
	t.h.valid_hooks = 31, lie("hooks", EINVAL);
	t.h.hook_entry[1] = 8, lie("hook entry", EINVAL);
	t.h.underflow[1] = 0, lie("underflow", EINVAL);
	first()->next_offset = 0, lie("next", EINVAL);
	first()->next_offset = 65528, lie("next beyond", EINVAL);
	first()->target_offset = 8, lie("target", EINVAL);
	M->u.match_size = 0, lie("match", EINVAL);
	M->u.match_size = 65528, lie("match beyond", EINVAL);
	first()->ip.flags = 0x80, lie("flags", EINVAL);
	first()->ip.invflags = 0x80, lie("invflags", EINVAL);
	first()->ip.proto = IPPROTO_TCP, lie("udp of tcp", EINVAL);
	M->u.user.name[0] = 'z', lie("match's name", ENOENT);
	M->u.user.revision = 7, lie("match's revision", ENOENT);
	((struct xt_udp *)M->data)->invflags = 0x80, lie("match's data", EINVAL);
	V = 4, lie("jump", ELOOP);
	V = 1 << 20, lie("jump beyond", ELOOP);
	EXPECT_OK(set());
}

TEST(jumps_in_a_ring_are_refused)
{
	unsigned a, b, jump_b, jump_a;
	int v;

	own_net();
	begin("filter");
	for (unsigned h = NF_INET_LOCAL_IN; h <= NF_INET_LOCAL_OUT; h++) {
		hook(h);
		if (h == NF_INET_LOCAL_IN) {
			rule(0);
			verdict(0);
		}
		policy(h);
	}
	a = chain("a");
	rule(0);
	jump_b = at;
	verdict(0);
	rule(0);
	verdict(XT_RETURN);
	b = chain("b");
	rule(0);
	jump_a = at;
	verdict(XT_RETURN);
	rule(0);
	verdict(XT_RETURN);
	chain("ERROR");
	v = (int)a;
	memcpy(&V, &v, sizeof(v));
	memcpy(entries() + jump_b + 144, &b, sizeof(b));
	EXPECT_OK(set());
	t.h.num_counters = 0;
	memcpy(entries() + jump_a + 144, &a, sizeof(a));
	EXPECT_ERR(set(), ELOOP);
}

static int send53(int s)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return (int)sendto(s, "hello", 5, 0, (void *)&sa, sizeof(sa));
}

TEST(a_rule_drops_and_counts)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	union { struct xt_counters_info i; char room[40 + 5 * sizeof(struct xt_counters)]; } add = { { .name = "filter", .num_counters = 5 } };
	int in, out;
	char buf[8];

	own_net();
	in = socket(AF_INET, SOCK_DGRAM, 0);
	out = socket(AF_INET, SOCK_DGRAM, 0);
	REQUIRE_OK(bind(in, (void *)&sa, sizeof(sa)));
	one_rule(NF_INET_LOCAL_IN, -NF_DROP - 1);
	REQUIRE_OK(set());
	EXPECT_EQ(send53(out), 5);
	EXPECT_EQ(send53(out), 5);
	EXPECT_ERR(recv(in, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	add.i.counters[0] = (struct xt_counters){ 7, 70 };
	EXPECT_OK(setsockopt(sock, IPPROTO_IP, IPT_SO_SET_ADD_COUNTERS, &add, sizeof(add)));
	EXPECT_ERR(setsockopt(sock, IPPROTO_IP, IPT_SO_SET_ADD_COUNTERS, &add, sizeof(add) - 8), EINVAL);
	one_rule(NF_INET_LOCAL_OUT, -NF_DROP - 1);
	REQUIRE_OK(set());
	EXPECT_EQ(old[0].pcnt, 9);
	EXPECT_EQ(old[0].bcnt, 2 * 33 + 70);
	EXPECT_ERR(send53(out), EPERM);
	begin("filter");
	for (unsigned h = NF_INET_LOCAL_IN; h <= NF_INET_LOCAL_OUT; h++) {
		hook(h);
		policy(h);
	}
	chain("ERROR");
	REQUIRE_OK(set());
	EXPECT_EQ(send53(out), 5);
	EXPECT_EQ(recv(in, buf, sizeof(buf), 0), 5);
}

TEST(a_redirected_connection_knows_where_it_was_going)
{
	static const unsigned hooks[] = { NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING };
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(7008), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct nf_nat_ipv4_multi_range_compat *r;
	socklen_t n = sizeof(sa);
	int l, c, a;

	own_net();
	l = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE_OK(bind(l, (void *)&sa, sizeof(sa)));
	REQUIRE_OK(listen(l, 4));
	EXPECT_ERR(getsockopt(l, IPPROTO_IP, 80, &sa, &n), ENOENT);
	begin("nat");
	for (int i = 0; i < 4; i++) {
		hook(hooks[i]);
		if (hooks[i] == NF_INET_LOCAL_OUT) {
			rule(IPPROTO_TCP);
			r = part("REDIRECT", 0, sizeof(*r), true);
			r->rangesize = 1;
			r->range[0].flags = NF_NAT_RANGE_PROTO_SPECIFIED;
			r->range[0].min.all = r->range[0].max.all = htons(7008);
		}
		policy(hooks[i]);
	}
	chain("ERROR");
	REQUIRE_OK(set());
	c = socket(AF_INET, SOCK_STREAM, 0);
	sa.sin_port = htons(7009);
	REQUIRE_OK(connect(c, (void *)&sa, sizeof(sa)));
	a = accept(l, NULL, NULL);
	REQUIRE_OK(a);
	memset(&sa, 0, sizeof(sa));
	n = sizeof(sa);
	EXPECT_OK(getsockopt(a, IPPROTO_IP, 80, &sa, &n));
	EXPECT_EQ(ntohs(sa.sin_port), 7009);
	EXPECT_EQ(ntohl(sa.sin_addr.s_addr), INADDR_LOOPBACK);
	n = 8;
	EXPECT_ERR(getsockopt(a, IPPROTO_IP, 80, &sa, &n), EINVAL);
	n = sizeof(sa);
	REQUIRE_OK(getpeername(c, (void *)&sa, &n));
	EXPECT_EQ(ntohs(sa.sin_port), 7009);
}

TEST_MAIN()
