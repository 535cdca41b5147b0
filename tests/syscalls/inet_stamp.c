/*
 * inet_stamp.c - SO_TIMESTAMPING, sent and received, and SO_MAX_PACING_RATE.
 */
#include "tests/lib/inet.h"
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <time.h>

#define NO_RATE 0xffffffffu

struct stamp {
	struct timespec ts;             /* zero: none came */
	struct sock_extended_err ee;
	int flags;
	ssize_t n;
};

/* The next stamp of the error queue; false: there is none. */
static int next_stamp(int fd, struct stamp *s)
{
	char data[256];
	_Alignas(struct cmsghdr) char buf[512];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf) };

	memset(s, 0, sizeof(*s));
	s->n = recvmsg(fd, &m, MSG_ERRQUEUE);
	if (s->n < 0)
		return 0;
	s->flags = m.msg_flags;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SO_TIMESTAMPING)
			memcpy(&s->ts, CMSG_DATA(h), sizeof(s->ts));
		if ((h->cmsg_level == SOL_IP && h->cmsg_type == IP_RECVERR) ||
		    (h->cmsg_level == SOL_IPV6 && h->cmsg_type == IPV6_RECVERR))
			memcpy(&s->ee, CMSG_DATA(h), sizeof(s->ee));
	}
	return 1;
}

