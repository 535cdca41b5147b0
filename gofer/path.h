/*
 * path.h - every way in which the gofer reaches a host file.
 *
 * Rules kept here: a lookup starts at a directory descriptor that was reached
 * from a root, takes one component, follows no symlink and no magic link;
 * inodes are held by O_PATH descriptors; only regular files and directories
 * are ever opened.  An inode already held is reached again by its descriptor, or that descriptor's
 * entry in /proc/self/fd (struct fdlinks), never by name.
 * All return >= 0 or -errno; @name has passed gw_name_ok().
 */
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include "gofer/proto/wire.h"

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452              /* Linux 6.6 */
#endif

/* This process's own descriptor directory: bound into the jail, or /proc/self/fd in tests. */
struct fdlinks {
	int dirfd;
	const char *prefix;             /* without a slash at the end */
};

int path_fdlinks(struct fdlinks *ret, const char *prefix) must_check;

/* O_PATH descriptor of an existing child of @dirfd, itself if it is a symlink. */
int path_lookup(int dirfd, const char *name) must_check;
/* A new regular file, open for reading and writing. */
int path_create(int dirfd, const char *name, mode_t mode) must_check;
int path_tmpfile(int dirfd, mode_t mode) must_check;            /* O_TMPFILE: no name */
int path_stat(int fd, struct gw_attr *ret) must_check;
/* Open what @fd holds again.  Only for regular files and directories. */
int path_reopen(const struct fdlinks *l, int fd, int flags) must_check;

/* An O_PATH descriptor of what @fd holds. */
int path_hold(const struct fdlinks *l, int fd) must_check;

int path_mkdir(int dirfd, const char *name, mode_t mode) must_check;
int path_mknod(int dirfd, const char *name, mode_t mode) must_check;    /* FIFO, socket, regular, char 0:0 */
int path_symlink(const char *target, int dirfd, const char *name) must_check;
int path_link(const struct fdlinks *l, int fd, int dirfd, const char *name) must_check;
int path_unlink(int dirfd, const char *name, bool dir) must_check;
int path_rename(int odir, const char *oname, int ndir, const char *nname, u32 flags) must_check;
ssize_t path_readlink(int fd, char *buf, size_t cap) must_check;

int path_chmod(const struct fdlinks *l, int fd, mode_t mode) must_check;
int path_chown(int fd, u32 uid, u32 gid) must_check;            /* (u32)-1: as it is */
int path_utimes(const struct fdlinks *l, int fd, const struct timespec ts[2]) must_check;
int path_truncate(const struct fdlinks *l, int fd, u64 size) must_check;
int path_statfs(int fd, struct statfs *ret) must_check;

ssize_t path_getxattr(const struct fdlinks *l, int fd, const char *name, void *buf, size_t cap) must_check;
int path_setxattr(const struct fdlinks *l, int fd, const char *name, const void *v, size_t n, int flags) must_check;
ssize_t path_listxattr(const struct fdlinks *l, int fd, char *buf, size_t cap) must_check;
int path_removexattr(const struct fdlinks *l, int fd, const char *name) must_check;

int path_watch(const struct fdlinks *l, int inotify_fd, int fd, u32 mask) must_check;
