/*
 * reserved.c - net.ipv4.ip_local_reserved_ports, as text and back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "platform/base/alloc.h"
#include "netstack/core/reserved.h"

#define PORTS 65536u

static void skip_blanks(const char **t)
{
	while (**t == ' ' || **t == '\t' || **t == '\n' || **t == ',')
		++*t;
}

static bool number(const char **t, u32 *ret)
{
	u32 v = 0, n = 0;

	for (; **t >= '0' && **t <= '9' && n < 6; ++*t, n++)
		v = v * 10 + (u32)(**t - '0');
	*ret = v;
	return n && v < PORTS;
}

static int parse(const char *t, u8 *bits)
{
	u32 from, to;

	for (skip_blanks(&t); *t; skip_blanks(&t)) {
		if (!number(&t, &from))
			return -EINVAL;
		to = from;
		if (*t == '-') {
			t++;
			if (!number(&t, &to) || to < from)
				return -EINVAL;
		}
		if (*t && *t != ',' && *t != '\n' && *t != ' ' && *t != '\t')
			return -EINVAL;
		for (; from <= to; from++)
			bits[from / 8] |= (u8)(1u << from % 8);
	}
	return 0;
}

int reserved_set(struct stack *s, const char *text)
{
	u8 *bits = kbuf_alloc(PORTS / 8), *to;
	u32 i;
	int r = bits ? parse(text, bits) : -ENOMEM;

	if (r < 0) {
		kfree(bits);
		return r;
	}
	mutex_lock(&s->cfg_mu);
	to = atomic_load_explicit(&s->reserved_ports, memory_order_relaxed);
	for (i = 0; to && i < PORTS / 8; i++)
		__atomic_store_n(&to[i], bits[i], __ATOMIC_RELAXED);
	if (!to) {
		atomic_store_explicit(&s->reserved_ports, bits, memory_order_release);
		bits = NULL;
	}
	mutex_unlock(&s->cfg_mu);
	kfree(bits);
	return 0;
}

int reserved_get(struct stack *s, char *buf, size_t cap)
{
	u32 p = 0, from;
	size_t n = 0;

	for (; p < PORTS; p++) {
		if (!port_reserved(s, p))
			continue;
		from = p;
		while (p + 1 < PORTS && port_reserved(s, p + 1))
			p++;
		if (cap - n < sizeof("65535-65535,\n"))
			return -ENOSPC;
		n += (size_t)snprintf(buf + n, cap - n, from == p ? "%s%u" : "%s%u-%u", n ? "," : "", from, p);
	}
	if (cap - n < sizeof("\n"))
		return -ENOSPC;
	snprintf(buf + n, cap - n, "\n");
	return 0;
}
