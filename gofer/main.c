/*
 * main.c - the gofer's process: threads, one a control socket, and one that tells changes.
 *
 * Everything is allocated before the filter is loaded.  A thread that loses
 * its peer ends the whole process: the gofer does not outlive its sentry.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "gofer/jail.h"
#include "gofer/proto/channel.h"
#include "gofer/server.h"
#include "platform/base/alloc.h"
#include "platform/base/log.h"

#define STACK_SIZE (128 * 1024)

struct worker {
	struct server *s;
	pthread_barrier_t *ready;
	int sock;
	u8 *in, *out;           /* SERVER_BUF each */
};

static void serve(struct worker *w)
{
	for (;;) {
		struct iovec iov = { w->in, SERVER_BUF };
		ssize_t n = gchan_recv(w->sock, &iov, 1, NULL), len;
		int fd, r = 0;

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
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(w->ready);
	serve(w);
	_exit(0);
}

static void *watch_main(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(w->ready);
	watch_serve(&w->s->watches, w->sock);
	/* The control sockets notice the end as well; this thread just has no more to do. */
	return NULL;
}

static int start(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t t;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&t, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return -r;
}

/*
 * All threads but this one, w[0]'s.  They are past the C library's own first calls
 * when this returns, so that the filter needs no rows for those.
 */
static int start_all(struct server *s, struct worker *w, const struct gofer_config *cfg)
{
	static const size_t n = SERVER_BUF;
	pthread_barrier_t *ready = knew(pthread_barrier_t);
	int r = ready ? -pthread_barrier_init(ready, NULL, (unsigned)cfg->nctl + 1) : -ENOMEM;

	for (int i = 0; i < cfg->nctl && r == 0; i++) {
		w[i] = (struct worker){ s, ready, cfg->ctl_fds[i], kbuf_alloc(n), kbuf_alloc(n) };
		r = !w[i].in || !w[i].out ? -ENOMEM : i > 0 ? start(worker_main, &w[i]) : 0;
	}
	if (r == 0) {
		w[cfg->nctl] = (struct worker){ s, ready, cfg->inval_fd, NULL, NULL };
		r = start(watch_main, &w[cfg->nctl]);
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
	struct worker w[GOFER_MAX_CTL + 1];
	struct server *s;
	int r;

	if (cfg->nroots < 1 || cfg->nroots > GOFER_MAX_ROOTS || cfg->nctl < 1 || cfg->nctl > GOFER_MAX_CTL)
		return -EINVAL;
	memcpy(roots, cfg->roots, sizeof(roots[0]) * (size_t)cfg->nroots);
	own.roots = roots;
	umask(0);
	if (own.jail) {
		r = jail_enter(&own, roots, &links);
		if (r < 0)
			return r;
	}
	s = knew(struct server);
	if (!s)
		return -ENOMEM;
	r = server_init(s, &own, links);
	if (r == 0)
		r = start_all(s, w, &own);
	if (r == 0 && own.jail)
		r = jail_lock(&s->links);
	if (r < 0) {
		log_error("gofer: cannot start: %s", strerror(-r));
		return r;
	}
	serve(&w[0]);
	_exit(0);
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
