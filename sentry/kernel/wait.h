/*
 * wait.h - waiting for children (wait4(2), waitid(2)).
 */
#pragma once
#include <sys/resource.h>
#include "platform/base/compiler.h"

struct task;
struct tgroup;

enum wait_which { CHILD_ANY, CHILD_PID, CHILD_PGID };

struct wait_req {
	enum wait_which which;
	int id;
	u32 options;                            /* W* and __W* */
	bool parks;                             /* the call may be set aside: -EPARKED */
	/* Results, when a child was found: */
	int pid, status, code;                  /* status: of wait4; code: CLD_* */
	u32 uid;
	struct rusage ru;
};

/* The child's pid with the results filled in; 0 (WNOHANG); -ECHILD, -ERESTARTSYS. */
int task_wait(struct task *t, struct wait_req *q) must_check;
