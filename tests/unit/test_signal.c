/*
 * test_signal.c - queues, choice of thread, fatal signals and wait rules, without a platform:
 * no task ever runs application code here, so nothing interrupts a context.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/wait.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/seccomp_bpf.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task_int.h"
#include "sentry/kernel/wait.h"
#include "tests/unit/unit.h"

static struct kernel *k;

static int setup(void **state)
{
	(void)state;
	k = kernel_new(NULL);
	return k ? 0 : -1;
}

static struct task *add_thread(struct tgroup *tg)
{
	struct task *t = task_new(k, tg);
	int pid;

	mutex_lock(&k->mu);
	pid = pid_alloc_locked(k, pid_ns_of(k->nsset->of[NS_PID]), NULL, 0);
	assert_true(pid > 0);
	t->tid = pid;
	pid_set_task_locked(k, pid, task_ref(t));
	mutex_lock(&tg->mu);
	tgroup_add_thread_locked(tg, t);
	mutex_unlock(&tg->mu);
	mutex_unlock(&k->mu);
	t->cred = cred_new();
	assert_int_equal(cgroup_add_task(tg, NULL, k->cgroups.root), 0);
	return t;
}

static struct task *process(struct task *parent)
{
	struct tgroup *tg = tgroup_new(k);
	struct session *s;
	struct task *t;

	tg->pid_ns = pid_ns_of(ns_ref(k->nsset->of[NS_PID]));
	tg->sighand = sighand_new();
	tg->exit_signal = SIGCHLD;
	tg->rlim[RLIMIT_SIGPENDING].cur = 100;
	tg->overdue.over = true;        /* there is no timer */
	t = add_thread(tg);
	mutex_lock(&k->mu);
	tg->tgid = t->tid;
	pid_set_tgroup_locked(k, t->tid, tg);
	s = session_new(k, t->tid, tg);
	tgroup_join_locked(tg, t->tid, s);
	if (parent) {
		tg->parent = parent->tg;
		list_add_tail(&tg->sibling, &parent->tg->children);
	}
	mutex_unlock(&k->mu);
	return t;
}

static void handle(struct task *t, int sig)
{
	t->tg->sighand->act[sig - 1].handler = 0x1000;
}

static struct lx_siginfo queued(int sig, u64 value)
{
	struct lx_siginfo si = { .signo = sig, .code = SI_QUEUE };

	si.rt.value = value;
	return si;
}

static void realtime_signals_queue_and_standard_ones_merge(void **state)
{
	struct task *t = process(NULL);
	struct lx_siginfo si;

	(void)state;
	handle(t, SIGUSR1);
	handle(t, SIGRTMIN);
	for (u64 v = 0; v < 3; v++) {
		si = queued(SIGRTMIN, v);
		assert_int_equal(signal_send_task(t, SIGRTMIN, &si), 0);
		si = queued(SIGUSR1, v);
		assert_int_equal(signal_send_task(t, SIGUSR1, &si), 0);
	}
	assert_true(signal_pending(t));
	assert_int_equal(signal_dequeue(t, ~0ull, &si), SIGUSR1);
	assert_int_equal(si.rt.value, 0);
	for (u64 v = 0; v < 3; v++) {
		assert_int_equal(signal_dequeue(t, ~0ull, &si), SIGRTMIN);
		assert_int_equal(si.rt.value, v);
	}
	assert_int_equal(signal_dequeue(t, ~0ull, &si), 0);
	assert_false(signal_pending(t));
}

static void a_full_queue_refuses_values_but_keeps_kill(void **state)
{
	struct task *t = process(NULL);
	struct lx_siginfo si = queued(SIGRTMIN, 0);

	(void)state;
	handle(t, SIGRTMIN);
	handle(t, SIGUSR1);
	t->tg->rlim[RLIMIT_SIGPENDING].cur = 2;
	assert_int_equal(signal_send_task(t, SIGRTMIN, &si), 0);
	assert_int_equal(signal_send_task(t, SIGRTMIN, &si), 0);
	assert_int_equal(signal_send_task(t, SIGRTMIN, &si), -EAGAIN);
	si = (struct lx_siginfo){ .signo = SIGUSR1, .code = SI_USER };
	assert_int_equal(signal_send_task(t, SIGUSR1, &si), 0);
	assert_int_equal(signal_dequeue(t, SIGBIT(SIGUSR1), &si), SIGUSR1);
}

static void ignored_signals_vanish_unless_blocked(void **state)
{
	struct task *t = process(NULL);
	struct lx_siginfo si;

	(void)state;
	assert_int_equal(signal_send_task(t, SIGCHLD, NULL), 0);
	assert_false(signal_pending(t));
	signal_set_mask(t, SIGBIT(SIGCHLD));
	assert_int_equal(signal_send_task(t, SIGCHLD, NULL), 0);
	assert_false(signal_pending(t));
	assert_int_equal(signal_dequeue(t, SIGBIT(SIGCHLD), &si), SIGCHLD);
}

static void a_process_signal_goes_to_a_thread_that_takes_it(void **state)
{
	struct task *t = process(NULL), *u = add_thread(t->tg);

	(void)state;
	handle(t, SIGUSR1);
	signal_set_mask(t, SIGBIT(SIGUSR1));
	assert_int_equal(signal_send_tgroup(t->tg, SIGUSR1, NULL), 0);
	assert_false(signal_pending(t));
	assert_true(signal_pending(u));
}

