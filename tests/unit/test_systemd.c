/*
 * test_systemd.c - what systemd is asked for a container's scope, by a manager of the test's own that answers by a script.
 *
 * It reads whole messages off a socket and writes down each as one line: "Method(arg, ..., Property=value, ...)".
 */
#include "unit.h"
#include <dbus/dbus.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "platform/base/str.h"
#include "runsc-cli/setup/systemd.h"

#define TOP "\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}"

/* The command line's own. */
bool cli_rootless(void)
{
	return false;
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
	(void)cli;
	(void)fmt;
}

/* One answer: an error's name, or NULL; and how the job ends, NULL for a call that makes none. */
struct answer { const char *error, *job; };

static struct {
	char dir[64], where[128], said[4096];
	const struct answer *script;
	size_t n;
	int listener;
	pthread_t thread;
} fake;

static void say(const char *text)
{
	strncat(fake.said, text, sizeof(fake.said) - strlen(fake.said) - 1);
}

static void say_value(DBusMessageIter *it);

static void say_all(DBusMessageIter *in, const char *between)
{
	DBusMessageIter it;

	dbus_message_iter_recurse(in, &it);
	for (bool first = true; dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID; dbus_message_iter_next(&it)) {
		say(first ? "" : between);
		say_value(&it);
		first = false;
	}
}

static void say_value(DBusMessageIter *it)
{
	char text[64];
	DBusBasicValue v;

	switch (dbus_message_iter_get_arg_type(it)) {
	case DBUS_TYPE_VARIANT:
	case DBUS_TYPE_ARRAY:
		say_all(it, " ");
		return;
	case DBUS_TYPE_STRUCT:
		say_all(it, "=");
		return;
	case DBUS_TYPE_STRING:
		dbus_message_iter_get_basic(it, &v);
		say(v.str);
		return;
	case DBUS_TYPE_UINT64:
		dbus_message_iter_get_basic(it, &v);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)v.u64);
		break;
	case DBUS_TYPE_BYTE:
		dbus_message_iter_get_basic(it, &v);
		snprintf(text, sizeof(text), "%02x", v.byt);
		break;
	default:
		dbus_message_iter_get_basic(it, &v);
		snprintf(text, sizeof(text), "%u", v.u32);
		break;
	}
	say(text);
}

static void note(DBusMessage *m)
{
	DBusMessageIter it;

	say(dbus_message_get_member(m));
	for (bool more = dbus_message_iter_init(m, &it); more; more = dbus_message_iter_next(&it)) {
		say(" ");
		say_value(&it);
	}
	say("\n");
}

static void put(int fd, DBusMessage *m)
{
	static dbus_uint32_t serial;
	char *bytes;
	int n;

	dbus_message_set_serial(m, ++serial);
	assert_true(dbus_message_marshal(m, &bytes, &n));
	(void)!send(fd, bytes, (size_t)n, MSG_NOSIGNAL);       /* who has its answer may be gone */
	dbus_free(bytes);
	dbus_message_unref(m);
}

static void put_end(int fd, const char *job, const char *result)
{
	DBusMessage *m = dbus_message_new_signal("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved");
	const char *unit = "x.scope";
	dbus_uint32_t id = 1;

	assert_true(dbus_message_append_args(m, DBUS_TYPE_UINT32, &id, DBUS_TYPE_OBJECT_PATH, &job, DBUS_TYPE_STRING, &unit,
	                                     DBUS_TYPE_STRING, &result, DBUS_TYPE_INVALID));
	put(fd, m);
}

/* And the ends of two others' jobs. */
static void answer(int fd, DBusMessage *q, const struct answer *a)
{
	const char *job = "/org/freedesktop/systemd1/job/7";
	DBusMessage *m = a->error ? dbus_message_new_error(q, a->error, "no") : dbus_message_new_method_return(q);

	put_end(fd, "/org/freedesktop/systemd1/job/5", "failed");
	if (a->job)
		assert_true(dbus_message_append_args(m, DBUS_TYPE_OBJECT_PATH, &job, DBUS_TYPE_INVALID));
	put(fd, m);
	put_end(fd, "/org/freedesktop/systemd1/job/6", "failed");
	if (a->job)
		put_end(fd, job, a->job);
}

