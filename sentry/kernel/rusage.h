/*
 * rusage.h - resource use of threads and processes (getrusage(2)).
 *
 * Page faults and I/O counts, which only the host knows, are zero.
 */
#pragma once
#include <sys/resource.h>

struct mm;
struct task;
struct tgroup;

/* The process lets go of @mm: what it held counts for ru_maxrss. */
void rusage_image_ends(struct tgroup *tg, struct mm *mm);
void rusage_of_task(struct task *t, struct rusage *ret);
void rusage_of_process(struct tgroup *tg, struct rusage *ret);
/* The process and those it has waited for, as wait4(2) tells. */
void rusage_of_both(struct tgroup *tg, struct rusage *ret);
/* Of waited-for children. */
void rusage_of_children(struct tgroup *tg, struct rusage *ret);
/* Charge the caller up to now, so that its own use is current. */
void task_account_now(struct task *t);
void rusage_add(struct rusage *to, const struct rusage *from);
