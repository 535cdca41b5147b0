/*
 * title.c - see title.h.  prctl(PR_SET_MM, PR_SET_MM_MAP) needs no right, unlike the older requests of its kind.
 */
#include "platform/host/title.h"

#include <linux/prctl.h>
#include <string.h>
#include <sys/prctl.h>

void host_title_here(u64 page, u64 code, u64 code_end)
{
	/* Not the end of the page: that may be the end of user memory, which Linux refuses. */
	u64 end = page + TITLE_BYTES - 1;
	struct prctl_mm_map m = {
		.start_code = code, .end_code = code_end, .start_data = page, .end_data = page,
		.start_brk = page, .brk = page, .start_stack = page,
		.arg_start = page, .arg_end = end, .env_start = end, .env_end = end, .exe_fd = (__u32)-1,
	};

	(void)prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0);
}

void host_title_make(char out[TITLE_BYTES], char *const *argv, int argc)
{
	size_t at = 0, room = TITLE_BYTES - 3;

	memset(out, 0, TITLE_BYTES);
	for (int i = 0; i < argc && at < room; i++) {
		size_t n = strnlen(argv[i], room - at);

		if (i)
			out[at++] = ' ';
		n = MIN(n, room - at);
		memcpy(out + at, argv[i], n);
		at += n;
	}
	/* A last byte that is not zero is Linux's sign of setproctitle(3): the text ends at the first zero. */
	out[TITLE_BYTES - 2] = 1;
}