static void read_line(int fd, char line[256])
{
	size_t n = 0;

	while (n < 255 && read(fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = 0;
}

/* The handshake of one who claims no uid. */
static bool greet(int fd)
{
	static const char ok[] = "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n";
	char nul = 1, line[256];

	if (read(fd, &nul, 1) != 1 || nul)
		return false;
	read_line(fd, line);
	assert_string_equal(line, "AUTH EXTERNAL\r");
	read_line(fd, line);
	assert_string_equal(line, "DATA\r");
	assert_int_equal(send(fd, ok, sizeof(ok) - 1, MSG_NOSIGNAL), sizeof(ok) - 1);
	read_line(fd, line);
	return strcmp(line, "BEGIN\r") == 0;
}

static DBusMessage *next(int fd)
{
	char buf[8192];
	int n = 0, want;

	while (n < (int)sizeof(buf) && read(fd, buf + n, 1) == 1) {
		n++;
		want = n < DBUS_MINIMUM_HEADER_SIZE ? 0 : dbus_message_demarshal_bytes_needed(buf, n);
		if (want && want == n)
			return dbus_message_demarshal(buf, n, NULL);
	}
	return NULL;
}

static void *manager(void *arg)
{
	size_t at = 0;

	(void)arg;
	while (at < fake.n) {
		int fd = accept(fake.listener, NULL, NULL);
		DBusMessage *m;

		assert_true(fd >= 0 && greet(fd));
		while (at < fake.n && (m = next(fd))) {
			note(m);
			answer(fd, m, &fake.script[at++]);
			dbus_message_unref(m);
		}
		close(fd);
	}
	return NULL;
}

static void start(const struct answer *script, size_t n)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	strcpy(fake.dir, "/tmp/systemd-test.XXXXXX");
	assert_non_null(mkdtemp(fake.dir));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/private", fake.dir);
	snprintf(fake.where, sizeof(fake.where), "%s", sa.sun_path);
	fake.said[0] = 0;
	fake.script = script;
	fake.n = n;
	fake.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake.listener, (void *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fake.listener, 4), 0);
	assert_int_equal(pthread_create(&fake.thread, NULL, manager, NULL), 0);
}

/* What it was asked. */
static const char *end(void)
{
	char path[80];

	pthread_join(fake.thread, NULL);
	close(fake.listener);
	snprintf(path, sizeof(path), "%s/private", fake.dir);
	(void)unlink(path);
	(void)rmdir(fake.dir);
	return fake.said;
}

static void resources(struct oci_spec *s, const char *json)
{
	char text[1024];
	struct err e = { 0 };

	snprintf(text, sizeof(text), "{" TOP ",\"linux\":{\"resources\":{%s}}}", json);
	assert_int_equal(spec_parse(s, "test", text, strlen(text), &e), 0);
}

#define HEAD "StartTransientUnit a-b.scope replace Description=csandbox container Slice=x.slice CollectMode=inactive-or-failed " \
	"PIDs=7 Delegate=1 DefaultDependencies=0 MemoryAccounting=1 CPUAccounting=1 IOAccounting=1 TasksAccounting=1"
static const struct scope ab = { "a-b.scope", "x.slice" };

static void a_scope_with_limits(void **state)
{
	static const struct answer script[] = { { NULL, "done" } };
	struct cli cli = { 0 };
	struct oci_spec s;

	(void)state;
	resources(&s, "\"memory\":{\"limit\":1048576,\"swap\":3145728,\"reservation\":524288},\"pids\":{\"limit\":10},"
	              "\"cpu\":{\"shares\":1024,\"quota\":15000,\"period\":100000,\"cpus\":\"0-2,9\",\"mems\":\"0\"},"
	              "\"blockIO\":{\"weight\":500},\"unified\":{\"memory.high\":\"9000\",\"io.max\":\"x\"}");
	start(script, ARRAY_SIZE(script));
	assert_int_equal(systemd_start(&cli, fake.where, &ab, 7, &s.res), 0);
	assert_string_equal(end(), HEAD " MemoryMax=1048576 MemoryLow=524288 MemorySwapMax=2097152 TasksMax=168 CPUWeight=39 "
	                           "CPUQuotaPeriodUSec=100000 CPUQuotaPerSecUSec=150000 IOWeight=4950 AllowedCPUs=07 02 "
	                           "AllowedMemoryNodes=01 MemoryHigh=9000 \n");
	spec_done(&s);
}

static void no_limit_is_infinity(void **state)
{
	static const struct answer script[] = { { NULL, NULL } };
	struct cli cli = { 0 };
	struct oci_spec s;

	(void)state;
	resources(&s, "\"memory\":{\"limit\":-1},\"pids\":{\"limit\":-1},\"cpu\":{\"quota\":-1}");
	start(script, ARRAY_SIZE(script));
	assert_int_equal(systemd_update(&cli, fake.where, "a-b.scope", &s.res), 0);
	assert_string_equal(end(), "SetUnitProperties a-b.scope 1 MemoryMax=18446744073709551615 MemorySwapMax=18446744073709551615 "
	                           "TasksMax=18446744073709551615 CPUQuotaPerSecUSec=18446744073709551615\n");
	spec_done(&s);
}

