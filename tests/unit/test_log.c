#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "platform/base/log.h"

static const char *logged(int fd)
{
	static char buf[65536];
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	assert_true(n >= 0);
	buf[n] = '\0';
	return buf;
}

static int setup(enum log_level level, bool json)
{
	FILE *f = tmpfile();
	int fd = dup(fileno(f));

	fclose(f);
	log_setup(&(struct log_config){ .fd = fd, .level = level, .json = json });
	return fd;
}

static void text_lines_look_like_runcs(void **state)
{
	int fd = setup(LOG_INFO, false);
	const char *s;

	(void)state;
	log_error("no \"such\" file\n: %d", 7);
	log_debug("not shown");
	s = logged(fd);
	assert_non_null(strstr(s, "level=error msg=\"no \\\"such\\\" file\\n: 7\"\n"));
	assert_memory_equal(s, "time=\"2", 7);
	assert_null(strstr(s, "not shown"));
	close(fd);
}

static void json_lines_look_like_runcs(void **state)
{
	int fd = setup(LOG_DEBUG, true);
	const char *s;

	(void)state;
	log_warn("tab\there \x01");
	s = logged(fd);
	assert_memory_equal(s, "{\"level\":\"warning\",\"msg\":\"tab\\u0009here \\u0001\",\"time\":\"2", 56);
	assert_string_equal(s + strlen(s) - 4, "Z\"}\n");
	close(fd);
}

static void long_messages_are_cut_not_overrun(void **state)
{
	int fd = setup(LOG_INFO, true);
	char big[5000];

	(void)state;
	memset(big, '"', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_error("%s", big);
	assert_true(strlen(logged(fd)) < 2048);
	assert_string_equal(logged(fd) + strlen(logged(fd)) - 4, "Z\"}\n");
	close(fd);
}

static void floods_are_limited(void **state)
{
	int fd = setup(LOG_INFO, false);
	size_t lines = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		log_ratelimited("flood %d", i);
	for (const char *s = logged(fd); (s = strstr(s, "flood")); s++)
		lines++;
	assert_true(lines >= 10 && lines <= 40);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_lines_look_like_runcs),
		cmocka_unit_test(json_lines_look_like_runcs),
		cmocka_unit_test(long_messages_are_cut_not_overrun),
		cmocka_unit_test(floods_are_limited),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
