/* rpc.c - see rpc.h: sockets, the exchange of packets, handles given back, events. */
#include "sentry/fs/gofer/rpc.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "gofer/proto/channel.h"
#include "platform/base/log.h"
#include "platform/host/hostfile.h"
#include "sentry/fs/gofer/rpc_int.h"

#define CLOSE_BATCH 64u                 /* handles that may wait for company */

void grpc_init(struct gofer_rpc *r, const hostfd_t *socks, u32 n)
{
	memset(r, 0, sizeof(*r));
	r->nchan = MIN(n, (u32)GRPC_MAX_CHAN);
	for (u32 i = 0; i < r->nchan; i++) {
		mutex_init(&r->chan[i].mu, RANK_RPC);
		r->chan[i].sock = socks[i].fd;
	}
	mutex_init(&r->bell.mu, RANK_RPC);
	mutex_init(&r->pend_mu, RANK_LEAF);
}

void grpc_done(struct gofer_rpc *r)
{
	for (u32 i = 0; i < r->nchan; i++)
		host_close(HOSTFD(r->chan[i].sock));
	r->nchan = 0;
	grpc_bell_done(r);
}

int grpc_break(struct gofer_rpc *r, const char *why)
{
	if (!atomic_exchange(&r->broken, true))
		log_error("gofer: connection lost: %s", why);
	return -EIO;
}

/* The first free socket, so that one caller alone keeps one server thread warm. */
static u32 lock_chan(struct gofer_rpc *r) NO_TSA
{
	u32 i;

	for (i = 0; i < r->nchan; i++)
		if (mutex_trylock(&r->chan[i].mu))
			return i;
	i = atomic_fetch_add(&r->turn, 1) % r->nchan;
	mutex_lock(&r->chan[i].mu);
	return i;
}

static void unlock_chan(struct gofer_rpc *r, u32 i) NO_TSA
{
	mutex_unlock(&r->chan[i].mu);
}

static int send_request(struct gofer_rpc *r, u32 i, const struct exchange *x)
{
	struct gw_hdr h = { .size = sizeof(h), .op = x->op, .tag = ++r->chan[i].tag };
	struct iovec iov[GRPC_REQ_PARTS + 1] = { { &h, sizeof(h) } };

	for (u32 k = 0; k < x->nreq; k++) {
		iov[k + 1] = x->req[k];
		h.size += (u32)x->req[k].iov_len;
	}
	return gchan_send(r->chan[i].sock, iov, x->nreq + 1, -1);
}

ssize_t grpc_check_header(struct gofer_rpc *r, const struct gw_hdr *h, size_t n, const struct exchange *x, u32 tag)
{
	if (h->size != n || h->op != x->op || h->tag != tag)
		return grpc_break(r, "a reply does not match its request");
	if (h->err) {
		if (h->err > 0 || h->err < -4095 || n != sizeof(*h))
			return grpc_break(r, "a reply has a strange error");
		/* We only send handles that were given to us: this one went back, as its file is gone. */
		return h->err == -EBADF ? -ESTALE : h->err;
	}
	if (n < sizeof(*h) + x->rep_len)
		return grpc_break(r, "a reply is too short");
	return (ssize_t)(n - sizeof(*h) - x->rep_len);
}

/* Receive and check a reply.  A descriptor that came is in *fd whatever is returned. */
static int recv_reply(struct gofer_rpc *r, u32 i, struct exchange *x, int *fd)
{
	struct gw_hdr h;
	struct iovec iov[3] = { { &h, sizeof(h) }, { x->rep, x->rep_len }, { x->tail, x->tail_cap } };
	ssize_t n = gchan_recv(r->chan[i].sock, iov, 3, fd);

	if (n == 0)
		return grpc_break(r, "the gofer has ended");
	if (n < 0)
		return grpc_break(r, n == -EMSGSIZE ? "a reply is longer than allowed" : strerror((int)-n));
	if ((size_t)n < sizeof(h))
		return grpc_break(r, "a reply is too short");
	n = grpc_check_header(r, &h, (size_t)n, x, r->chan[i].tag);
	x->tail_len = (size_t)n;
	return n < 0 ? (int)n : 0;
}

