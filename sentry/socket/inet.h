/*
 * inet.h - what inet.c and inet_ioctl.c share.
 */
#pragma once
#include "sentry/socket/socket.h"

struct ep;

struct ep *inet_ep(struct socket *s);
/* SIOC* of queues. */
long inet_ioctl(struct task *t, struct socket *s, u32 cmd, gaddr_t arg);
/* SIOC* of interfaces: netdevice(7). For sockets of every family. */
long netdev_ioctl(struct task *t, u32 cmd, gaddr_t arg);
