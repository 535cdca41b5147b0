/* systemd_bus.c - see systemd_bus.h. */
#include "runsc-cli/setup/systemd_bus.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"

#define WAIT_SECONDS 30                 /* for each piece of an answer, and for a job */
#define MESSAGE_MAX  (1 << 20)          /* bytes; answers are small, signals of units may be larger */

static void explain(struct bus *b, const char *error, const char *why)
{
	(void)str_copy(b->error, sizeof(b->error), error);
	(void)str_copy(b->why, sizeof(b->why), why);
}

static int send_all(struct bus *b, const char *p, size_t n)
{
	while (n) {
		ssize_t k = send(b->fd, p, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : -EPIPE;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static int recv_all(struct bus *b, char *p, size_t n)
{
	while (n) {
		ssize_t k = recv(b->fd, p, n, 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : -ECONNRESET;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* A line of the handshake, which ends with CR LF. */
static int recv_line(struct bus *b, char *buf, size_t cap)
{
	for (size_t n = 0; n < cap; n++) {
		int r = recv_all(b, buf + n, 1);

		if (r < 0)
			return r;
		if (buf[n] == '\n') {
			buf[n] = 0;
			return 0;
		}
	}
	return -EMSGSIZE;
}

/* EXTERNAL with nothing claimed: the other side asks for more (DATA), gets nothing, and looks for itself. */
static int greet(struct bus *b)
{
	static const char hello[] = "\0AUTH EXTERNAL\r\nDATA\r\n", begin[] = "BEGIN\r\n";
	char line[512];
	int r = send_all(b, hello, sizeof(hello) - 1);

	for (int i = 0; i < 2 && r == 0; i++) {
		r = recv_line(b, line, sizeof(line));
		if (r == 0 && strncmp(line, i ? "OK " : "DATA", i ? 3 : 4) != 0)
			r = -EACCES;
	}
	return r < 0 ? r : send_all(b, begin, sizeof(begin) - 1);
}

int bus_open(struct bus *b, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_SECONDS };
	int r = 0;

	memset(b, 0, sizeof(*b));
	b->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
		r = -ENAMETOOLONG;
	else if (b->fd < 0 || setsockopt(b->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	         setsockopt(b->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
	         connect(b->fd, (void *)&sa, sizeof(sa)) < 0)
		r = -errno;
	if (r == 0)
		r = greet(b);
	if (r < 0)
		explain(b, "", strerror(-r));
	return r;
}

void bus_close(struct bus *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

static int send_message(struct bus *b, DBusMessage *m)
{
	char *bytes;
	int n, r;

	dbus_message_set_serial(m, ++b->serial);
	if (!dbus_message_marshal(m, &bytes, &n))
		return -ENOMEM;
	r = send_all(b, bytes, (size_t)n);
	dbus_free(bytes);
	return r;
}

/* The next message. NULL with b->why. */
static DBusMessage *recv_message(struct bus *b)
{
	char head[DBUS_MINIMUM_HEADER_SIZE], *all = NULL;
	DBusError e = DBUS_ERROR_INIT;
	DBusMessage *m = NULL;
	int r = recv_all(b, head, sizeof(head)), n = 0;

	if (r == 0)
		n = dbus_message_demarshal_bytes_needed(head, sizeof(head));
	if (r == 0 && (n < (int)sizeof(head) || n > MESSAGE_MAX))
		r = -EBADMSG;
	if (r == 0) {
		all = kbuf_alloc((size_t)n);
		r = all ? 0 : -ENOMEM;
	}
	if (r == 0) {
		memcpy(all, head, sizeof(head));
		r = recv_all(b, all + sizeof(head), (size_t)n - sizeof(head));
	}
	if (r == 0) {
		m = dbus_message_demarshal(all, n, &e);
		if (!m)
			explain(b, "", dbus_error_is_set(&e) ? e.message : "no memory");
	} else {
		explain(b, "", r == -EAGAIN ? "it does not answer" : strerror(-r));
	}
	dbus_error_free(&e);
	kfree(all);
	return m;
}

DBusMessage *bus_call(struct bus *b, DBusMessage *q)
{
	int r = q ? send_message(b, q) : -ENOMEM;
	DBusMessage *m = NULL;
	const char *text = "";

	if (q)
		dbus_message_unref(q);
	if (r < 0) {
		explain(b, "", strerror(-r));
		return NULL;
	}
	while ((m = recv_message(b)) && dbus_message_get_reply_serial(m) != b->serial)
		dbus_message_unref(m);
	if (!m || dbus_message_get_type(m) != DBUS_MESSAGE_TYPE_ERROR)
		return m;
	(void)dbus_message_get_args(m, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	explain(b, dbus_message_get_error_name(m), text);
	dbus_message_unref(m);
	return NULL;
}

/* Is @m JobRemoved of @job?  Then @ret says whether it was done. */
static bool is_end(DBusMessage *m, const char *job, bool *ret)
{
	const char *path, *unit, *result;
	dbus_uint32_t id;

	if (!dbus_message_is_signal(m, "org.freedesktop.systemd1.Manager", "JobRemoved") ||
	    !dbus_message_get_args(m, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_STRING, &unit,
	                           DBUS_TYPE_STRING, &result, DBUS_TYPE_INVALID) || strcmp(path, job) != 0)
		return false;
	*ret = strcmp(result, "done") == 0;
	return true;
}

static s64 now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* On a private socket every job is told of without Subscribe(), and never before the answer: jobs run after the call that made them. */
bool bus_job(struct bus *b, DBusMessage *q)
{
	DBusMessage *a = bus_call(b, q), *m;
	s64 until = now_s() + WAIT_SECONDS;
	bool ended = false, done = false;
	const char *job;

	if (!a)
		return false;
	if (!dbus_message_get_args(a, NULL, DBUS_TYPE_OBJECT_PATH, &job, DBUS_TYPE_INVALID)) {
		explain(b, "", "its answer names no job");
		dbus_message_unref(a);
		return false;
	}
	while (!ended && now_s() <= until && (m = recv_message(b))) {
		ended = is_end(m, job, &done);
		dbus_message_unref(m);
	}
	if (ended && !done)
		explain(b, "", "its job failed; see the journal");
	else if (!ended && now_s() > until)
		explain(b, "", "its job does not end");
	dbus_message_unref(a);
	return done;
}
