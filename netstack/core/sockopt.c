/*
 * sockopt.c - options that every endpoint has: SOL_SOCKET, and the way to the IP levels (ipopt.c).
 *
 * Booleans and plain integers come from tables; what has rules of its own is
 * in the switches.  Values are in Linux' layout.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/core/optnum.h"

#define RCVBUF_MIN 2304
#define SNDBUF_MIN 4608

int epopt_int(const void *val, size_t len, int *ret)
{
	if (len < sizeof(int))
		return -EINVAL;
	memcpy(ret, val, sizeof(int));
	return 0;
}

int epopt_put(void *val, size_t *len, const void *src, size_t n)
{
	*len = MIN(*len, n);
	memcpy(val, src, *len);
	return 0;
}

int epopt_put_int(void *val, size_t *len, int v) { return epopt_put(val, len, &v, sizeof(v)); }

/* What a boolean takes: else any integer, at level IPPROTO_IP one byte and nothing, too. */
enum {
	ONLY_01 = 1,
	A_BYTE = 2,                     /* IPPROTO_IP: not nothing */
	ANY_LEN = 4,                    /* IPPROTO_IPV6: what is shorter than an int is 0 */
	NO_STREAM = 8,                  /* -EINVAL for TCP */
	ONLY_RAW = 16,
};
struct boolopt { s16 level, opt; u16 off, how; };
#define BH(level, opt, field, how) { level, opt, offsetof(struct sockopts, field), how }
#define B(level, opt, field) BH(level, opt, field, 0)

static const struct boolopt bools[] = {
	B(SOL_SOCKET, SO_REUSEADDR, reuseaddr), B(SOL_SOCKET, SO_REUSEPORT, reuseport),
	B(SOL_SOCKET, SO_BROADCAST, broadcast), B(SOL_SOCKET, SO_KEEPALIVE, keepalive),
	B(SOL_SOCKET, SO_OOBINLINE, oobinline), B(SOL_SOCKET, SO_DONTROUTE, dontroute),
	B(SOL_SOCKET, SO_NO_CHECK, no_check), B(SOL_SOCKET, SO_DEBUG, debug),
	B(SOL_SOCKET, SO_SELECT_ERR_QUEUE, select_err), BH(SOL_SOCKET, SO_ZEROCOPY, zerocopy, ONLY_01),
	B(SOL_SOCKET, SO_PREFER_BUSY_POLL, busy), B(SOL_SOCKET, SO_RXQ_OVFL, rxq_ovfl),
	B(SOL_SOCKET, SO_WIFI_STATUS, wifi), B(SOL_SOCKET, SO_NOFCS, nofcs), B(SOL_SOCKET, OPT_SO_RCVMARK, rcvmark),
	B(SOL_SOCKET, OPT_SO_RCVPRIORITY, rcvprio),
	B(IPPROTO_IP, IP_PKTINFO, pktinfo), B(IPPROTO_IP, IP_RECVTTL, recvttl),
	B(IPPROTO_IP, IP_RECVTOS, recvtos), B(IPPROTO_IP, IP_RECVOPTS, recvopts),
	B(IPPROTO_IP, IP_RECVERR, recverr), BH(IPPROTO_IP, IP_FREEBIND, freebind, A_BYTE),
	BH(IPPROTO_IP, IP_TRANSPARENT, transparent, A_BYTE), BH(IPPROTO_IP, IP_MULTICAST_ALL, mc_all, A_BYTE | ONLY_01),
	BH(IPPROTO_IP, IP_MULTICAST_LOOP, mc_loop, A_BYTE), B(IPPROTO_IP, IP_RECVORIGDSTADDR, origdst),
	B(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, bind_noport), B(IPPROTO_IP, IP_RETOPTS, retopts),
	B(IPPROTO_IP, IP_PASSSEC, passsec), B(IPPROTO_IP, IP_CHECKSUM, recvcsum),
	BH(IPPROTO_IP, IP_RECVFRAGSIZE, recvfragsize, NO_STREAM), BH(IPPROTO_IP, OPT_IP_RECVERR_RFC4884, rfc4884, ONLY_01),
	BH(IPPROTO_IP, IP_HDRINCL, hdrincl, ONLY_RAW), BH(IPPROTO_IP, IP_NODEFRAG, nodefrag, ONLY_RAW),
	B(IPPROTO_IPV6, IPV6_RECVPKTINFO, pktinfo6), B(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, recvhlim),
	B(IPPROTO_IPV6, IPV6_RECVTCLASS, recvtclass), B(IPPROTO_IPV6, IPV6_RECVERR, recverr6),
	BH(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, mc_loop6, ONLY_01), BH(IPPROTO_IPV6, OPT_IPV6_AUTOFLOWLABEL, autoflow, ANY_LEN),
	B(IPPROTO_IPV6, OPT_IPV6_TRANSPARENT, transparent), B(IPPROTO_IPV6, OPT_IPV6_FREEBIND, freebind),
	BH(IPPROTO_IPV6, IPV6_DONTFRAG, dontfrag6, ANY_LEN), B(IPPROTO_IPV6, IPV6_RECVPATHMTU, recvpathmtu),
	B(IPPROTO_IPV6, IPV6_RECVRTHDR, recvrthdr), B(IPPROTO_IPV6, IPV6_RECVHOPOPTS, recvhopopts),
	B(IPPROTO_IPV6, IPV6_RECVDSTOPTS, recvdstopts), B(IPPROTO_IPV6, OPT_IPV6_FLOWINFO_SEND, flowinfo_send),
	B(IPPROTO_IPV6, OPT_IPV6_FLOWINFO, recvflow), B(IPPROTO_IPV6, OPT_IPV6_MULTICAST_ALL, mc_all6),
	BH(IPPROTO_IPV6, OPT_IPV6_RECVERR_RFC4884, rfc4884, ONLY_01),
	BH(IPPROTO_IPV6, OPT_IPV6_RECVFRAGSIZE, recvfragsize, ANY_LEN),
	B(IPPROTO_IPV6, OPT_IPV6_RECVORIGDSTADDR, origdst), B(IPPROTO_IPV6, OPT_IPV6_ROUTER_ALERT_ISOLATE, ra_isolate),
	B(IPPROTO_IPV6, OPT_IPV6_2292PKTINFO, opktinfo6), B(IPPROTO_IPV6, OPT_IPV6_2292HOPLIMIT, ohlim),
	B(IPPROTO_IPV6, OPT_IPV6_2292HOPOPTS, ohopopts), B(IPPROTO_IPV6, OPT_IPV6_2292DSTOPTS, odstopts),
	B(IPPROTO_IPV6, OPT_IPV6_2292RTHDR, orthdr),
};

