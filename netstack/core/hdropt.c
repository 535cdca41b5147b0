/*
 * hdropt.c - what sockets put into IP headers and are told of them: options of IPv4, extension headers of IPv6.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "platform/base/alloc.h"
#include "netstack/core/ep.h"
#include "netstack/core/optnum.h"
#include "netstack/wire/ip6.h"

int hdropt_set4(struct ep *e, const void *val, size_t len, bool net_raw)
{
	struct ip4_opts *o = NULL, *old;
	int r;

	if (len > IP4OPT_MAX)
		return -EINVAL;
	if (len) {
		o = knew(struct ip4_opts);
		if (!o)
			return -ENOMEM;
		r = ip4opt_set(e->stack, val, len, net_raw, o);
		if (r < 0) {
			kfree(o);
			return r;
		}
	}
	mutex_lock(&e->mu);
	old = e->opts4;
	e->opts4 = o;
	e->rt.valid = false;
	if (e->ops == &tcp_ops)
		tcp_opts_changed(e);
	mutex_unlock(&e->mu);
	kfree(old);
	return 0;
}

int hdropt_get4(struct ep *e, void *val, size_t *len)
{
	struct ip4_opts o = { 0 };

	mutex_lock(&e->mu);
	if (e->opts4)
		o = *e->opts4;
	mutex_unlock(&e->mu);
	ip4opt_undo(&o);
	return epopt_put(val, len, o.data, o.len);
}

/* IP_RECVOPTS and IP_RETOPTS, of a datagram of IPv4. */
void hdropt_fill4(const struct ep *e, const struct pktbuf *p, struct epmsg_out *c)
{
	const struct ip4_opts *rx;
	struct ip4_opts back;

	if (!p->ext)
		return;
	rx = (const struct ip4_opts *)(const void *)p->ext->data;
	if (e->o.recvopts)
		epmsg_put(c, IPPROTO_IP, IP_RECVOPTS, rx->data, rx->len);
	if (!e->o.retopts)
		return;
	if (!ip4opt_echo(e->stack, rx, &back)) {
		c->trunc = true;
		return;
	}
	ip4opt_undo(&back);
	epmsg_put(c, IPPROTO_IP, IP_RETOPTS, back.data, back.len);
}

#define STICKY_MAX (8 * 255)

static int kind_of(int opt)
{
	return opt == IPV6_HOPOPTS ? IP6EXT_HOP : opt == IPV6_RTHDRDSTOPTS ? IP6EXT_DST0 : opt == IPV6_RTHDR ? IP6EXT_RT : IP6EXT_DST1;
}

/* mu held; the old ones are returned. */
static struct ip6_sticky *swap6(struct ep *e, struct ip6_sticky *s)
{
	struct ip6_sticky *old = e->ext6;

	e->ext6 = s;
	e->rt.valid = false;
	if (e->ops == &tcp_ops)
		tcp_opts_changed(e);
	return old;
}

int hdropt_set6(struct ep *e, int opt, const void *val, size_t len)
{
	struct ip6_sticky *s = NULL, *old = NULL;
	int kind = kind_of(opt), r = 0;
	struct ip6_ext x = { { NULL }, { 0 } };

	if (len && (len < 8 || len % 8 || len > STICKY_MAX))
		return -EINVAL;
	mutex_lock(&e->mu);
	if (e->ext6)
		x = e->ext6->x;
	x.h[kind] = NULL;
	x.len[kind] = 0;
	if (len)
		r = ip6ext_add(&x, kind, val, len);
	if (r == 0 && len && kind == IP6EXT_RT && !ip6ext_rt_ok(val, len, true))
		r = -EINVAL;
	if (r == 0 && ip6ext_len(&x)) {
		s = ip6ext_keep(&x);
		r = s ? 0 : -ENOMEM;
	}
	if (r == 0)
		old = swap6(e, s);
	mutex_unlock(&e->mu);
	ip6ext_unref(old);
	return r;
}

