/*
 * fuzz_config_json.c - any bytes as config.json: an answer, no crash, nothing left allocated.
 */
#include <stdlib.h>
#include "platform/base/alloc.h"
#include "runsc-cli/oci/spec.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	static u64 before;
	struct err e = { 0 };
	struct oci_spec s;

	if (!before) {
		if (alloc_init((size_t)1 << 30) < 0)
			abort();
		before = alloc_live() + 1;
	}
	if (spec_parse(&s, "config.json", (const char *)data, n, &e) == 0)
		spec_done(&s);
	else if (!e.code || !e.msg[0])
		abort();
	if (alloc_live() + 1 != before)
		abort();
	return 0;
}
