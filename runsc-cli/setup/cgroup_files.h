/*
 * cgroup_files.h - small files of the host's cgroup file systems, and where those are mounted.
 */
#pragma once
#include "platform/base/compiler.h"

int cg_write(const char *dir, const char *file, const char *text) must_check;
int cg_read(const char *dir, const char *file, char *buf, size_t cap) must_check;     /* trimmed; bytes or -errno */
/* Is the word @w of @n bytes in the comma-separated @list? */
bool cg_list_has(const char *list, const char *w, size_t n);
bool cg_has(const char *dir, const char *file);

struct cg_mount { char dir[256]; bool v2; };
/* The hierarchies mounted here, at most @cap. */
size_t cg_mounts(struct cg_mount *ret, size_t cap);
