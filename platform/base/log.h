/*
 * log.h - one line per event, to the descriptor that boot chose.
 *
 * The format is runc's (text or JSON).  Library code logs at debug only;
 * things that a guest can trigger go through log_ratelimited().
 */
#pragma once
#include "platform/base/compiler.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_config {
	int fd;                 /* -1: discard */
	enum log_level level;
	bool json;
};

void log_setup(const struct log_config *c);
bool log_enabled(enum log_level level);
void log_msg(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) do { if (log_enabled(LOG_DEBUG)) log_msg(LOG_DEBUG, __VA_ARGS__); } while (0)
/* At most ten a second over the whole process; the rest are counted. */
void log_ratelimited(const char *fmt, ...) printf_like(1, 2);
