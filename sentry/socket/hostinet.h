/*
 * hostinet.h - AF_INET and AF_INET6 sockets of the host's kernel, with --network=host.
 */
#pragma once
#include "sentry/socket/socket.h"

/* As inet_create(). @type with SOCK_NONBLOCK. */
int hostinet_create(struct task *t, int family, int type, int proto, struct file **ret) must_check;