static const struct boolopt *find_bool(const struct ep *e, int level, int opt)
{
	size_t i;

	if (level == IPPROTO_IPV6 && e->family != AF_INET6)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(bools); i++)
		if (bools[i].level == level && bools[i].opt == opt)
			return &bools[i];
	return NULL;
}

static bool *bool_at(struct ep *e, const struct boolopt *b) { return (bool *)((char *)&e->o + b->off); }

/* A boolean that this kind of socket has not. */
static int bool_refused(const struct ep *e, const struct boolopt *b, int v)
{
	if (b->level == SOL_SOCKET && b->opt == SO_REUSEPORT && v && e->family == AF_PACKET)
		return -EOPNOTSUPP;
	if (b->level == SOL_SOCKET && b->opt == SO_ZEROCOPY && (e->type == SOCK_RAW || e->family == AF_PACKET))
		return -EOPNOTSUPP;
	if ((b->how & ONLY_RAW) && e->type != SOCK_RAW)
		return -ENOPROTOOPT;
	if (((b->how & NO_STREAM) && e->type == SOCK_STREAM) || ((b->how & ONLY_01) && v != 0 && v != 1))
		return -EINVAL;
	return 0;
}

static int set_bool(struct ep *e, const struct boolopt *b, const void *val, size_t len)
{
	int v = 0, r = 0;

	if (b->level == IPPROTO_IP) {
		r = len || (b->how & A_BYTE) ? ipopt_int(val, len, &v) : 0;
	} else if (len >= sizeof(v) || !(b->how & ANY_LEN)) {
		r = epopt_int(val, len, &v);
	}
	if (r == 0)
		r = bool_refused(e, b, v);
	if (r < 0)
		return r;
	mutex_lock(&e->mu);
	*bool_at(e, b) = v != 0;
	if (b->off == offsetof(struct sockopts, autoflow))
		e->o.autoflow_set = true;
	if (e->ops->rekey)
		e->ops->rekey(e);
	mutex_unlock(&e->mu);
	return 0;
}

static int get_bool(struct ep *e, const struct boolopt *b, void *val, size_t *len)
{
	if (b->level == IPPROTO_IP && *len >= 1 && *len < sizeof(int)) {
		*(u8 *)val = *bool_at(e, b);
		*len = 1;
		return 0;
	}
	return epopt_put_int(val, len, *bool_at(e, b));
}