static void a_blocked_process_signal_moves_when_its_thread_blocks_it(void **state)
{
	struct task *t = process(NULL), *u = add_thread(t->tg);

	(void)state;
	handle(t, SIGUSR1);
	assert_int_equal(signal_send_tgroup(t->tg, SIGUSR1, NULL), 0);
	assert_true(signal_pending(t));
	assert_false(signal_pending(u));
	signal_set_mask(t, SIGBIT(SIGUSR1));
	assert_false(signal_pending(t));
	assert_true(signal_pending(u));
}

static void a_fatal_signal_kills_all_threads_at_once(void **state)
{
	struct task *t = process(NULL), *u = add_thread(t->tg);

	(void)state;
	assert_int_equal(signal_send_task(u, SIGTERM, NULL), 0);
	assert_true(task_killed(t) && task_killed(u));
	assert_int_equal(t->tg->exit_code, SIGTERM);
}

static void init_is_reached_only_by_what_it_handles(void **state)
{
	struct task *t = process(NULL);
	struct lx_siginfo si = { .signo = SIGKILL, .code = SI_USER };

	(void)state;
	t->tg->unkillable = true;
	assert_int_equal(signal_send_tgroup(t->tg, SIGKILL, &si), 0);
	assert_int_equal(signal_send_tgroup(t->tg, SIGTERM, NULL), 0);
	assert_false(task_killed(t));
	assert_int_equal(signal_send_tgroup(t->tg, SIGKILL, NULL), 0);
	assert_true(task_killed(t));
}

static void continue_and_stop_cancel_each_other(void **state)
{
	struct task *t = process(NULL);

	(void)state;
	signal_set_mask(t, SIGBIT(SIGTSTP) | SIGBIT(SIGCONT));
	assert_int_equal(signal_send_tgroup(t->tg, SIGTSTP, NULL), 0);
	assert_true(signal_pending_mask(t) & SIGBIT(SIGTSTP));
	assert_int_equal(signal_send_tgroup(t->tg, SIGCONT, NULL), 0);
	assert_int_equal(signal_pending_mask(t), SIGBIT(SIGCONT));
	assert_int_equal(signal_send_tgroup(t->tg, SIGTSTP, NULL), 0);
	assert_int_equal(signal_pending_mask(t), SIGBIT(SIGTSTP));
}

static void wait_finds_the_right_child_and_takes_it_once(void **state)
{
	struct task *t = process(NULL), *c = process(t);
	struct wait_req q = { .which = CHILD_ANY, .options = WEXITED | WNOHANG };
	int pid = c->tg->tgid;

	(void)state;
	assert_int_equal(task_wait(t, &q), 0);
	mutex_lock(&c->tg->mu);
	c->tg->nthreads = 0;
	mutex_unlock(&c->tg->mu);
	c->tg->zombie = true;
	c->tg->wstatus = 3 << 8;
	q.which = CHILD_PID;
	q.id = pid + 1000;
	assert_int_equal(task_wait(t, &q), -ECHILD);
	q.id = pid;
	q.options |= __WCLONE;
	assert_int_equal(task_wait(t, &q), -ECHILD);
	q.options = WEXITED | WNOHANG | WNOWAIT;
	assert_int_equal(task_wait(t, &q), pid);
	q.options = WEXITED | WNOHANG;
	assert_int_equal(task_wait(t, &q), pid);
	assert_int_equal(q.status, 3 << 8);
	assert_int_equal(task_wait(t, &q), -ECHILD);
	assert_null(task_find(k, pid));
}

static void filters_run_as_bpf_says(void **state)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_STX, 3),
		BPF_STMT(BPF_LD | BPF_MEM, 3),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 10, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 7),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct seccomp_data d = { .nr = 5 };

	(void)state;
	assert_true(bpf_check(f, 8));
	assert_int_equal(bpf_run(f, 8, &d), 6);
	d.nr = 10;
	assert_int_equal(bpf_run(f, 8, &d), 7);
	f[5].jt = 2;
	assert_false(bpf_check(f, 8));
	assert_false(bpf_check(f, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(realtime_signals_queue_and_standard_ones_merge),
		cmocka_unit_test(a_full_queue_refuses_values_but_keeps_kill),
		cmocka_unit_test(ignored_signals_vanish_unless_blocked),
		cmocka_unit_test(a_process_signal_goes_to_a_thread_that_takes_it),
		cmocka_unit_test(a_blocked_process_signal_moves_when_its_thread_blocks_it),
		cmocka_unit_test(a_fatal_signal_kills_all_threads_at_once),
		cmocka_unit_test(init_is_reached_only_by_what_it_handles),
		cmocka_unit_test(continue_and_stop_cancel_each_other),
		cmocka_unit_test(wait_finds_the_right_child_and_takes_it_once),
		cmocka_unit_test(filters_run_as_bpf_says),
	};

	if (alloc_init(1ul << 30) < 0)
		return 1;
	return cmocka_run_group_tests(tests, setup, NULL);
}
