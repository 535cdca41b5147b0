/*
 * rig.h - packetdrill's shared-object mode against the netstack: what the adapter's files share.
 *
 *   rig.c    the stack, its link and the clock      sock.c  socket calls on netstack/api.h
 *   event.c  poll, epoll, pipes, splice             sysctl.c the namespace's settings
 *   preload.c calls that packetdrill makes past the interface
 *
 * Time is virtual: it moves only when packetdrill sleeps or waits for a packet
 * (to the next timer of the stack), and by a microsecond a look at the clock,
 * so a script's outcome does not depend on how busy the machine is.  Threads:
 * packetdrill's main thread moves time; its system call thread may sleep in
 * rig_wait().  When an event wakes that thread the main thread lets it run
 * (settle()) before time moves on.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>
#include "netstack/api.h"

#define RIG_FDS   1024
#define RIG_QUEUE 512

struct rig_sock {
	struct ep *ep;
	int type;
	int flags;                      /* F_GETFL */
	_Atomic u32 edge;               /* events since the last epoll report */
	u64 connect_until;              /* SO_SNDTIMEO of a connect under way */
};

struct rig_epoll { struct { int fd; struct epoll_event ev; bool used; } item[16]; };

struct rig_frame { size_t len; u64 at; u8 *data; };

struct rig {
	struct stack *stack;
	u32 ifindex;
	_Atomic u64 now;                /* ns */
	u32 mtu;
	struct rig_sock *sock[RIG_FDS];
	struct rig_epoll *epoll[RIG_FDS];

	pthread_mutex_t mu;             /* all below */
	pthread_cond_t cond;
	u64 events;                     /* counts readiness callbacks and time steps */
	int waiters, woken;
	bool left;                      /* a call that slept is about to tell its result */
	struct rig_frame q[RIG_QUEUE];
	unsigned head, tail;
	const u8 *rx;                   /* the frame that the link reads now */
	size_t rx_len;
};

extern struct rig *rig_it;              /* the one of this process; NULL before init */

struct rig *rig_new(void);
void rig_free(struct rig *r);
struct rig_sock *rig_get(struct rig *r, int fd);
int rig_err(long r);                    /* -errno to -1 and errno */
/* Sleep until something may have changed since @seen, or @deadline; false at the deadline. */
bool rig_wait(struct rig *r, u64 seen, u64 deadline);
u64 rig_seen(struct rig *r);
void rig_ready(void *opaque, u32 events);

int rig_netdev_send(void *u, const void *buf, size_t n);
int rig_netdev_receive(void *u, void *buf, size_t *n, long long *usecs);
int rig_usleep(void *u, useconds_t us);
int rig_gettimeofday(void *u, struct timeval *tv, struct timezone *tz);

int rig_socket(void *u, int domain, int type, int proto);
int rig_bind(void *u, int fd, const struct sockaddr *a, socklen_t n);
int rig_listen(void *u, int fd, int backlog);
int rig_accept(void *u, int fd, struct sockaddr *a, socklen_t *n);
int rig_connect(void *u, int fd, const struct sockaddr *a, socklen_t n);
ssize_t rig_sendmsg(void *u, int fd, const struct msghdr *m, int flags);
ssize_t rig_recvmsg(void *u, int fd, struct msghdr *m, int flags);
ssize_t rig_read(void *u, int fd, void *buf, size_t n);
ssize_t rig_write(void *u, int fd, const void *buf, size_t n);
int rig_getsockopt(void *u, int fd, int level, int opt, void *val, socklen_t *len);
int rig_setsockopt(void *u, int fd, int level, int opt, const void *val, socklen_t len);
int rig_close(void *u, int fd);
int rig_shutdown(void *u, int fd, int how);
int rig_fcntl(void *u, int fd, int cmd, ...);
int rig_ioctl(void *u, int fd, unsigned long req, ...);

int rig_poll(void *u, struct pollfd *p, nfds_t n, int timeout);
int rig_epoll_create(void *u, int size);
int rig_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *ev);
int rig_epoll_wait(void *u, int epfd, struct epoll_event *ev, int max, int timeout);
int rig_pipe(void *u, int fd[2]);
ssize_t rig_splice(void *u, int in, loff_t *in_off, int out, loff_t *out_off, size_t n, unsigned flags);

void rig_sysctls(struct rig *r);
void rig_counters(struct rig *r);