static int set_timeo(u64 *dst, const void *val, size_t len)
{
	struct timeval t;

	if (len < sizeof(t))
		return -EINVAL;
	memcpy(&t, val, sizeof(t));
	if (t.tv_usec < 0 || t.tv_usec >= 1000000)
		return -EDOM;
	if (t.tv_sec < 0)
		*dst = 1;               /* Linux: no waiting at all */
	else if ((u64)t.tv_sec >= (u64)INT64_MAX / 1000000000 - 1)
		*dst = 0;
	else
		*dst = (u64)t.tv_sec * 1000000000 + (u64)t.tv_usec * 1000;
	return 0;
}

static int get_timeo(u64 ns, void *val, size_t *len)
{
	struct timeval t = { (time_t)(ns / 1000000000), (suseconds_t)(ns % 1000000000 / 1000) };

	return epopt_put(val, len, &t, sizeof(t));
}

static int bind_to_device(struct ep *e, const void *val, size_t len)
{
	char name[NET_IFNAMSIZ] = { 0 };
	struct link_info l = { 0 };
	int r;

	memcpy(name, val, MIN(len, sizeof(name) - 1));
	if (name[0]) {
		r = link_by_name(e->stack, name, &l);
		if (r < 0)
			return r;
	}
	mutex_lock(&e->mu);
	e->o.bound_if = l.ifindex;
	e->rt.valid = false;
	mutex_unlock(&e->mu);
	if (e->bind.hashed)
		e->bind.ifindex = l.ifindex;
	return 0;
}

static int set_buf(struct ep *e, int opt, int v)
{
	bool rcv = opt == SO_RCVBUF || opt == OPT_SO_RCVBUFFORCE;
	bool force = opt == OPT_SO_RCVBUFFORCE || opt == OPT_SO_SNDBUFFORCE;
	u32 max = (u32)(rcv ? e->stack->sysctl.rmem_max[0] : e->stack->sysctl.wmem_max[0]);
	u32 want = force && v < 0 ? 0 : (u32)v;

	if (!force)
		want = MIN(want, max);
	want = MIN(want, (u32)INT32_MAX / 2) * 2;
	mutex_lock(&e->mu);
	if (rcv) {
		e->o.rcvbuf = MAX(want, (u32)RCVBUF_MIN);
		e->o.rcvbuf_locked = true;
	} else {
		e->o.sndbuf = MAX(want, (u32)SNDBUF_MIN);
		e->o.sndbuf_locked = true;
	}
	if (e->ops->rekey)
		e->ops->rekey(e);
	mutex_unlock(&e->mu);
	return 0;
}

static int set_linger(struct ep *e, const void *val, size_t len)
{
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	mutex_lock(&e->mu);
	e->o.linger_on = l.l_onoff != 0;
	if (l.l_onoff)
		e->o.linger_s = (u32)l.l_linger;
	mutex_unlock(&e->mu);
	return 0;
}

/* Bytes a second, an int or a long; all ones: no limit. */
static int set_pacing(struct ep *e, const void *val, size_t len)
{
	u32 small;
	u64 v;

	if (len < sizeof(small))
		return -EINVAL;
	memcpy(&small, val, sizeof(small));
	v = small == UINT32_MAX ? UINT64_MAX : small;
	if (len >= sizeof(v))
		memcpy(&v, val, sizeof(v));
	mutex_lock(&e->mu);
	e->o.pacing = v;
	e->o.paced = e->o.paced || v != UINT64_MAX;
	mutex_unlock(&e->mu);
	return 0;
}

static bool has_peek_off(const struct ep *e) { return e->ops == &tcp_ops || e->ops == &udp_ops; }

/* AF_UNIX's own: who sent, and whether that may be asked. */
static bool unix_only(int opt)
{
	return opt == SO_PASSCRED || opt == SO_PASSSEC || opt == OPT_SO_PASSPIDFD || opt == OPT_SO_PASSRIGHTS;
}

/* SO_TIMESTAMP and its likes: what is told, and under which number. */
static void set_stamps(struct ep *e, int opt, bool on)
{
	bool ns = opt == SO_TIMESTAMPNS || opt == OPT_SO_TIMESTAMPNS_NEW;

	mutex_lock(&e->mu);
	e->o.timestamp = on && !ns;
	e->o.timestampns = on && ns;
	if (on)
		e->o.stamp_new = opt == OPT_SO_TIMESTAMP_NEW || opt == OPT_SO_TIMESTAMPNS_NEW;
	mutex_unlock(&e->mu);
}

