/* preserve.c - see preserve.h. */
#include "runsc-cli/setup/preserve.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "platform/base/str.h"
#include "runsc-cli/ctl/ctl.h"

int preserved_fds(struct cli *cli, u32 n, int *ret)
{
	if (n > CTL_EXTRA_FDS)
		return err_set(&cli->err, -E2BIG, "--preserve-fds: %u descriptors, at most %d can be passed", n, CTL_EXTRA_FDS);
	for (u32 i = 0; i < n; i++) {
		int fd = 3 + (int)i, flags = fcntl(fd, F_GETFD);
		struct stat st;

		/* What exec gave us has not this flag, what we have opened ourselves has. */
		if (flags < 0 || (flags & FD_CLOEXEC) || fstat(fd, &st) < 0)
			return err_set(&cli->err, -EBADF, "unable to stat preserved-fd %u (of %u): descriptor %d is not open", i,
			               n, fd);
		if (S_ISDIR(st.st_mode))
			return err_set(&cli->err, -EISDIR, "--preserve-fds: descriptor %d is a directory, which a sandbox must not have",
			               fd);
		ret[i] = fd;
	}
	return 0;
}

u32 listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	u64 p, n;

	if (!pid || !fds || str_to_u64(pid, 10, &p) < 0 || str_to_u64(fds, 10, &n) < 0 || p != (u64)getpid())
		return 0;
	return (u32)MIN(n, (u64)CTL_EXTRA_FDS);
}
