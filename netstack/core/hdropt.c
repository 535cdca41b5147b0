/*
 * hdropt.c - what sockets put into IP headers and are told of them: IPv4 options.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "platform/base/alloc.h"
#include "netstack/core/ep.h"

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