static int get_stamps(const struct ep *e, int opt)
{
	bool as_new = e->o.stamp_new;

	switch (opt) {
	case SO_TIMESTAMP: return e->o.timestamp && !as_new;
	case SO_TIMESTAMPNS: return e->o.timestampns && !as_new;
	case OPT_SO_TIMESTAMP_NEW: return (e->o.timestamp || e->o.timestampns) && as_new;
	default: return e->o.timestampns && as_new;
	}
}

/* Kept and shown: packets leave at once, whenever they were meant to. */
static int set_txtime(struct ep *e, const void *val, size_t len)
{
	struct { s32 clock; u32 flags; } t;

	if (len != sizeof(t))
		return -EINVAL;
	memcpy(&t, val, sizeof(t));
	if ((t.flags & ~3u) || (t.clock != CLOCK_REALTIME && t.clock != CLOCK_MONOTONIC && t.clock != CLOCK_TAI))
		return -EINVAL;
	e->o.txtime_clock = t.clock;
	e->o.txtime_flags = t.flags;
	e->o.txtime = true;
	return 0;
}

static void set_lowat(struct ep *e, int v)
{
	u32 max = e->ops == &tcp_ops ? (u32)e->stack->sysctl.tcp_rmem[2] / 2 : INT32_MAX;

	if (e->ops == &tcp_ops && e->o.rcvbuf_locked)
		max = e->o.rcvbuf / 2;
	e->o.rcvlowat = MIN(v < 0 ? INT32_MAX : v ? (u32)v : 1, max);
}

