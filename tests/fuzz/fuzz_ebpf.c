/*
 * fuzz_ebpf.c - any bytes as a program of a control group: refused, or it ends, says the same twice, and reads only its context.
 *
 * The first twelve bytes are the context.  The program lies in memory of just its size, so that the sanitizer sees more.
 */
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/ebpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct ebpf_dev_ctx *ctx;
	struct bpf_insn *p;
	u32 n;

	if (!ready && alloc_init((size_t)1 << 30) < 0)
		abort();
	ready = true;
	if (size < sizeof(*ctx) + sizeof(*p))
		return 0;
	n = (u32)((size - sizeof(*ctx)) / sizeof(*p));
	ctx = malloc(sizeof(*ctx));
	p = malloc(n * sizeof(*p));
	memcpy(ctx, data, sizeof(*ctx));
	memcpy(p, data + sizeof(*ctx), n * sizeof(*p));
	if (ebpf_check(p, n, true) == 0 && ebpf_run(p, ctx) != ebpf_run(p, ctx))
		abort();
	if (ebpf_check(p, n, false) == 0) {
		u64 r = ebpf_run(p, ctx);

		memset(ctx, 0xa5, sizeof(*ctx));
		if (ebpf_run(p, ctx) != r)
			abort();
	}
	free(p);
	free(ctx);
	return 0;
}
