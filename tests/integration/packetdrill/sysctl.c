/*
 * sysctl.c - settings: scripts set them by commands in their network namespace.
 *
 * The runner gives each script a namespace of its own; what its commands
 * change there is read back before every call and given to the stack.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/integration/packetdrill/rig.h"

/* For the runner's nstat: counters that moved, in the file that it named. */
void rig_counters(struct rig *r)
{
	const char *path = getenv("PACKETDRILL_COUNTERS");
	struct stack_counter c;
	FILE *f = path ? fopen(path, "w") : NULL;
	unsigned i;

	if (!f)
		return;
	for (i = 0; stack_counter(r->stack, i, &c) == 0; i++)
		if (c.value)
			fprintf(f, "%s%s %llu 0.0\n", c.group, c.name, (unsigned long long)c.value);
	fclose(f);
}

void rig_sysctls(struct rig *r)
{
	const char *name;
	char path[256], val[256];
	unsigned i;

	for (i = 0; (name = stack_sysctl_name(i)); i++) {
		FILE *f;
		int e;

		if (strncmp(name, "ipv4/tcp_", 9) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(val, sizeof(val), f)) {
			e = stack_sysctl_set(r->stack, name, val);
			(void)e;        /* a congestion control that we do not have: keep ours */
		}
		fclose(f);
	}
}
