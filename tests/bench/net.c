/*
 * net.c - small network programs for net.sh, static, run natively and in sandboxes.
 *
 *   net serve PORT                     echo what comes on every connection, for ever
 *   net pingpong HOST PORT SECONDS     one byte there and back: microseconds a round trip
 *   net connect HOST PORT SECONDS      connect, one byte there and back, close: connections a second
 *   net hold HOST PORT N               open N connections, say "ready", keep them until stdin ends
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sockaddr_in addr_of(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)) };

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die(host);
	return a;
}

static void nodelay(int s)
{
	int one = 1;

	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void more_files(void)
{
	struct rlimit l;

	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

static int dial(const struct sockaddr_in *a)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (s < 0)
		die("socket");
	if (connect(s, (const struct sockaddr *)a, sizeof(*a)) < 0)
		die("connect");
	nodelay(s);
	return s;
}

static void echo_once(int s)
{
	char c = 'x';

	if (write(s, &c, 1) != 1 || read(s, &c, 1) != 1)
		die("echo");
}

static _Noreturn void serve(const char *port)
{
	struct sockaddr_in a = addr_of("0.0.0.0", port);
	struct epoll_event ev = { .events = EPOLLIN }, got[64];
	int one = 1, l = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0);
	char buf[65536];

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 4096) < 0)
		die("listen");
	ev.data.fd = l;
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	for (;;) {
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			int s = got[i].data.fd;
			ssize_t k;

			if (s == l) {
				s = accept(l, NULL, NULL);
				if (s < 0)
					continue;
				nodelay(s);
				ev.data.fd = s;
				epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
				continue;
			}
			k = read(s, buf, sizeof(buf));
			if (k <= 0 || write(s, buf, (size_t)k) < 0)
				close(s);
		}
	}
}

static int pingpong(const struct sockaddr_in *a, double secs)
{
	int s = dial(a);
	double t0 = now(), t1 = t0;
	long n = 0;

	for (; t1 - t0 < secs; t1 = now(), n++)
		echo_once(s);
	printf("%.2f\n", (t1 - t0) * 1e6 / (double)n);
	return 0;
}

static int connects(const struct sockaddr_in *a, double secs)
{
	struct linger abort = { 1, 0 };         /* no TIME_WAIT here: ports would run out */
	double t0 = now(), t1 = t0;
	long n = 0;

	for (; t1 - t0 < secs; t1 = now(), n++) {
		int s = dial(a);

		echo_once(s);
		setsockopt(s, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
		close(s);
	}
	printf("%.0f\n", (double)n / (t1 - t0));
	return 0;
}

static int hold(const struct sockaddr_in *a, long n)
{
	char c;

	for (long i = 0; i < n; i++)
		dial(a);
	printf("ready\n");
	fflush(stdout);
	return read(0, &c, 1) < 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;

	more_files();
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	if (argc != 5)
		return 2;
	a = addr_of(argv[2], argv[3]);
	if (strcmp(argv[1], "pingpong") == 0)
		return pingpong(&a, atof(argv[4]));
	if (strcmp(argv[1], "connect") == 0)
		return connects(&a, atof(argv[4]));
	if (strcmp(argv[1], "hold") == 0)
		return hold(&a, atol(argv[4]));
	return 2;
}
