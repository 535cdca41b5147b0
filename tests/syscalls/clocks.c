/* Clocks, sleeping, timers. */
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include "tests/lib/harness.h"

static long long now_ns(clockid_t c)
{
	struct timespec ts;

	REQUIRE_OK(clock_gettime(c, &ts));
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static volatile sig_atomic_t count;

static void on_signal(int sig)
{
	(void)sig;
	count++;
}

TEST(clocks_run_and_agree)
{
	static const clockid_t all[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID,
	};
	struct timespec ts;
	struct timeval tv;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		long long a = now_ns(all[i]), b = now_ns(all[i]);

		EXPECT(b >= a);
		EXPECT_OK(syscall(SYS_clock_gettime, all[i], &ts));
		EXPECT(ts.tv_sec * 1000000000ll + ts.tv_nsec >= b);
		EXPECT_OK(clock_getres(all[i], &ts));
		EXPECT(ts.tv_sec == 0 && ts.tv_nsec > 0);
	}
	EXPECT_OK(gettimeofday(&tv, NULL));
	EXPECT(llabs(tv.tv_sec - time(NULL)) <= 2);
	EXPECT(syscall(SYS_time, NULL) >= tv.tv_sec);
	EXPECT_ERR(clock_gettime(99, &ts), EINVAL);
	EXPECT_ERR(syscall(SYS_clock_gettime, CLOCK_REALTIME, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_clock_getres, 99, &ts), EINVAL);
}

TEST(monotonic_never_goes_back)
{
	long long last = now_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < 100000; i++) {
		long long n = now_ns(CLOCK_MONOTONIC);

		if (n < last) {
			FAIL("%lld after %lld", n, last);
			break;
		}
		last = n;
	}
}

TEST(sleeping_lasts_at_least_as_long)
{
	struct timespec ts = { 0, 20000000 }, bad = { 0, 1000000000 }, neg = { -1, 0 };
	long long start = now_ns(CLOCK_MONOTONIC);

	EXPECT_OK(nanosleep(&ts, NULL));
	EXPECT(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	EXPECT_ERR(nanosleep(&bad, NULL), EINVAL);
	EXPECT_ERR(nanosleep(&neg, NULL), EINVAL);
	EXPECT_ERR(syscall(SYS_nanosleep, BAD_PTR, NULL), EFAULT);
	start = now_ns(CLOCK_MONOTONIC);
	ts.tv_sec = start / 1000000000;
	ts.tv_nsec = start % 1000000000;
	EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);       /* past */
	start += 20000000;
	ts.tv_sec = start / 1000000000;
	ts.tv_nsec = start % 1000000000;
	EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	EXPECT(now_ns(CLOCK_MONOTONIC) >= start);
	EXPECT_EQ(clock_nanosleep(99, 0, &ts, NULL), EINVAL);
	EXPECT_EQ(clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){ 0, 1 }, NULL), 0);
}

TEST(an_interrupted_sleep_tells_what_is_left)
{
	struct timespec ts = { 100, 0 }, left = { 0, 0 };
	pid_t me = getpid();
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	if (fork() == 0) {
		wait_until_asleep(me);
		kill(me, SIGUSR1);
		_exit(0);
	}
	EXPECT_ERR(nanosleep(&ts, &left), EINTR);
	EXPECT(left.tv_sec > 0 && left.tv_sec < 100);
	wait(NULL);
}

TEST(a_stop_does_not_shorten_a_sleep)
{
	struct timespec ts = { 0, 200000000 };
	long long start = now_ns(CLOCK_MONOTONIC);
	pid_t me = getpid();

	if (fork() == 0) {
		sleep_ms(30);
		kill(me, SIGSTOP);
		sleep_ms(30);
		kill(me, SIGCONT);
		_exit(0);
	}
	EXPECT_OK(nanosleep(&ts, NULL));
	EXPECT(now_ns(CLOCK_MONOTONIC) - start >= 200000000);
	wait(NULL);
}

TEST(alarm_and_itimers_fire)
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } }, old;

	signal(SIGALRM, on_signal);
	EXPECT_EQ(alarm(100), 60);      /* the harness's */
	EXPECT_OK(getitimer(ITIMER_REAL, &old));
	EXPECT(old.it_value.tv_sec > 0 && old.it_value.tv_sec <= 100);
	EXPECT_OK(setitimer(ITIMER_REAL, &it, &old));
	EXPECT(old.it_value.tv_sec > 0);
	while (count < 3)
		pause();
	memset(&it, 0, sizeof(it));
	EXPECT_OK(setitimer(ITIMER_REAL, &it, NULL));
	EXPECT_OK(getitimer(ITIMER_REAL, &old));
	EXPECT_EQ(old.it_value.tv_sec + old.it_value.tv_usec, 0);
	it.it_value.tv_usec = 1000000;
	EXPECT_ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
	EXPECT_ERR(setitimer(9, &it, NULL), EINVAL);
	signal(SIGALRM, SIG_DFL);
	alarm(60);
}

TEST(cpu_timers_fire_while_computing)
{
	struct itimerval it = { { 0, 0 }, { 0, 20000 } };

	signal(SIGVTALRM, on_signal);
	signal(SIGPROF, on_signal);
	EXPECT_OK(setitimer(ITIMER_VIRTUAL, &it, NULL));
	EXPECT_OK(setitimer(ITIMER_PROF, &it, NULL));
	while (count < 2)
		;
}

