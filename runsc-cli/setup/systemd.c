/* systemd.c - see systemd.h. */
#include "runsc-cli/setup/systemd.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "runsc-cli/setup/systemd_bus.h"
#include "runsc-cli/setup/systemd_prop.h"

bool systemd_runs(void)
{
	return access("/run/systemd/system", F_OK) == 0;        /* sd_booted(3) */
}

static bool unit_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(":-_.\\@", c));
}

static bool unit_ok(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	if (n <= k || strcmp(name + n - k, suffix) != 0)
		return false;
	while (n && unit_char(name[n - 1]))
		n--;
	return n == 0;
}

int systemd_scope_name(struct cli *cli, const char *want, const char *id, struct scope *ret)
{
	const char *first = strchr(want, ':'), *last = first ? strchr(first + 1, ':') : NULL, *prefix = "csandbox", *name = id;
	int np = 8, ns = 0, n;

	if (*want && (!last || strchr(last + 1, ':')))
		return err_set(&cli->err, -EINVAL, "linux.cgroupsPath \"%s\" must be \"SLICE:PREFIX:NAME\" with --systemd-cgroup", want);
	if (*want) {
		ns = (int)(first - want);
		prefix = first + 1;
		np = (int)(last - prefix);
		name = last + 1;
	}
	n = snprintf(ret->slice, sizeof(ret->slice), "%.*s", ns, want);
	if (n == 0)
		n = snprintf(ret->slice, sizeof(ret->slice), "%s.slice", cli_rootless() ? "user" : "system");
	if ((size_t)n < sizeof(ret->slice))
		n = snprintf(ret->unit, sizeof(ret->unit), "%.*s%s%s.scope", np, prefix, np ? "-" : "", name);
	if ((size_t)n >= sizeof(ret->unit) || !*name || !unit_ok(ret->slice, ".slice") || !unit_ok(ret->unit, ".scope"))
		return err_set(&cli->err, -EINVAL, "linux.cgroupsPath \"%s\" makes no name of a systemd scope and its slice", want);
	return 0;
}

static int failed(struct cli *cli, const struct bus *b, const char *what, const char *unit)
{
	return err_set(&cli->err, -EIO, "systemd: cannot %s %s: %s", what, unit, b->why);
}

/* The host's manager is for root of the host; everybody else has one of his own, if any. */
static int manager_open(struct cli *cli, struct bus *b, const char *where)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char own[256] = "/run/systemd/private";

	if (cli_rootless() && snprintf(own, sizeof(own), "%s/systemd/private", run ? run : "") >= (int)sizeof(own))
		return err_set(&cli->err, -ENAMETOOLONG, "XDG_RUNTIME_DIR is too long");
	return bus_open(b, where ? where : own) < 0 ? failed(cli, b, "ask the manager at", where ? where : own) : 0;
}

/* A call whose answer says nothing. */
static bool done(struct bus *b, DBusMessage *q)
{
	DBusMessage *a = bus_call(b, q);

	if (a)
		dbus_message_unref(a);
	return a;
}

/* A call of the manager's that begins with a unit's name and, if not NULL, a word. */
static DBusMessage *call(const char *name, const char *unit, const char *word)
{
	DBusMessage *q = dbus_message_new_method_call("org.freedesktop.systemd1", "/org/freedesktop/systemd1",
	                                              "org.freedesktop.systemd1.Manager", name);

	if (q && !dbus_message_append_args(q, DBUS_TYPE_STRING, &unit, word ? DBUS_TYPE_STRING : DBUS_TYPE_INVALID, &word,
	                                   DBUS_TYPE_INVALID)) {
		dbus_message_unref(q);
		q = NULL;
	}
	return q;
}

static DBusMessage *start_call(struct cli *cli, const struct scope *s, pid_t pid, const struct oci_resources *r)
{
	DBusMessage *q = call("StartTransientUnit", s->unit, "replace");
	DBusMessageIter it, none;
	struct props p;
	int ret;

	if (!q)
		return NULL;
	dbus_message_iter_init_append(q, &it);
	props_open(&p, &it);
	prop_str(&p, "Description", "csandbox container");
	prop_str(&p, "Slice", s->slice);
	prop_str(&p, "CollectMode", "inactive-or-failed");
	prop_u32s(&p, "PIDs", (u32)pid);
	prop_bool(&p, "Delegate", true);
	prop_bool(&p, "DefaultDependencies", false);
	prop_bool(&p, "MemoryAccounting", true);
	prop_bool(&p, "CPUAccounting", true);
	prop_bool(&p, "IOAccounting", true);
	prop_bool(&p, "TasksAccounting", true);
	ret = props_limits(&p, r);
	props_close(&p);
	p.ok = p.ok && dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "(sa(sv))", &none) &&
		dbus_message_iter_close_container(&it, &none);
	if (ret == 0 && p.ok)
		return q;
	if (ret < 0)
		(void)err_set(&cli->err, ret, "linux.resources.cpu: \"%s\" or \"%s\" is no list of CPUs or memory nodes",
		              r->cpus ? r->cpus : "", r->mems ? r->mems : "");
	dbus_message_unref(q);
	return NULL;
}

int systemd_start(struct cli *cli, const char *where, const struct scope *s, pid_t pid, const struct oci_resources *r)
{
	DBusMessage *q = start_call(cli, s, pid, r);
	struct bus b;
	int err;

	if (!q)
		return cli->err.code ? cli->err.code : err_set(&cli->err, -ENOMEM, "no memory to ask systemd");
	err = manager_open(cli, &b, where);
	if (err < 0)
		dbus_message_unref(q);
	if (err == 0 && !bus_job(&b, q)) {
		/* A failed one of this name is still remembered: of a container that has ended. */
		bool again = strcmp(b.error, "org.freedesktop.systemd1.UnitExists") == 0 &&
			done(&b, call("ResetFailedUnit", s->unit, NULL)) && bus_job(&b, start_call(cli, s, pid, r));

		if (!again)
			err = failed(cli, &b, "start", s->unit);
	}
	bus_close(&b);
	return err;
}

int systemd_update(struct cli *cli, const char *where, const char *unit, const struct oci_resources *r)
{
	DBusMessage *q = call("SetUnitProperties", unit, NULL);
	dbus_bool_t runtime = TRUE;
	DBusMessageIter it;
	struct props p = { .ok = false };
	struct bus b;
	int err = 0;

	if (q && dbus_message_append_args(q, DBUS_TYPE_BOOLEAN, &runtime, DBUS_TYPE_INVALID)) {
		dbus_message_iter_init_append(q, &it);
		props_open(&p, &it);
		err = props_limits(&p, r);
		props_close(&p);
	}
	if (err < 0 || !p.ok) {
		if (q)
			dbus_message_unref(q);
		return err < 0 ? err_set(&cli->err, err, "%s: the list of CPUs or memory nodes is none", unit)
		               : err_set(&cli->err, -ENOMEM, "no memory");
	}
	err = manager_open(cli, &b, where);
	if (err < 0)
		dbus_message_unref(q);
	else if (!done(&b, q))
		err = failed(cli, &b, "change the limits of", unit);
	bus_close(&b);
	return err;
}

void systemd_stop(struct cli *cli, const char *where, const char *unit)
{
	struct cli quiet = *cli;
	struct bus b;

	if (manager_open(&quiet, &b, where) == 0) {
		(void)!bus_job(&b, call("StopUnit", unit, "replace"));
		(void)!done(&b, call("ResetFailedUnit", unit, NULL));
	}
	bus_close(&b);
}
