/*
 * systemd_prop.h - limits as properties of a unit: the a(sv) of StartTransientUnit and SetUnitProperties.
 */
#pragma once
#include <dbus/dbus.h>
#include "runsc-cli/oci/spec.h"

/* An array of properties being written; @ok false once memory has run out. */
struct props {
	DBusMessageIter *to, array;
	bool ok;
};

void props_open(struct props *p, DBusMessageIter *to);
void props_close(struct props *p);
void prop_str(struct props *p, const char *name, const char *v);
void prop_bool(struct props *p, const char *name, bool v);
void prop_u64(struct props *p, const char *name, u64 v);
/* An array of one number, as PIDs= has. */
void prop_u32s(struct props *p, const char *name, u32 v);
/* What @r limits and systemd knows of. 0, or -EINVAL: a list of CPUs or nodes that is none. */
int props_limits(struct props *p, const struct oci_resources *r) must_check;
