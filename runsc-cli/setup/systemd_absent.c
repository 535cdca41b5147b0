/*
 * systemd_absent.c - what libdbus calls of libsystemd when it listens for connections.
 *
 * There is no static libsystemd to link with, and a client never listens: no socket was passed to us (sd_listen_fds(3)).
 */
#include <errno.h>
#include "platform/base/compiler.h"

int sd_listen_fds(int unset_environment);
int sd_is_socket(int fd, int family, int type, int listening);

int sd_listen_fds(int unset_environment)
{
	(void)unset_environment;
	return 0;
}

int sd_is_socket(int fd, int family, int type, int listening)
{
	(void)fd;
	(void)family;
	(void)type;
	(void)listening;
	return -ENOSYS;
}
