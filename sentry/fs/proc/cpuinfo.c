/*
 * cpuinfo.c - /proc/cpuinfo from the CPUID instruction, which programs may run themselves anyway.
 *
 * One row a feature bit: leaf, register, bit, and Linux's name for it
 * (arch/x86/include/asm/cpufeatures.h).
 */
#include <cpuid.h>
#include <string.h>
#include "platform/base/str.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/kernel/task.h"

enum { EAX, EBX, ECX, EDX };

struct feature { u32 leaf; u8 sub, reg, bit; char name[20]; };

static const struct feature features[] = {
#define F(l, s, r, b, n) { l, s, r, b, n },
#include "sentry/fs/proc/cpu_features.def"
#undef F
};

struct cpu_id { u32 family, model, stepping, clflush, phys_bits, virt_bits; char vendor[13], name[49]; };

static void identify(struct cpu_id *c)
{
	u32 a, b, x, d, max;

	memset(c, 0, sizeof(*c));
	__cpuid(0, max, b, x, d);
	memcpy(c->vendor, &b, 4);
	memcpy(c->vendor + 4, &d, 4);
	memcpy(c->vendor + 8, &x, 4);
	__cpuid(1, a, b, x, d);
	c->stepping = a & 15;
	c->model = a >> 4 & 15;
	c->family = a >> 8 & 15;
	if (c->family == 15)
		c->family += a >> 20 & 255;
	if (c->family >= 6)
		c->model |= (a >> 16 & 15) << 4;
	c->clflush = (b >> 8 & 255) * 8;
	for (u32 i = 0; i < 3; i++) {
		u32 r[4];

		__cpuid(0x80000002u + i, r[0], r[1], r[2], r[3]);
		memcpy(c->name + 16 * i, r, 16);
	}
	__cpuid(0x80000008u, a, b, x, d);
	c->phys_bits = a & 255;
	c->virt_bits = a >> 8 & 255;
}

static void put_flags(struct strbuf *out)
{
	u32 leaf = ~0u, r[4] = { 0 };
	u8 sub = 0;

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];

		if (f->leaf != leaf || f->sub != sub) {
			leaf = f->leaf;
			sub = f->sub;
			if (!__get_cpuid_count(leaf, sub, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
				memset(r, 0, sizeof(r));
		}
		if (r[f->reg] >> f->bit & 1)
			strbuf_printf(out, " %s", f->name);
	}
}

int proc_cpuinfo(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	struct cpu_id c;
	u32 ncpus = t->kernel->ncpus;

	(void)n;
	identify(&c);
	for (u32 i = 0; i < ncpus; i++) {
		strbuf_printf(out, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
		              "model name\t: %s\nstepping\t: %u\nmicrocode\t: 0xffffffff\ncpu MHz\t\t: 2000.000\n"
		              "cache size\t: 512 KB\n", i, c.vendor, c.family, c.model, c.name, c.stepping);
		strbuf_printf(out, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n"
		              "apicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\n"
		              "cpuid level\t: 13\nwp\t\t: yes\nflags\t\t:", ncpus, i, ncpus, i, i);
		put_flags(out);
		strbuf_printf(out, "\nbugs\t\t:\nbogomips\t: 4000.00\nTLB size\t: 2560 4K pages\n"
		              "clflush size\t: %u\ncache_alignment\t: %u\naddress sizes\t: %u bits physical, %u bits "
		              "virtual\npower management:\n\n", c.clflush, c.clflush, c.phys_bits, c.virt_bits);
	}
	return 0;
}
