/*
 * main.c - the gofer's process: threads, one a control socket, and one that tells changes.
 * One of the former goes over to the client's doorbell (platform/host/doorbell.h).
 *
 * The thread that the process began with gives back what the start has used, and sleeps.
 *
 * Everything is allocated before the filter is loaded.  A thread that loses
 * its peer ends the whole process: the gofer does not outlive its sentry.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "gofer/jail.h"
#include "gofer/proto/channel.h"
#include "gofer/server.h"
#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "platform/host/doorbell.h"
#include "platform/host/hthread.h"
#include "platform/host/shed.h"

#define STACK_SIZE (128 * 1024)

struct worker {
	struct server *s;
	pthread_barrier_t *ready;
	int sock;
	u8 *in, *out;           /* SERVER_BUF each */
	u8 *bell;               /* shared with the client: GW_BELL_SIZE */
};

/* One request that lies in shared memory, where the client may change it: copied, then looked at. */
static bool answer_bell(struct worker *w)
{
	u32 size = __atomic_load_n((u32 *)(void *)w->bell, __ATOMIC_RELAXED);
	struct iovec nothing = { (char[]){ 0 }, 1 };
	struct gw_hdr *h = (void *)w->out;
	ssize_t len;
	int fd, r = 0;

	if (size < sizeof(*h) || size > SERVER_BUF)
		return false;
	memcpy(w->in, w->bell, size);
	len = server_handle(w->s, w->in, size, w->out, &fd);
	if (fd >= 0) {
		h->flags |= GW_HDR_FD;
		r = gchan_send(w->sock, &nothing, 1, fd);
		close(fd);
	}
	if (len > 0)
		memcpy(w->bell + GW_BELL_REPLY, w->out, (size_t)len);
	return len >= 0 && r == 0;
}

static void serve_bell(struct worker *w, hostfd_t listener)
{
	u64 id;

	while (doorbell_await(listener, &id) == 0)
		if (!answer_bell(w) || doorbell_answer(listener, id) < 0)
			return;
}

static void serve(struct worker *w)
{
	for (;;) {
		struct iovec iov = { w->in, SERVER_BUF };
		const struct gw_hdr *h = (const void *)w->in;
		int fd, came, r = 0;
		ssize_t n = gchan_recv(w->sock, &iov, 1, &came), len;

		if (n <= 0)
			return;
		len = server_handle(w->s, w->in, (size_t)n, w->out, &fd);
		if (len > 0) {
			iov = (struct iovec){ w->out, (size_t)len };
			r = gchan_send(w->sock, &iov, 1, fd);
		}
		if (fd >= 0)
			close(fd);
		if (len < 0 || r < 0)
			return;
		if (came >= 0 && fd >= 0 && h->op == GW_OP_bell) {
			serve_bell(w, HOSTFD(came));
			return;
		}
		if (came >= 0)
			close(came);
	}
}

/* The socket of one thread has ended: so does the process. */
static noreturn_fn void end(struct server *s)
{
	watches_bury(&s->watches);
	_exit(0);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(w->ready);
	serve(w);
	end(w->s);
}

static void *watch_main(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(w->ready);
	watch_serve(&w->s->watches, w->sock);
	end(w->s);
}

/*
 * All threads.  They are past the C library's own first calls
 * when this returns, so that the filter needs no rows for those.
 */
static int start_all(struct server *s, struct worker *w, const struct gofer_config *cfg, pthread_barrier_t *ready)
{
	static const size_t n = SERVER_BUF;
	int r = -pthread_barrier_init(ready, NULL, (unsigned)cfg->nctl + 2);
	void *bell = NULL;

	if (r == 0)
		r = doorbell_map(s->bell, GW_BELL_SIZE, &bell);
	for (int i = 0; i < cfg->nctl && r == 0; i++) {
		w[i] = (struct worker){ s, ready, cfg->ctl_fds[i], kbuf_alloc(n), kbuf_alloc(n), bell };
		r = !w[i].in || !w[i].out ? -ENOMEM : hthread_start(worker_main, &w[i], STACK_SIZE, HTHREAD_TAKES_SIGNALS);
	}
	if (r == 0) {
		w[cfg->nctl] = (struct worker){ s, ready, cfg->inval_fd, NULL, NULL, NULL };
		r = hthread_start(watch_main, &w[cfg->nctl], STACK_SIZE, HTHREAD_TAKES_SIGNALS);
	}
	if (r == 0)
		pthread_barrier_wait(ready);
	return r;
}

int gofer_main(const struct gofer_config *cfg)
{
	const char *links = "/proc/self/fd";
	struct gofer_root roots[GOFER_MAX_ROOTS];
	struct gofer_config own = *cfg;
	static const struct timespec settle = { 0, 400 * 1000 * 1000 };
	struct worker w[GOFER_MAX_CTL + 1];
	pthread_barrier_t ready;
	struct server *s;
	int ifd, r;

	if (cfg->nroots < 1 || cfg->nroots > GOFER_MAX_ROOTS || cfg->nctl < 1 || cfg->nctl > GOFER_MAX_CTL)
		return -EINVAL;
	memcpy(roots, cfg->roots, sizeof(roots[0]) * (size_t)cfg->nroots);
	own.roots = roots;
	umask(0);
	ifd = jail_inotify();
	if (ifd < 0 && ifd != -ENFILE)
		return ifd;
	if (own.jail) {
		r = jail_enter(&own, roots, ifd, &links);
		if (r < 0)
			return r;
	}
	s = knew(struct server);
	if (!s)
		return -ENOMEM;
	r = server_init(s, &own, links, ifd);
	if (r == 0)
		r = start_all(s, w, &own, &ready);
	if (r == 0 && own.jail)
		r = jail_lock(&s->links);
	if (r < 0) {
		log_error("gofer: cannot start: %s", strerror(-r));
		return r;
	}
	/* The sandbox has started by then.  No other thread waits at the barrier again: this one has no more to do. */
	nanosleep(&settle, NULL);
	host_shed();
	for (;;)
		pthread_barrier_wait(&ready);
}

int gofer_sockets(int pairs[][2], int n)
{
	for (int i = 0; i < n; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]) < 0) {
			int e = errno;

			while (i-- > 0) {
				close(pairs[i][0]);
				close(pairs[i][1]);
			}
			return -e;
		}
	return 0;
}