static void expect_stamp(int fd, int what, unsigned id)
{
	struct timespec now;
	struct pollfd p = { .fd = fd };
	struct stamp s;

	EXPECT_EQ(poll(&p, 1, 2000), 1);
	EXPECT_EQ(p.revents & POLLERR, POLLERR);
	EXPECT_EQ(next_stamp(fd, &s), 1);
	clock_gettime(CLOCK_REALTIME, &now);
	EXPECT_EQ(s.ts.tv_sec <= now.tv_sec && s.ts.tv_sec > now.tv_sec - 10, 1);
	EXPECT_EQ(s.ee.ee_errno, ENOMSG);
	EXPECT_EQ(s.ee.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
	EXPECT_EQ(s.ee.ee_info, what);
	EXPECT_EQ(s.ee.ee_data, id);
	EXPECT_EQ(s.flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
}

BOTH(datagrams_are_stamped_when_they_leave)
{
	int s = socket(af, SOCK_DGRAM, 0), r = socket(af, SOCK_DGRAM, 0);
	struct name to = lo_name(af, 0);
	struct stamp st;

	EXPECT_OK(bind(r, &to.sa, to.len));
	to = own_name(r);
	EXPECT_OK(connect(s, &to.sa, to.len));
	EXPECT_EQ(get_int(s, SOL_SOCKET, SO_TIMESTAMPING), 0);
	EXPECT_OK(set_int(s, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE |
			  SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY));
	EXPECT_EQ(send(s, "one", 3, 0), 3);
	EXPECT_EQ(send(s, "two", 3, 0), 3);
	for (unsigned i = 0; i < 2; i++) {
		expect_stamp(s, SCM_TSTAMP_SCHED, i);
		expect_stamp(s, SCM_TSTAMP_SND, i);
	}
	EXPECT_EQ(next_stamp(s, &st), 0);
	EXPECT_EQ(errno, EAGAIN);
	/* Told of, but not with a time, unless the software's is asked for; and with the packet's bytes. */
	EXPECT_OK(set_int(s, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE));
	EXPECT_EQ(send(s, "three", 5, 0), 5);
	EXPECT_EQ(next_stamp(s, &st), 1);
	EXPECT_EQ(st.ts.tv_sec, 0);
	EXPECT_EQ(st.n >= 5, 1);
	EXPECT_OK(set_int(s, SOL_SOCKET, SO_TIMESTAMPING, 0));
	EXPECT_EQ(send(s, "four", 4, 0), 4);
	EXPECT_EQ(next_stamp(s, &st), 0);
}

BOTH(one_message_can_ask_for_its_stamp)
{
	int s = socket(af, SOCK_DGRAM, 0), r = socket(af, SOCK_DGRAM, 0);
	_Alignas(struct cmsghdr) char buf[CMSG_SPACE(4)];
	struct iovec iov = { (char *)"x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf) };
	struct cmsghdr *h = (struct cmsghdr *)buf;
	struct name to = lo_name(af, 0);
	unsigned v = SOF_TIMESTAMPING_TX_SOFTWARE;
	struct stamp st;

	EXPECT_OK(bind(r, &to.sa, to.len));
	to = own_name(r);
	EXPECT_OK(connect(s, &to.sa, to.len));
	EXPECT_OK(set_int(s, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY));
	*h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = SO_TIMESTAMPING };
	memcpy(CMSG_DATA(h), &v, 4);
	EXPECT_EQ(sendmsg(s, &m, 0), 1);
	expect_stamp(s, SCM_TSTAMP_SND, 0);
	EXPECT_EQ(send(s, "x", 1, 0), 1);
	EXPECT_EQ(next_stamp(s, &st), 0);
	v = SOF_TIMESTAMPING_SOFTWARE;                  /* not a thing to record */
	memcpy(CMSG_DATA(h), &v, 4);
	EXPECT_ERR(sendmsg(s, &m, 0), EINVAL);
}

BOTH(the_last_byte_of_a_send_is_stamped)
{
	int l = socket(af, SOCK_STREAM, 0), c = socket(af, SOCK_STREAM, 0), a;
	struct name to = lo_name(af, 0);
	struct stamp st;
	char buf[3000] = { 0 };

	EXPECT_ERR(set_int(c, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_OPT_ID), EINVAL);
	EXPECT_OK(bind(l, &to.sa, to.len));
	EXPECT_OK(listen(l, 1));
	to = own_name(l);
	EXPECT_OK(connect(c, &to.sa, to.len));
	a = accept(l, NULL, NULL);
	EXPECT_EQ(send(c, buf, 10, 0), 10);
	EXPECT_EQ(recv(a, buf, 10, MSG_WAITALL), 10);
	EXPECT_EQ(send(a, buf, 10, 0), 10);             /* brings the ACK along */
	EXPECT_EQ(recv(c, buf, 10, MSG_WAITALL), 10);
	EXPECT_OK(set_int(c, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE |
			  SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
			  SOF_TIMESTAMPING_OPT_TSONLY));
	EXPECT_EQ(send(c, buf, 2000, 0), 2000);
	expect_stamp(c, SCM_TSTAMP_SCHED, 1999);
	expect_stamp(c, SCM_TSTAMP_SND, 1999);
	EXPECT_EQ(recv(a, buf, 2000, MSG_WAITALL), 2000);
	EXPECT_EQ(send(a, buf, 10, 0), 10);
	EXPECT_EQ(recv(c, buf, 10, MSG_WAITALL), 10);
	expect_stamp(c, SCM_TSTAMP_ACK, 1999);
	EXPECT_EQ(next_stamp(c, &st), 0);
	EXPECT_EQ(errno, EAGAIN);
}

TEST(flags_that_make_no_sense_are_refused)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), v[4] = { 0 };
	socklen_t n = sizeof(v);

	EXPECT_ERR(set_int(s, SOL_SOCKET, SO_TIMESTAMPING, 1 << 30), EINVAL);
	EXPECT_ERR(set_int(s, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_OPT_STATS), EINVAL);
	EXPECT_ERR(set_int(s, SOL_SOCKET, SO_TIMESTAMPING, 65536), EINVAL);     /* OPT_ID_TCP without OPT_ID */
	EXPECT_OK(set_int(s, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE));
	EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, v, &n));
	EXPECT_EQ(n, 8);
	EXPECT_EQ(v[0], SOF_TIMESTAMPING_RX_SOFTWARE);
}

BOTH(what_arrives_is_stamped)
{
	int s = socket(af, SOCK_DGRAM, 0), r = socket(af, SOCK_DGRAM, 0), seen = 0;
	_Alignas(struct cmsghdr) char buf[256];
	char data[8];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf) };
	struct timespec t[3], now;
	struct name to = lo_name(af, 0);

	EXPECT_OK(bind(r, &to.sa, to.len));
	to = own_name(r);
	EXPECT_OK(set_int(r, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE));
	/* Linux switches stamps on a little later. */
	for (int i = 0; i < 100 && (i == 0 || m.msg_controllen == 0); i++) {
		usleep(i * 1000);
		m.msg_controllen = sizeof(buf);
		EXPECT_EQ(sendto(s, "x", 1, 0, &to.sa, to.len), 1);
		EXPECT_EQ(recvmsg(r, &m, 0), 1);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SO_TIMESTAMPING)
			continue;
		seen++;
		EXPECT_EQ(h->cmsg_len, CMSG_LEN(sizeof(t)));
		memcpy(t, CMSG_DATA(h), sizeof(t));
		EXPECT_EQ(t[0].tv_sec <= now.tv_sec && t[0].tv_sec > now.tv_sec - 10, 1);
		EXPECT_EQ(t[1].tv_sec || t[2].tv_sec, 0);
	}
	EXPECT_EQ(seen, 1);
}

