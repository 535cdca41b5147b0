/*
 * inet.h - what inet.c, inet_name.c, inet_ioctl.c and packet_ring.c share.
 */
#pragma once
#include "sentry/socket/socket.h"

#define SA_IN6_OLD 24                   /* sockaddr_in6 before sin6_scope_id */

struct ep;
struct mapping;
struct net_sa;
struct packet_mem;

struct ep *inet_ep(struct socket *s);
/* 0 or -errno: -EINVAL too short for a socket of @own's family, -EAFNOSUPPORT of another family. */
int inet_sa_in(int own, const void *name, u32 len, struct net_sa *ret) must_check;
/* As a socket of @family shows it; @full: as the source of a message. Bytes. */
int inet_sa_out(int family, const struct net_sa *sa, bool full, void *name);

/* packet_ring.c. *@own is the socket's ring, NULL for none; the caller makes calls one at a time. */
int packet_ring_set(struct ep *e, struct packet_mem **own, const void *v, size_t n) must_check;
int packet_mem_map(struct packet_mem *m, u64 off, u64 len, struct mapping *ret) must_check;
void packet_mem_free(struct packet_mem *m);

/* SIOC* of queues. */
long inet_ioctl(struct task *t, struct socket *s, u32 cmd, gaddr_t arg);
/* SIOC* of interfaces: netdevice(7). For sockets of every family. */
long netdev_ioctl(struct task *t, u32 cmd, gaddr_t arg);
