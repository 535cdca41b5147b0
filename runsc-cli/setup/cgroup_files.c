/* cgroup_files.c - see cgroup_files.h. */
#include "runsc-cli/setup/cgroup_files.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "platform/base/str.h"

int cg_write(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	int fd, r = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

int cg_read(const char *dir, const char *file, char *buf, size_t cap)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, cap - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	buf[n] = 0;
	return (int)n;
}

bool cg_list_has(const char *list, const char *w, size_t n)
{
	for (const char *p = list; *p; p += strcspn(p, ",")) {
		p += *p == ',';
		if (n && strncmp(p, w, n) == 0 && (!p[n] || p[n] == ','))
			return true;
	}
	return false;
}

bool cg_has(const char *dir, const char *file)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", dir, file) < (int)sizeof(path) && access(path, F_OK) == 0;
}

size_t cg_mounts(struct cg_mount *ret, size_t cap)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	size_t n = 0;

	while (f && n < cap && fgets(line, sizeof(line), f)) {
		char dir[256], type[32] = "", *dash = strstr(line, " - ");

		if (!dash || sscanf(dash + 3, "%31s", type) != 1 || strncmp(type, "cgroup", 6) != 0)
			continue;
		if (sscanf(line, "%*s %*s %*s %*s %255s", dir) != 1)
			continue;
		ret[n].v2 = strcmp(type, "cgroup2") == 0;
		(void)str_copy(ret[n].dir, sizeof(ret[n].dir), dir);
		n++;
	}
	if (f)
		fclose(f);
	return n;
}
