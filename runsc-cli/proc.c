/*
 * proc.c - host processes by pid and start time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "runsc-cli/container.h"
#include "runsc-cli/setup/sys.h"

/* State letter and start time of a process.  0 or -ESRCH. */
static int read_stat(pid_t pid, char *ret_state, u64 *ret_start)
{
	char path[64], buf[1024], *p;
	unsigned long long start;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	buf[n] = 0;
	p = strrchr(buf, ')');          /* comm may hold anything */
	if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	                 ret_state, &start) != 2)
		return -ESRCH;
	*ret_start = start;
	return 0;
}

int proc_id_of(pid_t pid, struct proc_id *ret)
{
	char state;
	u64 start;
	int r = read_stat(pid, &state, &start);

	if (r == 0)
		*ret = (struct proc_id){ pid, start };
	return r;
}

char proc_state(const struct proc_id *p)
{
	char state;
	u64 start;

	return p->pid > 0 && read_stat(p->pid, &state, &start) == 0 && start == p->start ? state : 0;
}

bool proc_alive(const struct proc_id *p)
{
	char state = proc_state(p);

	return state && state != 'Z' && state != 'X';
}

int proc_pidfd(const struct proc_id *p)
{
	struct proc_id now = { 0 };
	int fd;

	if (p->pid <= 0)
		return -ESRCH;
	fd = setup_pidfd_open(p->pid);
	if (fd < 0)
		return fd;
	/* The pidfd pins whoever has the number now: is it the one we mean? */
	if (proc_id_of(p->pid, &now) < 0 || now.start != p->start) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

int proc_kill(const struct proc_id *p, int sig)
{
	int fd = proc_pidfd(p), r;

	if (fd < 0)
		return fd;
	r = setup_pidfd_signal(fd, sig);
	close(fd);
	return r;
}

int proc_wait_gone(const struct proc_id *p, int timeout_ms)
{
	struct pollfd pf = { .events = POLLIN };
	int r;

	pf.fd = proc_pidfd(p);
	if (pf.fd < 0)
		return 0;
	do {
		r = poll(&pf, 1, timeout_ms);   /* readable once it is a zombie: it runs nothing any more */
	} while (r < 0 && errno == EINTR);
	close(pf.fd);
	return r == 0 ? -ETIMEDOUT : 0;
}