static void a_failed_one_of_that_name_is_forgotten(void **state)
{
	static const struct answer script[] = {
		{ "org.freedesktop.systemd1.UnitExists", NULL }, { NULL, NULL }, { NULL, "done" },
	};
	struct oci_spec s;
	struct cli cli = { 0 };

	(void)state;
	resources(&s, "");
	start(script, ARRAY_SIZE(script));
	assert_int_equal(systemd_start(&cli, fake.where, &ab, 7, &s.res), 0);
	assert_string_equal(end(), HEAD " \nResetFailedUnit a-b.scope\n" HEAD " \n");
	spec_done(&s);
}

/* No container without the limits that were asked for. */
static void what_is_refused_is_an_error(void **state)
{
	static const struct answer refused[] = { { DBUS_ERROR_ACCESS_DENIED, NULL } }, job[] = { { NULL, "failed" } };
	struct oci_spec s, bad;
	struct cli a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	(void)state;
	resources(&s, "");
	resources(&bad, "\"cpu\":{\"cpus\":\"3-1\"}");
	start(refused, 1);
	assert_int_equal(systemd_start(&a, fake.where, &ab, 7, &s.res), -EIO);
	assert_non_null(strstr(a.err.msg, "a-b.scope"));
	assert_int_equal(systemd_start(&b, fake.where, &ab, 7, &bad.res), -EINVAL);     /* says nothing */
	(void)end();
	start(job, 1);
	assert_int_equal(systemd_start(&c, fake.where, &ab, 7, &s.res), -EIO);
	assert_non_null(strstr(c.err.msg, "journal"));
	(void)end();
	assert_int_equal(systemd_start(&d, "/nonexistent/socket", &ab, 7, &s.res), -EIO);
	spec_done(&s);
	spec_done(&bad);
}

static void stopping_takes_no_error(void **state)
{
	static const struct answer script[] = {
		{ "org.freedesktop.systemd1.NoSuchUnit", NULL }, { "org.freedesktop.systemd1.NoSuchUnit", NULL },
	};
	struct cli cli = { 0 };

	(void)state;
	start(script, ARRAY_SIZE(script));
	systemd_stop(&cli, fake.where, "a-b.scope");
	assert_string_equal(end(), "StopUnit a-b.scope replace\nResetFailedUnit a-b.scope\n");
	assert_int_equal(cli.err.code, 0);
}

static void names(void **state)
{
	static const struct { const char *want, *slice, *unit; } rows[] = {
		{ "system.slice:docker:0a1", "system.slice", "docker-0a1.scope" },
		{ "machine-a.slice:libpod:x", "machine-a.slice", "libpod-x.scope" },
		{ "s.slice::x", "s.slice", "x.scope" },
		{ ":p:x", NULL, "p-x.scope" },
		{ "", NULL, "csandbox-me.scope" },
		{ "/a/b", NULL, NULL }, { "a:b", NULL, NULL }, { "a.slice:b:c:d", NULL, NULL }, { "nosuffix:b:c", NULL, NULL },
		{ "a.slice:b/c:d", NULL, NULL }, { "../a.slice:b:c", NULL, NULL }, { "a.slice:b:", NULL, NULL }, { ".slice:a:b", NULL, NULL },
		{ "a.slice:b: c", NULL, NULL },
	};
	char want[600] = "a.slice:b:";
	struct scope s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cli cli = { 0 };
		int r = systemd_scope_name(&cli, rows[i].want, "me", &s);

		assert_int_equal(r, rows[i].unit ? 0 : -EINVAL);
		if (rows[i].unit)
			assert_string_equal(s.unit, rows[i].unit);
		if (rows[i].slice)
			assert_string_equal(s.slice, rows[i].slice);
	}
	for (size_t i = strlen(want); i < 300; i++)
		want[i] = 'x';
	struct cli cli = { 0 };
	assert_int_equal(systemd_scope_name(&cli, want, "me", &s), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scope_with_limits),
		cmocka_unit_test(no_limit_is_infinity),
		cmocka_unit_test(a_failed_one_of_that_name_is_forgotten),
		cmocka_unit_test(what_is_refused_is_an_error),
		cmocka_unit_test(stopping_takes_no_error),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