/* Only an open regular file is accepted as a donation. -EMFILE: it came, but the guest has taken all numbers. */
static int check_fd(struct gofer_rpc *r, const struct exchange *x, int fd)
{
	struct stat st;

	if (fd == -EMFILE)
		return x->may_lack_fd ? 0 : -ENFILE;
	if (fd < 0)
		return grpc_break(r, "no descriptor came");
	if (host_fstat(HOSTFD(fd), &st) < 0 || !S_ISREG(st.st_mode))
		return grpc_break(r, "a descriptor is not a regular file");
	return 0;
}

static int by_socket(struct gofer_rpc *r, struct exchange *x, int *fd)
{
	u32 i = lock_chan(r);
	int rc = send_request(r, i, x);

	if (rc < 0)
		rc = grpc_break(r, strerror(-rc));
	else
		rc = recv_reply(r, i, x, x->fd ? fd : NULL);
	unlock_chan(r, i);
	return rc;
}

int grpc_exchange(struct gofer_rpc *r, struct exchange *x)
{
	int fd = -1, rc;

	if (atomic_load_explicit(&r->broken, memory_order_relaxed))
		return -EIO;
	atomic_fetch_add_explicit(&r->ncalls, 1, memory_order_relaxed);
	rc = grpc_ring(r, x, &fd);
	if (rc == -EAGAIN)
		rc = by_socket(r, x, &fd);
	if (rc == 0 && x->fd)
		rc = check_fd(r, x, fd);
	if (rc == 0 && x->fd)
		*x->fd = fd < 0 ? HOSTFD_NONE : HOSTFD(fd);
	else if (fd >= 0)
		host_close(HOSTFD(fd));
	return rc;
}

static void send_closes(struct gofer_rpc *r, const u32 *handles, u32 n)
{
	struct gw_close_req q = { .n = n };
	struct exchange x = {
		.op = GW_OP_close, .nreq = 2,
		.req = { { &q, sizeof(q) }, { (void *)handles, n * sizeof(*handles) } },
	};
	int fd = -1;
	u32 i;

	if (n == 0 || atomic_load(&r->broken) || grpc_ring(r, &x, &fd) != -EAGAIN)
		return;
	i = lock_chan(r);
	if (send_request(r, i, &x) < 0)
		grpc_break(r, "cannot send");
	unlock_chan(r, i);
}

void grpc_flush_closes(struct gofer_rpc *r)
{
	u32 handles[GW_CLOSE_MAX], n;

	mutex_lock(&r->pend_mu);
	n = r->npend;
	memcpy(handles, r->pend, n * sizeof(*handles));
	r->npend = 0;
	mutex_unlock(&r->pend_mu);
	send_closes(r, handles, n);
}

void grpc_close(struct gofer_rpc *r, u32 h, bool now)
{
	bool full;

	if (h == 0)
		return;
	if (now) {
		send_closes(r, &h, 1);
		return;
	}
	mutex_lock(&r->pend_mu);
	full = r->npend == GW_CLOSE_MAX;
	if (!full)
		r->pend[r->npend++] = h;
	now = r->npend >= CLOSE_BATCH;
	mutex_unlock(&r->pend_mu);
	if (now)
		grpc_flush_closes(r);
	if (full)
		send_closes(r, &h, 1);
}

int grpc_recv_events(int sock, void *buf, grpc_event_fn *fn, void *arg)
{
	struct iovec iov = { buf, GW_MSG_MAX };
	const struct gw_hdr *h = buf;
	const struct gw_inval *q = (const void *)((u8 *)buf + sizeof(*h));
	size_t at = sizeof(*h) + sizeof(*q);
	ssize_t n = gchan_recv(sock, &iov, 1, NULL);

	if (n <= 0)
		return (int)n;
	if ((size_t)n < at || h->size != (u32)n || h->op != GW_OP_inval)
		return -EPROTO;
	for (u32 i = 0; i < q->n; i++) {
		const struct gw_event *ev = (const void *)((u8 *)buf + at);
		const char *name = (const char *)(ev + 1);

		if ((size_t)n - at < sizeof(*ev) || (size_t)n - at - sizeof(*ev) < GW_PAD8(ev->namelen))
			return -EPROTO;
		if (ev->namelen > GW_NAME_MAX)
			return -EPROTO;
		fn(arg, ev, name);
		at += sizeof(*ev) + GW_PAD8(ev->namelen);
	}
	return 1;
}
