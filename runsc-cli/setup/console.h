/*
 * console.h - host pseudo-terminals for containers with process.terminal.
 *
 * The engine (or our own foreground proxy) holds the master, the sandbox the
 * slave, which it sets raw: the line discipline that the guest sees is its own.
 */
#pragma once
#include "runsc-cli/cli.h"

/* A new pair, close-on-exec.  @rows 0: size left alone. */
int console_open(struct cli *cli, u16 rows, u16 cols, int *ret_master, int *ret_slave) must_check;
/* The terminal that we show ourselves: a line ends with a newline alone, as under runc, and our own terminal adds the rest. */
void console_foreground(int slave);
/* Hand the master to the engine over its unix socket. */
int console_send(struct cli *cli, const char *socket_path, int master) must_check;
/* --pidfd-socket: the same with a process's descriptor. */
int console_send_pidfd(struct cli *cli, const char *socket_path, int pidfd) must_check;

/*
 * Foreground: copy between our terminal (0, 1) and @master until @done_fd is
 * readable or the other side has hung up and everything was copied; sizes are passed on.
 */
void console_proxy(int master, int done_fd);
