/* Calls that take long: they keep nobody else waiting. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include "tests/lib/harness.h"

#define PART (1ul << 20)
#define PARTS 256ul

static volatile sig_atomic_t signalled;
static _Atomic int started;

static void on_signal(int sig)
{
	(void)sig;
	signalled = 1;
}

static void *sender(void *main_thread)
{
	while (!started)
		sched_yield();
	pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
	return NULL;
}

/* A quarter of a gigabyte to write to, of which there is one MiB. */
static char *wide(void)
{
	int fd = memfd_create("part", 0);
	char *p = mmap(NULL, PART * PARTS, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	REQUIRE_OK(fd);
	REQUIRE_OK(ftruncate(fd, (off_t)PART));
	REQUIRE(p != MAP_FAILED);
	for (unsigned long i = 0; i < PARTS; i++)
		REQUIRE(mmap(p + i * PART, PART, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
	return p;
}

/* The signal may come between two calls: then it is tried again. */
TEST(another_thread_can_interrupt_a_long_call)
{
	pthread_t self = pthread_self(), t;
	char *p = wide();
	ssize_t n = 0;

	signal(SIGUSR1, on_signal);
	for (int tries = 0; tries < 20; tries++) {
		signalled = started = 0;
		REQUIRE(pthread_create(&t, NULL, sender, &self) == 0);
		started = 1;
		do
			n = getrandom(p, PART * PARTS, 0);
		while (!signalled);
		pthread_join(t, NULL);
		if (n < (ssize_t)(PART * PARTS))
			break;
	}
	EXPECT(n < (ssize_t)(PART * PARTS));
	EXPECT(n > 0 || errno == EINTR);
}

TEST_MAIN()
