/* Threads and futexes: clone, TLS, locks, robust lists, exits. */
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "tests/lib/harness.h"

static long futex(volatile int *addr, int op, int val, const struct timespec *ts, volatile int *addr2, int val3)
{
	return syscall(SYS_futex, addr, op, val, ts, addr2, val3);
}

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static __thread int tls = 5;
static int counter, turn;

static void *add(void *arg)
{
	tls = (int)(long)arg;
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mu);
		counter++;
		pthread_mutex_unlock(&mu);
	}
	return (void *)(long)(tls * 2);
}

TEST(threads_share_memory_and_have_their_own_tls)
{
	pthread_t t[8];
	void *ret;

	for (long i = 0; i < 8; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, add, (void *)i), 0);
	for (long i = 0; i < 8; i++) {
		EXPECT_EQ(pthread_join(t[i], &ret), 0);
		EXPECT_EQ((long)ret, i * 2);
	}
	EXPECT_EQ(counter, 160000);
	EXPECT_EQ(tls, 5);
}

static void *ping(void *arg)
{
	int me = (int)(long)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mu);
		while (turn != me)
			pthread_cond_wait(&cond, &mu);
		turn = !me;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mu);
	}
	return NULL;
}

TEST(condition_variables_hand_over)
{
	pthread_t a, b;

	EXPECT_EQ(pthread_create(&a, NULL, ping, (void *)0), 0);
	EXPECT_EQ(pthread_create(&b, NULL, ping, (void *)1), 0);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	EXPECT_EQ(turn, 0);
}

static void *ids(void *arg)
{
	pid_t *out = arg;

	out[0] = getpid();
	out[1] = gettid();
	return NULL;
}

TEST(threads_have_one_pid_and_own_tids)
{
	pid_t got[2];
	pthread_t t;

	EXPECT_EQ(getpid(), gettid());
	EXPECT_EQ(pthread_create(&t, NULL, ids, got), 0);
	pthread_join(t, NULL);
	EXPECT_EQ(got[0], getpid());
	EXPECT(got[1] != getpid() && got[1] > 0);
}

static void *nothing(void *arg)
{
	return arg;
}

TEST(threads_can_come_and_go_in_thousands)
{
	pthread_t t;

	for (int i = 0; i < 1500; i++) {
		REQUIRE(pthread_create(&t, NULL, nothing, NULL) == 0);
		REQUIRE(pthread_join(t, NULL) == 0);
	}
}

TEST(many_threads_can_be_alive)
{
	enum { N = 100 };
	pthread_attr_t attr;
	pthread_t t[N];

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	counter = 0;
	pthread_mutex_lock(&mu);
	for (int i = 0; i < N; i++)
		REQUIRE(pthread_create(&t[i], &attr, add, NULL) == 0);
	pthread_mutex_unlock(&mu);
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(counter, N * 20000);
}

TEST(futex_wait_compares_first)
{
	struct timespec ts = { 0, 1000000 }, bad = { 0, -1 };
	volatile int word = 1;

	EXPECT_ERR(futex(&word, FUTEX_WAIT, 2, NULL, NULL, 0), EAGAIN);
	EXPECT_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0), EAGAIN);
	EXPECT_ERR(futex(&word, FUTEX_WAIT, 1, &ts, NULL, 0), ETIMEDOUT);
	EXPECT_ERR(futex(&word, FUTEX_WAIT, 1, &bad, NULL, 0), EINVAL);
	EXPECT_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	EXPECT_ERR(futex((int *)((char *)&word + 1), FUTEX_WAIT, 1, NULL, NULL, 0), EINVAL);
	EXPECT_ERR(futex(BAD_PTR, FUTEX_WAIT, 1, NULL, NULL, 0), EFAULT);
	EXPECT_ERR(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
	EXPECT_ERR(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0), EINVAL);
}

TEST(shared_futexes_work_between_processes)
{
	volatile int *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		while (w[0] == 0)
			futex(w, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(w[0]);
	}
	wait_until_asleep(pid);
	w[0] = 6;
	EXPECT_OK(futex(w, FUTEX_WAKE, 10, NULL, NULL, 0));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 6);
}

TEST(shared_futexes_in_files_meet_over_different_mappings)
{
	volatile int *w;
	int status, fd = open("f", O_RDWR | O_CREAT, 0600);
	pid_t pid;

	EXPECT_OK(ftruncate(fd, 8192));
	pid = fork();
	if (pid == 0) {
		w = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		while (w[1030] == 0)
			futex(w + 1030, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(w[1030]);
	}
	w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	REQUIRE(w != MAP_FAILED);
	wait_until_asleep(pid);
	w[6] = 8;
	EXPECT_OK(futex(w + 6, FUTEX_WAKE, 10, NULL, NULL, 0));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 8);
}

