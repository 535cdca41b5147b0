/*
 * json.h - typed access to a JSON file, with errors that name the place.
 *
 * A jnode knows its way up to the document, so that every error reads
 * "FILE: process.args[2]: must be a string, not a number".  Nodes live on the stack of
 * those who walk; strings are copied into the document's pool.  A getter
 * leaves its output alone when the key is absent or null.
 */
#pragma once
#include "platform/base/compiler.h"
#include "runsc-cli/oci/err.h"
#include "runsc-cli/oci/pool.h"

struct json_object;

#define JSON_MAX_BYTES (8u << 20)
#define JSON_MAX_DEPTH 32

struct jdoc {
	const char *file;               /* named in errors */
	struct pool *pool;
	struct err *err;
	struct json_object *root;
};

struct jnode {
	const struct jdoc *doc;
	const struct jnode *up;         /* NULL: the root */
	const char *key;                /* NULL: an array element */
	size_t idx;
	struct json_object *o;
};

enum jtype { J_OBJECT, J_ARRAY, J_STRING, J_INT, J_BOOL };

/* Parse @n bytes.  @err and @pool are kept in @d. 0 or -errno. */
int jdoc_parse(struct jdoc *d, const char *file, const char *text, size_t n, struct pool *pool,
               struct err *err) must_check;
/* Read and parse a file.  @file is kept. */
int jdoc_load(struct jdoc *d, const char *file, struct pool *pool, struct err *err) must_check;
void jdoc_done(struct jdoc *d);
/* The root node, which must be an object. */
int jdoc_root(const struct jdoc *d, struct jnode *ret) must_check;

/* An error at a place: "FILE: PATH: text".  Returns @code. */
int j_fail(const struct jnode *n, int code, const char *fmt, ...) printf_like(3, 4);
int j_nomem(const struct jnode *n);

/* 1 found, 0 absent or null, -EINVAL wrong type. */
int j_get(const struct jnode *n, const char *key, enum jtype type, struct jnode *ret) must_check;
/* Elements of an array: 0 or -EINVAL; null elements are errors. */
size_t j_count(const struct jnode *n);
size_t j_members(const struct jnode *n);        /* of an object */
int j_item(const struct jnode *n, size_t i, enum jtype type, struct jnode *ret) must_check;

/* 1 found, 0 absent, -errno. */
int j_str(const struct jnode *n, const char *key, const char **ret) must_check;
int j_bool(const struct jnode *n, const char *key, bool *ret) must_check;
int j_int(const struct jnode *n, const char *key, s64 lo, s64 hi, s64 *ret) must_check;
int j_u32(const struct jnode *n, const char *key, u32 *ret) must_check;
int j_u64(const struct jnode *n, const char *key, u64 *ret) must_check;
int j_strv(const struct jnode *n, const char *key, const char ***ret, u32 *ret_n) must_check;

struct jpair { const char *key, *value; };
/* An object whose values are all strings. */
int j_pairs(const struct jnode *n, const char *key, struct jpair **ret, u32 *ret_n) must_check;

/* The value of a node that j_item(J_STRING) found. */
int j_string(const struct jnode *n, const char **ret) must_check;
int j_u64_here(const struct jnode *n, u64 *ret) must_check;
