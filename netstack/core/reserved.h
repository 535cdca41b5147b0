/*
 * reserved.h - net.ipv4.ip_local_reserved_ports: ports that nobody gets who did not ask for them by number.
 *
 * A bit a port, there from the first time that any is reserved on; writers hold cfg_mu, readers look without a lock.
 */
#pragma once
#include "netstack/core/stack.h"

static inline bool port_reserved(struct stack *s, u32 port)
{
	const u8 *bits = atomic_load_explicit(&s->reserved_ports, memory_order_acquire);

	return unlikely(bits) && (__atomic_load_n(&bits[port / 8 % 8192], __ATOMIC_RELAXED) >> port % 8 & 1);
}

/* "1,5-7": these and no others.  -EINVAL, -ENOMEM. */
int reserved_set(struct stack *s, const char *text) must_check;
int reserved_get(struct stack *s, char *buf, size_t cap) must_check;    /* -ENOSPC */
