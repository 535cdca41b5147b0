/*
 * cmd_ps.c - ps: the host processes in which the guest's run.
 *
 * Engines filter the host's ps by what we print (docker top), so it is host ids of guest processes: no sentry,
 * gofer or spare stub.  The sentry numbers its stubs by its own pid namespace; /proc/PID/status translates.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "runsc-cli/container.h"
#include "runsc-cli/ctl/ctl.h"

#define PIDS_MAX 4096

struct pids { s32 v[PIDS_MAX]; size_t n; };

static bool has_pid(const struct pids *p, s32 pid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i] == pid)
			return true;
	return false;
}

/* The id of @pid in its innermost pid namespace, or 0. */
static s32 inner_pid(s32 pid)
{
	char path[64], line[256], *last;
	s32 ret = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		last = strrchr(line, '\t');
		ret = last ? (s32)strtol(last + 1, NULL, 10) : 0;
		break;
	}
	if (f)
		fclose(f);
	return ret;
}

static int pid_ns(s32 pid, ino_t *ret)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	if (stat(path, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

/* A spare stub has nothing to show yet. */
static bool has_title(s32 pid)
{
	char path[64], c = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &c, 1) != 1)
		c = 0;
	close(fd);
	return c != 0;
}

/* What the sentry says; *ret_inner stays empty when it cannot answer. */
static int ask_sentry(struct container *c, struct pids *ret_inner)
{
	int s = container_connect(c), fds[CTL_MAX_FDS], r;
	struct timeval limit = { .tv_sec = 30 };        /* one that takes longer is taken for hung */
	void *payload = NULL;
	struct ctl_hdr h;
	size_t nfds;

	if (s < 0)
		return s;
	(void)!setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	r = ctl_send(s, CTL_PS, 0, NULL, 0, NULL, 0);
	if (r == 0)
		r = ctl_recv(s, 0, &h, &payload, fds, &nfds);
	close(s);
	if (r < 0)
		return r;
	for (u32 i = 0; h.result >= 0 && i < h.len / sizeof(struct ctl_proc) && ret_inner->n < PIDS_MAX; i++)
		ret_inner->v[ret_inner->n++] = ((struct ctl_proc *)payload)[i].host;
	kfree(payload);
	return h.result;
}

static int host_pids(struct container *c, struct pids *ret)
{
	struct pids *inner = kbuf_alloc(sizeof(*inner));
	enum status st = container_status(c);
	s32 host = container_host(c)->pid;
	ino_t ns, its;
	struct dirent *e;
	DIR *d;
	u64 pid;
	int r = inner ? 0 : -ENOMEM;

	if (st == ST_STOPPED && r == 0) {
		kfree(inner);
		return 0;
	}
	if (st == ST_CREATED && r == 0)
		ret->v[ret->n++] = c->sentry.pid;       /* what stands for the process that is to come */
	else if (st == ST_RUNNING && r == 0)
		r = ask_sentry(c, inner);
	if (r == 0 && st != ST_CREATED)
		r = pid_ns(host, &ns);
	d = r == 0 && st != ST_CREATED ? opendir("/proc") : NULL;
	while (d && (e = readdir(d)) && ret->n < PIDS_MAX) {
		if (str_to_u64(e->d_name, 10, &pid) < 0 || pid > INT32_MAX || (s32)pid == host ||
		    pid_ns((s32)pid, &its) < 0 || its != ns)
			continue;
		if (inner->n ? has_pid(inner, inner_pid((s32)pid)) : has_title((s32)pid))
			ret->v[ret->n++] = (s32)pid;
	}
	if (d)
		closedir(d);
	kfree(inner);
	return r;
}

/* Where a header line has its word PID: the index of the column, or -1. */
static int pid_column(char *header)
{
	char *save = NULL;
	int i = 0;

	for (char *w = strtok_r(header, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save), i++)
		if (strcmp(w, "PID") == 0)
			return i;
	return -1;
}

static s32 word_at(const char *line, int col)
{
	for (; col >= 0; col--) {
		line += strspn(line, " \t");
		if (col == 0)
			return (s32)strtol(line, NULL, 10);
		line += strcspn(line, " \t");
	}
	return 0;
}

/* The lines of ps whose PID is one of @p, under its header, as runc does it. */
static int filter(struct cli *cli, FILE *f, const struct pids *p)
{
	char *line = NULL, header[1024];
	size_t cap = 0;
	int col = -1;

	while (getline(&line, &cap, f) > 0) {
		if (col < 0) {
			(void)str_copy(header, sizeof(header), line);
			col = pid_column(header);
			if (col < 0) {
				free(line);
				return err_set(&cli->err, -EINVAL, "ps: couldn't find PID field in ps output");
			}
		} else if (!has_pid(p, word_at(line, col))) {
			continue;
		}
		fputs(line, stdout);
	}
	free(line);
	return 0;
}

static int run_ps(struct cli *cli, const struct pids *p, char **args)
{
	static char *const usual[] = { "ps", "-ef", NULL };
	int out[2], status = 0, r;
	pid_t pid;
	FILE *f;

	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(&cli->err, -errno, "ps: cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		execvp("ps", args ? args : usual);
		_exit(127);
	}
	close(out[1]);
	f = pid < 0 ? NULL : fdopen(out[0], "r");
	if (!f) {
		close(out[0]);
		return err_sys(&cli->err, -EAGAIN, "ps: cannot run the host's ps");
	}
	r = filter(cli, f, p);
	fclose(f);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && (!WIFEXITED(status) || WEXITSTATUS(status)))
		r = err_set(&cli->err, -EIO, "ps: the host's ps failed (is procps installed?); --format json works without it");
	return r;
}

static void print_json(const struct pids *p)
{
	for (size_t i = 0; i < p->n; i++)
		printf("%s%d", i ? "," : "[", p->v[i]);
	printf("]\n");
}

int cmd_ps(struct cli *cli, int argc, char **argv)
{
	const char *format = "table";
	const struct opt opts[] = {
		{ "format", 'f', OPT_STR, &format, "table|json", "how to print" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	struct pids *p;
	struct container c;
	int r = opts_parse(cli, opts, argc, argv, "ps [options] CONTAINER-ID [OPTIONS OF ps]"), at = r;

	if (r < 0)
		return r;
	if (r >= argc)
		return cli_usage(cli, "ps: container id cannot be empty");
	if (strcmp(format, "json") != 0 && strcmp(format, "table") != 0)
		return cli_usage(cli, "invalid format option");
	r = container_open(cli, argv[at], false, &c);
	if (r < 0)
		return r;
	p = kbuf_alloc(sizeof(*p));
	r = p ? host_pids(&c, p) : -ENOMEM;
	if (r < 0) {
		r = err_set(&cli->err, -ESRCH, "container \"%s\" is not running", c.id);
	} else if (strcmp(format, "json") == 0) {
		print_json(p);
	} else {
		argv[at] = "ps";        /* what follows the id is for the host's ps, whose name stands before it */
		r = run_ps(cli, p, at + 1 < argc ? argv + at : NULL);
	}
	kfree(p);
	container_close(&c);
	return r;
}