BOTH(the_last_stamp_can_be_asked_for)
{
	int s = socket(af, SOCK_DGRAM, 0), r = socket(af, SOCK_DGRAM, 0);
	struct timeval tv = { 0 };
	struct timespec ts = { 0 }, now;
	struct name to = lo_name(af, 0);
	char b;

	EXPECT_OK(bind(r, &to.sa, to.len));
	to = own_name(r);
	EXPECT_ERR(ioctl(r, SIOCGSTAMP, &tv), ENOENT);
	EXPECT_EQ(sendto(s, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_EQ(recv(r, &b, 1, 0), 1);
	clock_gettime(CLOCK_REALTIME, &now);
	EXPECT_OK(ioctl(r, SIOCGSTAMP, &tv));
	EXPECT_OK(ioctl(r, SIOCGSTAMPNS, &ts));
	EXPECT_EQ(tv.tv_sec <= now.tv_sec && tv.tv_sec > now.tv_sec - 10, 1);
	EXPECT_EQ(ts.tv_sec, tv.tv_sec);
	EXPECT_EQ(ts.tv_nsec / 1000, tv.tv_usec);
}

static unsigned rate(int fd)
{
	unsigned v = 0;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &v, &n) == 0 && n == sizeof(v) ? v : 0;
}

TEST(the_pacing_rate_is_kept)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	unsigned long v = 0;
	socklen_t n = sizeof(v);

	EXPECT_EQ(rate(s), NO_RATE);
	EXPECT_OK(set_int(s, SOL_SOCKET, SO_MAX_PACING_RATE, 1000000));
	EXPECT_EQ(rate(s), 1000000);
	v = 5000000000ul;
	EXPECT_OK(setsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &v, sizeof(v)));
	EXPECT_EQ(rate(s), NO_RATE);
	v = 0;
	EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &v, &n));
	EXPECT_EQ(n, sizeof(v));
	EXPECT_EQ(v == 5000000000ul, 1);
	EXPECT_OK(set_int(s, SOL_SOCKET, SO_MAX_PACING_RATE, -1));
	EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &v, &n));
	EXPECT_EQ(v == ~0ul, 1);
}

/* 400 KB at 2 MB/s in small segments, of which the first ten are free: no faster than 4 to 1, and it comes to an end. */
TEST(a_stream_keeps_to_its_pacing_rate)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), a;
	static char buf[400000], in[400000];
	struct name to = lo_name(AF_INET, 0);
	struct timespec t0, t1;
	double took;

	EXPECT_OK(set_int(l, IPPROTO_TCP, TCP_MAXSEG, 1400));
	EXPECT_OK(set_int(c, IPPROTO_TCP, TCP_MAXSEG, 1400));
	EXPECT_OK(bind(l, &to.sa, to.len));
	EXPECT_OK(listen(l, 1));
	to = own_name(l);
	EXPECT_OK(set_int(c, SOL_SOCKET, SO_MAX_PACING_RATE, 2000000));
	EXPECT_OK(set_int(c, SOL_SOCKET, SO_SNDBUF, 800000));
	EXPECT_OK(connect(c, &to.sa, to.len));
	a = accept(l, NULL, NULL);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	if (fork() == 0) {
		ssize_t r = send(c, buf, sizeof(buf), 0);

		_exit(r != (ssize_t)sizeof(buf));
	}
	EXPECT_EQ(recv(a, in, sizeof(in), MSG_WAITALL), sizeof(in));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	took = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
	EXPECT_EQ(took > 0.05, 1);
}

TEST_MAIN()
