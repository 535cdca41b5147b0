/*
 * compiler.h - attributes and the few macros that every layer uses.
 *
 * No control flow hides in a macro, and nothing here knows a host or a guest.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t  u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t  s16;
typedef int32_t  s32;
typedef int64_t  s64;

#define must_check          __attribute__((warn_unused_result))
#define cleanup_with(f)     __attribute__((cleanup(f)))
#define printf_like(a, b)   __attribute__((format(printf, a, b)))
#define noreturn_fn         __attribute__((noreturn))
/* A large array on the stack that is written before it is read: not worth zeroing. */
#define no_init             __attribute__((uninitialized))
#define unused_ok           __attribute__((unused))

#define likely(x)           __builtin_expect(!!(x), 1)
#define unlikely(x)         __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a)       (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)           ((a) < (b) ? (a) : (b))
#define MAX(a, b)           ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a)      (((x) + ((a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a)    ((x) & ~((__typeof__(x))(a) - 1))
#define container_of(p, T, m) ((T *)((char *)(p) - offsetof(T, m)))

/* Checked arithmetic: true when the result does not fit. */
#define add_overflows(a, b, r) __builtin_add_overflow(a, b, r)
#define sub_overflows(a, b, r) __builtin_sub_overflow(a, b, r)
#define mul_overflows(a, b, r) __builtin_mul_overflow(a, b, r)

/* Lock annotations, checked by clang's -Wthread-safety; words for the reader elsewhere. */
#ifdef __clang__
#define CAPABILITY(x)       __attribute__((capability(x)))
#define ACQUIRES(...)       __attribute__((acquire_capability(__VA_ARGS__)))
#define RELEASES(...)       __attribute__((release_capability(__VA_ARGS__)))
#define REQUIRES(...)       __attribute__((requires_capability(__VA_ARGS__)))
#define EXCLUDES(...)       __attribute__((locks_excluded(__VA_ARGS__)))
#define NO_TSA              __attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY(x)
#define ACQUIRES(...)
#define RELEASES(...)
#define REQUIRES(...)
#define EXCLUDES(...)
#define NO_TSA
#endif
#define GUARDED_BY(x)       /* for the reader: clang 14 cannot name a sibling field in C */

/*
 * Guest values have guest types: a guest address cannot be dereferenced and
 * a host descriptor cannot be mistaken for a guest's.
 */
typedef struct { u64 v; } gaddr_t;          /* an address in an application */
typedef struct { int fd; } hostfd_t;        /* a descriptor of this process; -1 = none */

#define GADDR(x)            ((gaddr_t){ (u64)(x) })
#define HOSTFD(x)           ((hostfd_t){ (x) })
#define HOSTFD_NONE         ((hostfd_t){ -1 })

static inline gaddr_t gaddr_add(gaddr_t a, u64 n) { return GADDR(a.v + n); }