/* Options that are taken and kept, and change nothing here. */
static int set_hint(struct ep *e, int opt, int v)
{
	switch (opt) {
	case SO_BSDCOMPAT: case OPT_SO_CNX_ADVICE:
		return 0;
	case SO_BUSY_POLL:
		if (v < 0)
			return -EINVAL;
		e->o.busy_poll = (u32)v;
		return 0;
	case SO_BUSY_POLL_BUDGET:
		return v < 0 || v > UINT16_MAX ? -EINVAL : 0;
	case OPT_SO_RESERVE_MEM:
		return v < 0 ? -EINVAL : -EOPNOTSUPP;
	case OPT_SO_TXREHASH:
		if (v < -1 || v > 1)
			return -EINVAL;
		if (e->type != SOCK_STREAM)
			return -EOPNOTSUPP;
		e->o.txrehash_off = v == 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_socket(struct ep *e, int opt, const void *val, size_t len)
{
	int v, r;

	switch (opt) {
	case SO_LINGER:
		return set_linger(e, val, len);
	case SO_BINDTODEVICE:
		return bind_to_device(e, val, len);
	case SO_RCVTIMEO: case OPT_SO_RCVTIMEO_NEW:
		return set_timeo(&e->o.rcvtimeo, val, len);
	case SO_SNDTIMEO: case OPT_SO_SNDTIMEO_NEW:
		return set_timeo(&e->o.sndtimeo, val, len);
	case SO_ATTACH_FILTER:
		return filter_attach(e, val, len);
	case SO_ATTACH_BPF:
		return -ENOPROTOOPT;
	case SO_MAX_PACING_RATE:
		return set_pacing(e, val, len);
	case SO_TIMESTAMPING: case OPT_SO_TIMESTAMPING_NEW:
		return tstamp_set(e, opt, val, len);
	case SO_TXTIME:
		return set_txtime(e, val, len);
	}
	r = epopt_int(val, len, &v);
	if (r < 0)
		return r;
	if (unix_only(opt))
		return -EOPNOTSUPP;
	switch (opt) {
	case SO_RCVBUF: case SO_SNDBUF: case OPT_SO_RCVBUFFORCE: case OPT_SO_SNDBUFFORCE:
		return set_buf(e, opt, v);
	case SO_DETACH_FILTER:
		return filter_detach(e);
	case SO_TIMESTAMP: case SO_TIMESTAMPNS: case OPT_SO_TIMESTAMP_NEW: case OPT_SO_TIMESTAMPNS_NEW:
		set_stamps(e, opt, v != 0);
		return 0;
	case SO_RCVLOWAT:
		set_lowat(e, v);
		return 0;
	case SO_MARK:
		e->o.mark = (u32)v;
		return 0;
	case SO_PRIORITY:
		e->o.priority = (u32)v;
		return 0;
	case SO_PEEK_OFF:
		if (!has_peek_off(e))
			return -EOPNOTSUPP;
		e->o.peek_off_on = v >= 0;
		e->o.peek_off = v >= 0 ? (u32)v : 0;
		return 0;
	case SO_BINDTOIFINDEX:
		if (v < 0)
			return -EINVAL;         /* an index that nobody has is fine */
		e->o.bound_if = e->bind.ifindex = (u32)v;
		e->rt.valid = false;
		return 0;
	case SO_LOCK_FILTER:
		if (e->filter_locked && !v)
			return -EPERM;
		e->filter_locked = v != 0;
		return 0;
	case SO_INCOMING_CPU:
		e->o.incoming_cpu = v;
		return 0;
	case OPT_SO_BUF_LOCK:
		if (v & ~3)
			return -EINVAL;
		mutex_lock(&e->mu);
		e->o.sndbuf_locked = v & 1;
		e->o.rcvbuf_locked = v & 2;
		mutex_unlock(&e->mu);
		return 0;
	default:
		return set_hint(e, opt, v);
	}
}

static int get_meminfo(struct ep *e, void *val, size_t *len)
{
	u32 v[9] = { e->rmem, e->o.rcvbuf, e->wmem, e->o.sndbuf, 0, e->wmem, 0, 0, e->drops };

	return epopt_put(val, len, v, sizeof(v));
}

static int get_hint(struct ep *e, int opt, void *val, size_t *len)
{
	bool tell = opt == SO_TIMESTAMPING || e->o.stamp_new;

	switch (opt) {
	case SO_TIMESTAMP: case SO_TIMESTAMPNS: case OPT_SO_TIMESTAMP_NEW: case OPT_SO_TIMESTAMPNS_NEW:
		return epopt_put_int(val, len, get_stamps(e, opt));
	case SO_TIMESTAMPING: case OPT_SO_TIMESTAMPING_NEW:
		return epopt_put(val, len, (u32[]){ tell ? e->o.tsflags : 0, tell ? e->o.bind_phc : 0 }, 8);
	case SO_TXTIME:
		return epopt_put(val, len, (u32[]){ (u32)e->o.txtime_clock, e->o.txtime_flags }, 8);
	case SO_BUSY_POLL:
		return epopt_put_int(val, len, (int)e->o.busy_poll);
	case OPT_SO_TXREHASH:
		return e->type != SOCK_STREAM ? -EOPNOTSUPP : epopt_put_int(val, len, !e->o.txrehash_off);
	case SO_BSDCOMPAT: case SO_INCOMING_NAPI_ID: case OPT_SO_RESERVE_MEM:
		return epopt_put_int(val, len, 0);
	default:
		return -ENOPROTOOPT;
	}
}

static int get_socket(struct ep *e, int opt, void *val, size_t *len)
{
	struct linger l = { e->o.linger_on, (int)e->o.linger_s };
	struct ucred nobody = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	struct link_info li = { 0 };

	if (unix_only(opt))
		return -EOPNOTSUPP;
	switch (opt) {
	case SO_PEERCRED:
		return epopt_put(val, len, &nobody, sizeof(nobody));
	case SO_PEERGROUPS: case OPT_SO_PEERPIDFD:
		return -ENODATA;
	case SO_BPF_EXTENSIONS:
		return epopt_put_int(val, len, 64);
	case OPT_SO_BUF_LOCK:
		return epopt_put_int(val, len, e->o.sndbuf_locked | e->o.rcvbuf_locked << 1);
	case SO_TYPE:
		return epopt_put_int(val, len, e->type);
	case SO_DOMAIN:
		return epopt_put_int(val, len, e->family);
	case SO_PROTOCOL:
		return epopt_put_int(val, len, e->proto);
	case SO_ERROR:
		return epopt_put_int(val, len, -ep_error(e));
	case SO_RCVBUF:
		return epopt_put_int(val, len, (int)e->o.rcvbuf);
	case SO_SNDBUF:
		return epopt_put_int(val, len, (int)e->o.sndbuf);
	case SO_RCVLOWAT:
		return epopt_put_int(val, len, (int)e->o.rcvlowat);
	case SO_SNDLOWAT:
		return epopt_put_int(val, len, 1);
	case SO_LINGER:
		return epopt_put(val, len, &l, sizeof(l));
	case SO_RCVTIMEO: case OPT_SO_RCVTIMEO_NEW:
		return get_timeo(e->o.rcvtimeo, val, len);
	case SO_SNDTIMEO: case OPT_SO_SNDTIMEO_NEW:
		return get_timeo(e->o.sndtimeo, val, len);
	case SO_MARK:
		return epopt_put_int(val, len, (int)e->o.mark);
	case SO_PRIORITY:
		return epopt_put_int(val, len, (int)e->o.priority);
	case SO_PEEK_OFF:
		return !has_peek_off(e) ? -EOPNOTSUPP :
					  epopt_put_int(val, len, e->o.peek_off_on ? (int)e->o.peek_off : -1);
	case SO_ACCEPTCONN:
		return epopt_put_int(val, len, (e->bind.flags & BIND_LISTEN) != 0);
	case SO_BINDTOIFINDEX:
		return epopt_put_int(val, len, (int)e->o.bound_if);
	case SO_BINDTODEVICE:
		if (!e->o.bound_if || link_get(e->stack, e->o.bound_if, &li) < 0)
			return epopt_put(val, len, "", 0);
		if (*len < NET_IFNAMSIZ)
			return -EINVAL;
		return epopt_put(val, len, li.name, strlen(li.name) + 1);
	case SO_COOKIE:
		return *len < sizeof(e->cookie) ? -EINVAL : epopt_put(val, len, &e->cookie, sizeof(e->cookie));
	case SO_MEMINFO:
		return get_meminfo(e, val, len);
	case SO_LOCK_FILTER:
		return epopt_put_int(val, len, e->filter_locked);
	case SO_INCOMING_CPU:
		/* Programs take it for an index once something has come. */
		return epopt_put_int(val, len, e->o.incoming_cpu < 0 && e->connected && e->type == SOCK_STREAM ?
					       0 : e->o.incoming_cpu);
	case SO_MAX_PACING_RATE:
		if (*len >= sizeof(e->o.pacing))
			return epopt_put(val, len, &e->o.pacing, sizeof(e->o.pacing));
		return epopt_put_int(val, len, (int)(u32)MIN(e->o.pacing, (u64)UINT32_MAX));
	default:
		return get_hint(e, opt, val, len);
	}
}

/* Packet sockets and raw ones of IPv6 know nothing of IPv4's options. */
static bool no_ip4(const struct ep *e)
{
	return e->family == AF_PACKET || (e->family == AF_INET6 && e->type == SOCK_RAW);
}

int epopt_set(struct ep *e, int level, int opt, const void *val, size_t len)
{
	const struct boolopt *b;

	if ((level == IPPROTO_IP && no_ip4(e)) || (level == IPPROTO_IPV6 && e->family != AF_INET6))
		return -ENOPROTOOPT;
	b = find_bool(e, level, opt);
	if (b)
		return set_bool(e, b, val, len);
	if ((level == IPPROTO_IP || level == IPPROTO_IPV6) && ipopt_is_mcast(level, opt))
		return mc_setsockopt(e, level, opt, val, len);
	switch (level) {
	case SOL_SOCKET:
		return set_socket(e, opt, val, len);
	case IPPROTO_IP:
		return ipopt_set4(e, opt, val, len);
	case IPPROTO_IPV6:
		return ipopt_set6(e, opt, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

int epopt_get(struct ep *e, int level, int opt, void *val, size_t *len)
{
	const struct boolopt *b;

	if (level != SOL_SOCKET && level != IPPROTO_IP && (level != IPPROTO_IPV6 || e->family != AF_INET6))
		return e->family == AF_INET ? -EOPNOTSUPP : -ENOPROTOOPT;
	if (level == IPPROTO_IP && no_ip4(e))
		return -ENOPROTOOPT;
	b = find_bool(e, level, opt);
	if (b)
		return get_bool(e, b, val, len);
	switch (level) {
	case SOL_SOCKET:
		return get_socket(e, opt, val, len);
	case IPPROTO_IP:
		return ipopt_get4(e, opt, val, len);
	default:
		return ipopt_get6(e, opt, val, len);
	}
}

int ep_set_ip_options(struct ep *e, const void *val, size_t len, bool net_raw)
{
	return no_ip4(e) ? -ENOPROTOOPT : hdropt_set4(e, val, len, net_raw);
}

int ep_set_ip6_options(struct ep *e, const void *val, size_t len, bool net_raw)
{
	return e->family != AF_INET6 ? -ENOPROTOOPT : hdropt_set6_all(e, val, len, net_raw);
}
