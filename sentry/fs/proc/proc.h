/*
 * proc.h - what the parts of procfs share (proc(5)).
 *
 * root.c the top directory and whole-system files; pid.c one process or thread; fd.c its
 * descriptors; sys.c sysctls; cpuinfo.c the processor.  Tables of struct pseudo_entry throughout.
 */
#pragma once
#include "sentry/fs/pseudo/pseudo.h"

#define PROC_SUPER_MAGIC 0x9fa0

struct task;

/* pid.c: directories of a process and of a thread. */
int proc_pid_list(struct task *t, struct pseudo_node *root, struct dir_ctx *c);
int proc_pid_find(struct task *t, struct pseudo_node *root, const char *name, size_t len,
                  struct inode **ret);
/* May @t look into the process of @n (ptrace(2) access rules)? 0, -EACCES, or -ESRCH when it is gone. */
int proc_permit(struct task *t, struct pseudo_node *n);

/* Are @t and @it one process, or may the one trace the other? */
bool proc_may_trace(struct task *t, struct task *it);

/* options.c.  @opts may be NULL.  @t NULL: by the bundle. */
#define HIDE_OFF         0
#define HIDE_NOACCESS    1
#define HIDE_INVISIBLE   2
#define HIDE_UNTRACEABLE 4
int proc_set_options(struct task *t, struct super *sb, const char *opts) must_check;
void proc_show_options(struct super *sb, struct strbuf *out);
/* Is process @it kept from @t, if hidepid is @from at least? */
bool proc_hidden(struct task *t, const struct super *sb, struct task *it, u8 from);

/* One of our numbers as this mount of proc shows it; 0: not at all. */
int proc_nr(struct pseudo_node *n, int pid);

/* fd.c */
extern const struct pseudo_dir proc_fd_dir, proc_fdinfo_dir;

/* sys.c */
extern const struct pseudo_dir proc_sys_dir;

/* sys_net.c */
extern const struct pseudo_dir proc_sys_net_dir;

/* net.c */
extern const struct pseudo_dir proc_net_dir;

/* cpuinfo.c */
int proc_cpuinfo(struct task *t, struct pseudo_node *n, struct strbuf *out);
