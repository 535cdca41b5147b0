/*
 * session.h - a host process that stands for a process of a guest: it holds the control connection that
 * made it, passes signals and sizes of the terminal on, and ends with its status.
 */
#pragma once
#include "runsc-cli/container.h"

struct session {
	struct container *c;
	int sock;                       /* the connection, on which the end will be told */
	int tty;                        /* slave of its terminal, or -1 */
	int sigfd;
	s32 pid;                        /* 0: the container's first */
};

/* From now on signals are only read, and with a terminal we lead its session.  x->sigfd or -errno. */
int session_signals(struct session *x);
/* Close all other descriptors; 0, 1 and 2 become /dev/null. */
void session_keep_only(const struct session *x);
/* Until the end: its status as shells say it. */
int session_wait(struct session *x);
