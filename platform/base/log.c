/*
 * log.c - format one event as runc does and write it with one write().
 *
 * Lines are built in a stack buffer, so that logging works when memory is
 * gone and two threads never interleave.  What does not fit is cut.  The only
 * file-scope state is the configuration, set once by boot, and the counters
 * of the rate limit.
 */
#include "platform/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define MSG_MAX_BYTES  1536
#define RATE_PER_SECOND 10

static struct log_config config = { .fd = -1, .level = LOG_WARN };

static struct {
	_Atomic s64 second;
	_Atomic u32 in_second;
	_Atomic u64 dropped;
} rate;

void log_setup(const struct log_config *c)
{
	config = *c;
}

bool log_enabled(enum log_level level)
{
	return config.fd >= 0 && level <= config.level;
}

/* Append the quoted form of @s; control characters become escapes in both formats. */
static size_t put_quoted(char *out, size_t cap, const char *s, bool json)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	out[n++] = '"';
	for (; *s && n + 8 < cap; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = (char)c;
		} else if (c == '\n') {
			out[n++] = '\\';
			out[n++] = 'n';
		} else if (c < 0x20 || c == 0x7f) {
			out[n++] = '\\';
			out[n++] = json ? 'u' : 'x';
			if (json) {
				out[n++] = '0';
				out[n++] = '0';
			}
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 15];
		} else {
			out[n++] = (char)c;
		}
	}
	out[n++] = '"';
	return n;
}

static size_t put_time(char *out, size_t cap)
{
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	return strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static const char *level_name(enum log_level level)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	return names[level <= LOG_DEBUG ? level : LOG_DEBUG];
}

static void emit(enum log_level level, const char *msg)
{
	char line[LINE_MAX_BYTES], when[32];
	size_t n = 0;
	int r;

	when[put_time(when, sizeof(when) - 1)] = '\0';
	if (config.json)
		r = snprintf(line, sizeof(line), "{\"level\":\"%s\",\"msg\":", level_name(level));
	else
		r = snprintf(line, sizeof(line), "time=\"%s\" level=%s msg=", when, level_name(level));
	n += (size_t)r;
	n += put_quoted(line + n, sizeof(line) - n - 64, msg, config.json);
	if (config.json)
		n += (size_t)snprintf(line + n, sizeof(line) - n, ",\"time\":\"%s\"}", when);
	line[n++] = '\n';
	if (write(config.fd, line, n) < 0)
		return;         /* nowhere to complain to */
}

static void vlog(enum log_level level, const char *fmt, va_list ap) printf_like(2, 0);
static void vlog(enum log_level level, const char *fmt, va_list ap)
{
	char msg[MSG_MAX_BYTES];

	vsnprintf(msg, sizeof(msg), fmt, ap);
	emit(level, msg);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	vlog(level, fmt, ap);
	va_end(ap);
}

/* True when this second still has room; on a new second says what was dropped. */
static bool rate_allows(void)
{
	struct timespec ts;
	s64 was;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	was = atomic_load(&rate.second);
	if (was != ts.tv_sec && atomic_compare_exchange_strong(&rate.second, &was, (s64)ts.tv_sec)) {
		u64 dropped = atomic_exchange(&rate.dropped, 0);

		atomic_store(&rate.in_second, 0);
		if (dropped > 0)
			log_warn("%llu messages dropped by the rate limit", (unsigned long long)dropped);
	}
	if (atomic_fetch_add(&rate.in_second, 1) < RATE_PER_SECOND)
		return true;
	atomic_fetch_add(&rate.dropped, 1);
	return false;
}

void log_ratelimited(const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(LOG_WARN) || !rate_allows())
		return;
	va_start(ap, fmt);
	vlog(LOG_WARN, fmt, ap);
	va_end(ap);
}
