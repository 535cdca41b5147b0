#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "platform/base/str.h"
#include "sentry/syscalls/names.h"
#include "sentry/syscalls/syscall.h"

static const char *text(int kind, u64 v)
{
	static char buf[256];
	struct strbuf s;

	strbuf_fixed(&s, buf, sizeof(buf));
	assert_true(names_print(&s, kind, v));
	return buf;
}

static void flags_are_printed_by_name(void **state)
{
	(void)state;
	assert_string_equal(text(ARG_OFLAGS, O_WRONLY | O_CREAT | O_CLOEXEC), "O_WRONLY|O_CREAT|O_CLOEXEC");
	assert_string_equal(text(ARG_OFLAGS, O_RDONLY | 0x80000000u), "O_RDONLY|0x80000000");
	assert_string_equal(text(ARG_PROT, 0), "PROT_NONE");
	assert_string_equal(text(ARG_PROT, PROT_READ | PROT_EXEC), "PROT_READ|PROT_EXEC");
	assert_string_equal(text(ARG_MAPFLAGS, MAP_PRIVATE | MAP_ANONYMOUS), "MAP_PRIVATE|MAP_ANONYMOUS");
	assert_string_equal(text(ARG_ATFLAGS, 0), "0");
	assert_string_equal(text(ARG_WHENCE, 9), "0x9");
	assert_string_equal(text(ARG_FUTEXOP, 129), "FUTEX_WAKE|FUTEX_PRIVATE_FLAG");
}

static void errors_and_signals_have_names(void **state)
{
	(void)state;
	assert_string_equal(errno_name(ENOENT), "ENOENT");
	assert_null(errno_name(41));
	assert_string_equal(signal_name(9), "SIGKILL");
	assert_null(signal_name(32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_printed_by_name),
		cmocka_unit_test(errors_and_signals_have_names),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