static volatile int w1, w2;
static volatile pid_t tids[3];

static void *wait_w1(void *arg)
{
	long i = (long)arg;

	tids[i] = gettid();
	futex(&w1, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

TEST(requeue_moves_waiters)
{
	pthread_t t[3];
	int n;

	for (long i = 0; i < 3; i++) {
		EXPECT_EQ(pthread_create(&t[i], NULL, wait_w1, (void *)i), 0);
		while (!tids[i])
			sleep_ms(1);
		wait_until_asleep(tids[i]);
	}
	EXPECT_ERR(syscall(SYS_futex, &w1, FUTEX_CMP_REQUEUE_PRIVATE, 1, 10L, &w2, 7), EAGAIN);
	EXPECT_EQ(syscall(SYS_futex, &w1, FUTEX_CMP_REQUEUE_PRIVATE, 1, 10L, &w2, 0), 3);
	EXPECT_EQ(futex(&w1, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
	n = (int)futex(&w2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0);
	EXPECT_EQ(n, 2);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

static void ignore(int sig)
{
	(void)sig;
}

TEST(a_handler_interrupts_a_futex_wait)
{
	sem_t sem;
	pid_t me = getpid();

	struct sigaction sa = { .sa_handler = ignore };

	sigaction(SIGUSR1, &sa, NULL);
	sem_init(&sem, 0, 0);
	if (fork() == 0) {
		wait_until_asleep(me);
		kill(me, SIGUSR1);
		_exit(0);
	}
	EXPECT_ERR(sem_wait(&sem), EINTR);
	wait(NULL);
}

static void *die_holding(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static pthread_mutex_t *shared_pi_mutex(bool robust)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;

	REQUIRE(m != MAP_FAILED);
	pthread_mutexattr_init(&a);
	REQUIRE(pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED) == 0);
	REQUIRE(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT) == 0);
	if (robust)
		REQUIRE(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) == 0);
	REQUIRE(pthread_mutex_init(m, &a) == 0);
	return m;
}

TEST(pi_mutexes_are_handed_between_processes)
{
	pthread_mutex_t *m = shared_pi_mutex(false);
	volatile int *n = (volatile int *)((char *)m + 1024);
	int status;

	for (int i = 0; i < 3; i++)
		if (fork() == 0) {
			for (int k = 0; k < 200; k++) {
				if (pthread_mutex_lock(m) != 0)
					_exit(1);
				n[0]++;
				if (k % 50 == 0)
					usleep(1000);
				pthread_mutex_unlock(m);
			}
			_exit(0);
		}
	for (int i = 0; i < 3; i++) {
		REQUIRE(wait(&status) > 0);
		EXPECT_EQ(status, 0);
	}
	EXPECT_EQ(n[0], 600);
}

TEST(robust_pi_mutexes_wake_a_waiter_when_the_owner_dies)
{
	pthread_mutex_t *m = shared_pi_mutex(true);
	volatile char *held = (volatile char *)m + 1024;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		pthread_mutex_lock(m);
		*held = 1;
		usleep(50000);
		_exit(0);
	}
	while (!*held)
		usleep(1000);
	status = pthread_mutex_lock(m);
	EXPECT(status == EOWNERDEAD);
	EXPECT_EQ(pthread_mutex_consistent(m), 0);
	EXPECT_EQ(pthread_mutex_unlock(m), 0);
	waitpid(pid, &status, 0);
	EXPECT_EQ(pthread_mutex_lock(m), 0);
	EXPECT_EQ(pthread_mutex_unlock(m), 0);
}

TEST(robust_mutexes_tell_that_their_owner_died)
{
	pthread_mutexattr_t a;
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(m, &a);
	EXPECT_EQ(pthread_create(&t, NULL, die_holding, m), 0);
	pthread_join(t, NULL);
	EXPECT_EQ(pthread_mutex_lock(m), EOWNERDEAD);
	EXPECT_EQ(pthread_mutex_consistent(m), 0);
	pthread_mutex_unlock(m);
	if (fork() == 0) {
		pthread_mutex_lock(m);
		_exit(0);
	}
	wait(NULL);
	EXPECT_EQ(pthread_mutex_lock(m), EOWNERDEAD);
}

TEST(pi_operations_take_no_clock_but_one)
{
	volatile int word = 0;

	EXPECT_ERR(futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	EXPECT_ERR(futex(&word, FUTEX_TRYLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	EXPECT_ERR(futex(&word, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	EXPECT_EQ(word, 0);
}

TEST(priority_inheritance_mutexes_lock)
{
	pthread_mutexattr_t a;
	pthread_mutex_t m;
	pthread_t t[4];

	pthread_mutexattr_init(&a);
	EXPECT_EQ(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT), 0);
	EXPECT_EQ(pthread_mutex_init(&m, &a), 0);
	EXPECT_EQ(pthread_mutex_lock(&m), 0);
	EXPECT_EQ(pthread_create(&t[0], NULL, die_holding, &m), 0);
	sleep_ms(20);
	EXPECT_EQ(pthread_mutex_unlock(&m), 0);
	pthread_join(t[0], NULL);
}

static void *exit_all(void *arg)
{
	(void)arg;
	exit(23);
}

TEST(exit_in_any_thread_ends_all)
{
	int status;
	pthread_t t;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_create(&t, NULL, exit_all, NULL);
		for (;;)
			pause();
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 23);
}

static void *late(void *arg)
{
	sleep_ms(50);
	_exit((int)(long)arg);
}

TEST(the_leader_may_leave_first)
{
	int status;
	pthread_t t;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_create(&t, NULL, late, (void *)31);
		syscall(SYS_exit, 5);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 31);
}

static void *spin(void *arg)
{
	while (!*(volatile int *)arg)
		;
	return NULL;
}

TEST(a_killed_process_takes_spinning_threads_along)
{
	int zero = 0, status;
	pthread_t t;
	pid_t pid = fork();

	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			pthread_create(&t, NULL, spin, &zero);
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(threads_can_fork)
{
	pthread_t t;
	int status, one = 1;
	pid_t pid;

	EXPECT_EQ(pthread_create(&t, NULL, late, (void *)0), 0);
	pid = fork();
	if (pid == 0)
		_exit(spin(&one) ? 1 : 4);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 4);
}

TEST(clone_checks_its_flags)
{
	EXPECT_ERR(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

TEST(clone_settid_and_cleartid_write_the_words)
{
	static volatile pid_t parent_tid, child_tid;
	int status;
	long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0,
			   &parent_tid, &child_tid, 0);

	if (pid == 0)
		_exit(child_tid == getpid() ? 0 : 1);
	EXPECT_EQ(parent_tid, pid);
	EXPECT_EQ(waitpid((pid_t)pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(clone3_makes_processes_with_pidfds)
{
	struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; } a = {
		.flags = CLONE_PIDFD, .exit_signal = SIGCHLD,
	};
	int fd = -1, status;
	long pid;

	a.pidfd = (uint64_t)&fd;
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid == 0)
		_exit(12);
	if (pid < 0 && errno == ENOSYS)
		SKIP("clone3");
	REQUIRE_OK(pid);
	EXPECT_OK(fd);
	EXPECT_EQ(waitpid((pid_t)pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 12);
	EXPECT_ERR(syscall(SYS_clone3, &a, 8), EINVAL);
	a.flags = 1ull << 60;
	EXPECT_ERR(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
}

TEST(names_belong_to_threads)
{
	char name[17] = "";

	EXPECT_OK(prctl(PR_SET_NAME, "a name that is too long"));
	EXPECT_OK(prctl(PR_GET_NAME, name));
	EXPECT_STR(name, "a name that is ");
	EXPECT_STR(get_file("/proc/self/comm"), "a name that is \n");
}

static pthread_barrier_t all_there;

static void *leaf(void *arg)
{
	pthread_barrier_wait(&all_there);
	return arg;
}

static void *branch(void *arg)
{
	pthread_t t[7];
	long sum = 0;

	for (long i = 0; i < 7; i++)
		REQUIRE(pthread_create(&t[i], NULL, leaf, (void *)(i + 1)) == 0);
	pthread_barrier_wait(&all_there);
	for (int i = 0; i < 7; i++) {
		void *r;

		REQUIRE(pthread_join(t[i], &r) == 0);
		sum += (long)r;
	}
	EXPECT_EQ(sum, 28);
	return arg;
}

static void grow_at_once(void)
{
	pthread_t t[6];

	pthread_barrier_init(&all_there, NULL, 6 * 8);
	for (int i = 0; i < 6; i++)
		REQUIRE(pthread_create(&t[i], NULL, branch, NULL) == 0);
	for (int i = 0; i < 6; i++)
		REQUIRE(pthread_join(t[i], NULL) == 0);
}

TEST(many_threads_make_threads_at_once)
{
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(in_child(grow_at_once), 0);
}

TEST_MAIN()
