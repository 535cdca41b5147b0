/*
 * systemd_bus.h - a connection to a manager's private socket: calls, and jobs that end.
 *
 * libdbus makes and reads the messages; their way is our own, as its connections claim the uid that they see, and whoever is root of a
 * user namespace (rootless engines) is another one for the manager.  Here none is claimed: the kernel tells it (SO_PEERCRED).
 * Blocking, one call at a time, no signal but JobRemoved looked at.
 *
 * Source: D-Bus specification, "Authentication Protocol" and "Message Protocol"; org.freedesktop.systemd1(5).
 */
#pragma once
#include <dbus/dbus.h>
#include "platform/base/compiler.h"

struct bus {
	int fd;
	u32 serial;
	char error[256], why[512];      /* of the last call that failed: name, and words for people */
};

/* Connect to the socket at @path and greet. 0, or -errno with @b->why. */
int bus_open(struct bus *b, const char *path) must_check;
void bus_close(struct bus *b);
/* Send @q, which is used up (NULL: there was no memory for it). The answer, for dbus_message_unref(), or NULL. */
DBusMessage *bus_call(struct bus *b, DBusMessage *q) must_check;
/* Send @q, which asks for a job, and wait until that is done. */
bool bus_job(struct bus *b, DBusMessage *q) must_check;
