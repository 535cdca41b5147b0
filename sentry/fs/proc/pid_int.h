/*
 * pid_int.h - the texts of one process: status.c, maps.c and mounts.c for pid.c's table.
 */
#pragma once
#include "sentry/fs/proc/proc.h"

int pid_stat(struct task *t, struct pseudo_node *n, struct strbuf *out);
int pid_statm(struct task *t, struct pseudo_node *n, struct strbuf *out);
int pid_status(struct task *t, struct pseudo_node *n, struct strbuf *out);
int pid_limits(struct task *t, struct pseudo_node *n, struct strbuf *out);
int pid_maps(struct task *t, struct pseudo_node *n, struct strbuf *out);
long pid_maps_ioctl(struct task *t, struct pseudo_node *n, u32 cmd, gaddr_t arg);
int pid_smaps(struct task *t, struct pseudo_node *n, struct strbuf *out);
int pid_smaps_rollup(struct task *t, struct pseudo_node *n, struct strbuf *out);
int pid_cmdline(struct task *t, struct pseudo_node *n, struct strbuf *out);
int pid_environ(struct task *t, struct pseudo_node *n, struct strbuf *out);
int pid_auxv(struct task *t, struct pseudo_node *n, struct strbuf *out);
int pid_mounts_open(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags, struct file **ret);
int pid_mountinfo_open(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags, struct file **ret);
int pid_mountstats_open(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags, struct file **ret);
int pid_mem_open(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags, struct file **ret);
/* The name of task @t, NUL-terminated. */
void task_comm(struct task *t, char comm[16]);