TEST(posix_timers_signal_and_overrun)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec it = { { 0, 1000000 }, { 0, 1000000 } }, cur;
	siginfo_t si;
	sigset_t set;
	timer_t t;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ev.sigev_value.sival_int = 77;
	REQUIRE_OK(timer_create(CLOCK_MONOTONIC, &ev, &t));
	EXPECT_OK(timer_settime(t, 0, &it, NULL));
	sleep_ms(20);
	EXPECT_EQ(sigwaitinfo(&set, &si), SIGRTMIN);
	EXPECT_EQ(si.si_code, SI_TIMER);
	EXPECT_EQ(si.si_value.sival_int, 77);
	EXPECT(timer_getoverrun(t) > 0);
	EXPECT_OK(timer_gettime(t, &cur));
	EXPECT_EQ(cur.it_interval.tv_nsec, 1000000);
	EXPECT_OK(timer_delete(t));
	EXPECT_ERR(syscall(SYS_timer_gettime, 12345, &cur), EINVAL);
	EXPECT_ERR(syscall(SYS_timer_delete, 12345), EINVAL);
	EXPECT_ERR(timer_create(99, &ev, &t), EINVAL);
}

TEST(timerfd_counts_expirations)
{
	struct itimerspec it = { { 0, 2000000 }, { 0, 2000000 } }, cur;
	uint64_t n = 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	REQUIRE_OK(fd);
	EXPECT_ERR(read(fd, &n, 8), EAGAIN);
	EXPECT_OK(timerfd_settime(fd, 0, &it, NULL));
	sleep_ms(20);
	EXPECT_EQ(read(fd, &n, 8), 8);
	EXPECT(n >= 2);
	EXPECT_ERR(read(fd, &n, 4), EINVAL);
	EXPECT_OK(timerfd_gettime(fd, &cur));
	EXPECT_EQ(cur.it_interval.tv_nsec, 2000000);
	EXPECT_OK(fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(read(fd, &n, 8), 8);
	memset(&it, 0, sizeof(it));
	EXPECT_OK(timerfd_settime(fd, 0, &it, NULL));
	EXPECT_OK(timerfd_gettime(fd, &cur));
	EXPECT_EQ(cur.it_value.tv_sec + cur.it_value.tv_nsec, 0);
	it.it_value.tv_nsec = 1;
	EXPECT_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL));   /* long ago */
	EXPECT_EQ(read(fd, &n, 8), 8);
	EXPECT_EQ(n, 1);
	EXPECT_ERR(timerfd_create(99, 0), EINVAL);
	EXPECT_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	EXPECT_ERR(timerfd_settime(0, 0, &it, NULL), EINVAL);
	EXPECT_ERR(timerfd_settime(BAD_FD, 0, &it, NULL), EBADF);
}

TEST(cpu_time_is_accounted)
{
	struct tms tms;
	long long a = now_ns(CLOCK_PROCESS_CPUTIME_ID);

	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < 30000000)
		for (volatile int i = 0; i < 10000; i++)
			;
	EXPECT(now_ns(CLOCK_PROCESS_CPUTIME_ID) > a);
	EXPECT(times(&tms) != (clock_t)-1);
	EXPECT(tms.tms_utime + tms.tms_stime > 0);
}

TEST(alarm_clocks_are_for_those_who_may_wake_the_machine)
{
	struct timespec ts = { 0, 1000000 };
	timer_t id;

	if (timer_create(CLOCK_BOOTTIME_ALARM, NULL, &id) < 0 && errno == EOPNOTSUPP)
		SKIP("no clock that could wake this machine");
	EXPECT_OK(timer_create(CLOCK_REALTIME_ALARM, NULL, &id));
	EXPECT_OK(timer_delete(id));
	EXPECT_OK(syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME_ALARM, 0, &ts, NULL));
	EXPECT_OK(setresuid(1000, 1000, 1000));
	EXPECT_ERR(timer_create(CLOCK_REALTIME_ALARM, NULL, &id), EPERM);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME_ALARM, 0, &ts, NULL), EPERM);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EOPNOTSUPP);
}

static void burn_until(volatile sig_atomic_t *flag)
{
	while (!*flag)
		;
}

static volatile sig_atomic_t alarmed;
static void note_alarm(int sig) { alarmed = sig; }

TEST(thread_clock_timers_are_never_early)
{
	struct itimerspec its = { .it_value = { 0, 30000000 } };
	struct timespec then, now;
	timer_t id;

	signal(SIGALRM, note_alarm);
	EXPECT_OK(timer_create(CLOCK_THREAD_CPUTIME_ID, NULL, &id));
	for (int i = 0; i < 3; i++) {
		alarmed = 0;
		EXPECT_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &then));
		EXPECT_OK(timer_settime(id, 0, &its, NULL));
		burn_until(&alarmed);
		EXPECT_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
		EXPECT((now.tv_sec - then.tv_sec) * 1000000000l + now.tv_nsec - then.tv_nsec >= 30000000);
	}
}

TEST(timers_can_follow_another_process)
{
	struct itimerspec its = { .it_value = { 0, 20000000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	clockid_t clock;
	timer_t id;
	pid_t kid;

	signal(SIGALRM, note_alarm);
	alarmed = 0;
	kid = fork();
	if (kid == 0)
		for (;;)
			;
	EXPECT_EQ(clock_getcpuclockid(kid, &clock), 0);
	EXPECT_OK(timer_create(clock, &ev, &id));
	EXPECT_OK(timer_settime(id, 0, &its, NULL));
	while (!alarmed)
		sleep_ms(1);
	EXPECT_EQ(alarmed, SIGALRM);
	kill(kid, SIGKILL);
	wait(NULL);
	EXPECT_ERR(timer_create(clock, &ev, &id), EINVAL);
}

TEST_MAIN()