int hdropt_get6(struct ep *e, int opt, void *val, size_t *len)
{
	int kind = kind_of(opt);

	mutex_lock(&e->mu);
	*len = MIN(*len, e->ext6 ? (size_t)e->ext6->x.len[kind] : 0);
	if (*len)
		memcpy(val, e->ext6->x.h[kind], *len);
	mutex_unlock(&e->mu);
	return 0;
}

int hdropt_set6_all(struct ep *e, const void *val, size_t len, bool net_raw)
{
	const struct net_msg m = { .ctl = (void *)(uintptr_t)val, .ctl_len = len, .net_raw = net_raw };
	struct ip6_sticky *s = NULL, *old;
	struct send_ctl c;
	int r = epmsg_parse_sticky(e, &m, &c);

	if (r < 0)
		return r;
	if (ip6ext_len(&c.ext)) {
		s = ip6ext_keep(&c.ext);
		if (!s)
			return -ENOBUFS;
	}
	mutex_lock(&e->mu);
	old = swap6(e, s);
	mutex_unlock(&e->mu);
	ip6ext_unref(old);
	return 0;
}

/* ---- what a datagram came with: an IPv6 header and what is behind it, once checked by ip6_walk() ---- */

struct walk { const u8 *p; u32 off, len, end; u8 nh, kind; };

static bool next(struct walk *w)
{
	w->off += w->len;
	w->kind = w->nh;
	if (w->off + 8 > w->end)
		return false;
	w->len = (w->p[w->off + 1] + 1u) * 8;
	w->nh = w->p[w->off];
	return w->len <= w->end - w->off;
}

static struct walk walk_of(const struct pktbuf *p)
{
	const u8 *d = p->ext->data;

	return (struct walk){ .p = d, .off = IP6_HLEN, .end = p->ext->used, .nh = d[6] };
}

void hdropt_fill6(const struct ep *e, const struct pktbuf *p, struct epmsg_out *c)
{
	struct walk w;

	if (!p->ext || ip_is4(&p->dst))
		return;
	for (w = walk_of(p); next(&w);) {
		if (w.kind == IP6_NH_HOPOPTS && e->o.recvhopopts)
			epmsg_put(c, IPPROTO_IPV6, IPV6_HOPOPTS, w.p + w.off, w.len);
		if (w.kind == IP6_NH_DSTOPTS && e->o.recvdstopts)
			epmsg_put(c, IPPROTO_IPV6, IPV6_DSTOPTS, w.p + w.off, w.len);
		if (w.kind == IP6_NH_ROUTING && e->o.recvrthdr)
			epmsg_put(c, IPPROTO_IPV6, IPV6_RTHDR, w.p + w.off, w.len);
	}
}

/* Of each kind one: the last options before a routing header, the last of those, the last options behind it. */
void hdropt_fill6_old(const struct ep *e, const struct pktbuf *p, struct epmsg_out *c)
{
	struct walk w, dst0 = { 0 }, rt = { 0 }, dst1 = { 0 };

	if (!p->ext || ip_is4(&p->dst))
		return;
	for (w = walk_of(p); next(&w);) {
		if (w.kind == IP6_NH_HOPOPTS && e->o.ohopopts)
			epmsg_put(c, IPPROTO_IPV6, OPT_IPV6_2292HOPOPTS, w.p + w.off, w.len);
		if (w.kind == IP6_NH_DSTOPTS)
			dst1 = w;
		if (w.kind != IP6_NH_ROUTING)
			continue;
		rt = w;
		dst0 = dst1;
		dst1.len = 0;
	}
	if (e->o.odstopts && dst0.len)
		epmsg_put(c, IPPROTO_IPV6, OPT_IPV6_2292DSTOPTS, dst0.p + dst0.off, dst0.len);
	if (e->o.orthdr && rt.len)
		epmsg_put(c, IPPROTO_IPV6, OPT_IPV6_2292RTHDR, rt.p + rt.off, rt.len);
	if (e->o.odstopts && dst1.len)
		epmsg_put(c, IPPROTO_IPV6, OPT_IPV6_2292DSTOPTS, dst1.p + dst1.off, dst1.len);
}
