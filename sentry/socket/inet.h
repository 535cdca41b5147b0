/*
 * inet.h - what inet.c and inet_ioctl.c share.
 */
#pragma once
#include "sentry/socket/socket.h"

struct ep;

struct ep *inet_ep(struct socket *s);
/* SIOC* of sockets and interfaces: netdevice(7). */
long inet_ioctl(struct task *t, struct socket *s, u32 cmd, gaddr_t arg);
