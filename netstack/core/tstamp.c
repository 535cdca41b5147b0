/*
 * tstamp.c - SO_TIMESTAMPING: when what was sent left, told on the error queue, and when what is received came.
 *
 * All stamps are software's.  A stamp comes with the data it is about unless OPT_TSONLY says not to; Linux shows
 * the headers as well where the packet had them, we the payload alone.  A stamp that finds the queue full is lost.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include "netstack/core/ep.h"
#include "netstack/core/optnum.h"

int tstamp_set(struct ep *e, int opt, const void *val, size_t len)
{
	u32 v[2] = { 0 };
	int r = 0;

	if (len < 4)
		return -EINVAL;
	memcpy(v, val, len == sizeof(v) ? sizeof(v) : 4);
	if ((v[0] & ~(u32)TS_ALL) || ((v[0] & TS_OPT_ID_TCP) && !(v[0] & TS_OPT_ID)) ||
	    ((v[0] & TS_OPT_STATS) && !(v[0] & TS_OPT_TSONLY)))
		return -EINVAL;
	mutex_lock(&e->mu);
	if ((v[0] & TS_OPT_ID) && !(e->o.tsflags & TS_OPT_ID)) {
		e->tskey = 0;
		if (e->ops == &tcp_ops)
			r = tcp_tskey(e, v[0] & TS_OPT_ID_TCP);
	}
	if (r == 0) {
		e->o.tsflags = v[0];
		e->o.bind_phc = v[1];
		e->o.stamp_new = opt == OPT_SO_TIMESTAMPING_NEW;
	}
	mutex_unlock(&e->mu);
	return r;
}

void tstamp_sent(struct ep *e, struct pktbuf *payload, u32 flags)
{
	u32 id = 0;

	if (!(flags & TS_TX_ANY))
		return;
	if (e->o.tsflags & TS_OPT_ID)
		id = e->tskey++;
	if (e->o.tsflags & TS_OPT_TSONLY)
		payload = NULL;
	if (flags & TS_TX_SCHED)
		errq_stamp(e, payload, STAMP_SCHED, id);
	if (flags & TS_TX_SOFTWARE)
		errq_stamp(e, payload, STAMP_SND, id);
}

void tstamp_put(const struct ep *e, u64 stamp, struct epmsg_out *c)
{
	struct timespec t[3] = { { (time_t)(stamp / 1000000000), (long)(stamp % 1000000000) } };

	if (stamp && (e->o.tsflags & TS_SOFTWARE))
		epmsg_put(c, SOL_SOCKET, e->o.stamp_new ? OPT_SO_TIMESTAMPING_NEW : SO_TIMESTAMPING, t, sizeof(t));
}
