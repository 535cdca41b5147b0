/*
 * json.c - see json.h.  The parser is json-c, strict, with a depth and a size limit.
 */
#include "runsc-cli/oci/json.h"
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "platform/base/alloc.h"

int jdoc_parse(struct jdoc *d, const char *file, const char *text, size_t n, struct pool *pool,
               struct err *err)
{
	struct json_tokener *tok;
	enum json_tokener_error je;
	size_t end, line = 1;

	*d = (struct jdoc){ .file = file, .pool = pool, .err = err };
	if (n > JSON_MAX_BYTES)
		return err_set(err, -EFBIG, "%s: %zu bytes are too many, at most %u are read", file, n, JSON_MAX_BYTES);
	tok = json_tokener_new_ex(JSON_MAX_DEPTH);
	if (!tok)
		return err_set(err, -ENOMEM, "%s: no memory to parse it", file);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	d->root = json_tokener_parse_ex(tok, text, (int)n);
	je = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	while (je == json_tokener_success && end < n && strchr(" \t\r\n", text[end]) && text[end])
		end++;
	if (je == json_tokener_success && end == n && d->root)
		return 0;
	for (size_t i = 0; i < end && i < n; i++)
		line += text[i] == '\n';
	jdoc_done(d);
	if (je == json_tokener_continue || n == 0)
		return err_set(err, -EINVAL, "%s: not valid JSON: the text ends too early; is the file complete?", file);
	return err_set(err, -EINVAL, "%s: not valid JSON: line %zu: %s", file, line,
	               je == json_tokener_success ? "text after the end of the value" : json_tokener_error_desc(je));
}

static int read_all(const char *file, int fd, char **ret, size_t *ret_n, struct err *err)
{
	size_t n = 0, cap = 0;
	char *buf = NULL;

	for (;;) {
		ssize_t r;

		if (n == cap) {
			char *b = kbuf_realloc(buf, cap ? cap * 2 : 65536);

			if (!b)
				goto nomem;
			buf = b;
			cap = cap ? cap * 2 : 65536;
		}
		r = read(fd, buf + n, cap - n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			r = -errno;
			kfree(buf);
			return err_sys(err, (int)r, "%s: cannot read", file);
		}
		if (r == 0)
			break;
		n += (size_t)r;
		if (n > JSON_MAX_BYTES)
			break;
	}
	*ret = buf;
	*ret_n = n;
	return 0;
nomem:
	kfree(buf);
	return err_set(err, -ENOMEM, "%s: no memory to read it", file);
}

int jdoc_load(struct jdoc *d, const char *file, struct pool *pool, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t n;
	char *text;
	int r;

	if (fd < 0)
		return err_sys(err, -errno, "cannot open %s (does --bundle name the right directory?)", file);
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		close(fd);
		return err_set(err, -EISDIR, "%s: is not a file", file);
	}
	r = read_all(file, fd, &text, &n, err);
	close(fd);
	if (r < 0)
		return r;
	r = jdoc_parse(d, file, text, n, pool, err);
	kfree(text);
	return r;
}

void jdoc_done(struct jdoc *d)
{
	json_object_put(d->root);
	d->root = NULL;
}

static const char *type_name(enum json_type t)
{
	switch (t) {
	case json_type_null: return "null";
	case json_type_boolean: return "a boolean";
	case json_type_double: return "a fraction";
	case json_type_int: return "a number";
	case json_type_object: return "an object";
	case json_type_array: return "an array";
	case json_type_string: return "a string";
	}
	return "?";
}

static const struct { enum json_type t; const char *name; } wanted[] = {
	[J_OBJECT] = { json_type_object, "an object" },
	[J_ARRAY] = { json_type_array, "an array" },
	[J_STRING] = { json_type_string, "a string" },
	[J_INT] = { json_type_int, "an integer" },
	[J_BOOL] = { json_type_boolean, "true or false" },
};

/* "linux.resources.memory.limit": written from the far end, as the chain runs upwards. */
static const char *node_path(const struct jnode *n, char *buf, size_t cap)
{
	size_t at = cap - 1;
	char part[300];

	buf[at] = 0;
	for (; n->up; n = n->up) {
		int len = n->key ? snprintf(part, sizeof(part), "%s%.256s", n->up->up ? "." : "", n->key)
		                 : snprintf(part, sizeof(part), "[%zu]", n->idx);

		if (len < 0 || (size_t)len >= sizeof(part) || (size_t)len > at)
			break;
		at -= (size_t)len;
		memcpy(buf + at, part, (size_t)len);
	}
	return buf[at] ? buf + at : "the top";
}

int j_fail(const struct jnode *n, int code, const char *fmt, ...)
{
	char text[1024], path[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(n->doc->err, code, "%s: %s: %s", n->doc->file, node_path(n, path, sizeof(path)), text);
}

int j_nomem(const struct jnode *n)
{
	return j_fail(n, -ENOMEM, "no memory");
}

static int check_type(const struct jnode *n, enum jtype type)
{
	enum json_type t = json_object_get_type(n->o);

	if (t == wanted[type].t)
		return 0;
	return j_fail(n, -EINVAL, "must be %s, not %s", wanted[type].name, type_name(t));
}

int jdoc_root(const struct jdoc *d, struct jnode *ret)
{
	*ret = (struct jnode){ .doc = d, .o = d->root };
	return check_type(ret, J_OBJECT);
}

int j_get(const struct jnode *n, const char *key, enum jtype type, struct jnode *ret)
{
	struct json_object *o;
	int r;

	if (!json_object_object_get_ex(n->o, key, &o) || !o)
		return 0;
	*ret = (struct jnode){ .doc = n->doc, .up = n, .key = key, .o = o };
	r = check_type(ret, type);
	return r < 0 ? r : 1;
}

size_t j_count(const struct jnode *n)
{
	return json_object_array_length(n->o);
}

size_t j_members(const struct jnode *n)
{
	return (size_t)json_object_object_length(n->o);
}

int j_item(const struct jnode *n, size_t i, enum jtype type, struct jnode *ret)
{
	*ret = (struct jnode){ .doc = n->doc, .up = n, .idx = i, .o = json_object_array_get_idx(n->o, i) };
	return check_type(ret, type);
}

int j_string(const struct jnode *n, const char **ret)
{
	const char *s = json_object_get_string(n->o);
	size_t len = (size_t)json_object_get_string_len(n->o);
	char *copy;

	if (strlen(s) != len)
		return j_fail(n, -EINVAL, "holds a NUL character (\\u0000), which no Linux string can");
	copy = pool_strndup(n->doc->pool, s, len);
	if (!copy)
		return j_nomem(n);
	*ret = copy;
	return 0;
}

int j_str(const struct jnode *n, const char *key, const char **ret)
{
	struct jnode c;
	int r = j_get(n, key, J_STRING, &c);

	if (r > 0)
		r = j_string(&c, ret) < 0 ? c.doc->err->code : 1;
	return r;
}

int j_bool(const struct jnode *n, const char *key, bool *ret)
{
	struct jnode c;
	int r = j_get(n, key, J_BOOL, &c);

	if (r > 0)
		*ret = json_object_get_boolean(c.o);
	return r;
}

int j_int(const struct jnode *n, const char *key, s64 lo, s64 hi, s64 *ret)
{
	struct jnode c;
	int r = j_get(n, key, J_INT, &c);
	s64 v;

	if (r <= 0)
		return r;
	v = json_object_get_int64(c.o);
	if (v < lo || v > hi || (v == INT64_MAX && json_object_get_uint64(c.o) > (u64)INT64_MAX))
		return j_fail(&c, -ERANGE, "%s is not between %lld and %lld", json_object_get_string(c.o),
		              (long long)lo, (long long)hi);
	*ret = v;
	return 1;
}

int j_u32(const struct jnode *n, const char *key, u32 *ret)
{
	s64 v = 0;
	int r = j_int(n, key, 0, UINT32_MAX, &v);

	if (r > 0)
		*ret = (u32)v;
	return r;
}

int j_u64_here(const struct jnode *n, u64 *ret)
{
	if (json_object_get_int64(n->o) < 0)
		return j_fail(n, -ERANGE, "%s must not be negative", json_object_get_string(n->o));
	*ret = json_object_get_uint64(n->o);
	return 1;
}

int j_u64(const struct jnode *n, const char *key, u64 *ret)
{
	struct jnode c;
	int r = j_get(n, key, J_INT, &c);

	return r > 0 ? j_u64_here(&c, ret) : r;
}

int j_strv(const struct jnode *n, const char *key, const char ***ret, u32 *ret_n)
{
	struct jnode a, c;
	int r = j_get(n, key, J_ARRAY, &a);
	const char **v;
	size_t cnt;

	if (r <= 0)
		return r;
	cnt = j_count(&a);
	v = pool_alloc(n->doc->pool, cnt + 1, sizeof(*v));
	if (!v)
		return j_nomem(&a);
	for (size_t i = 0; i < cnt; i++) {
		r = j_item(&a, i, J_STRING, &c);
		if (r == 0)
			r = j_string(&c, &v[i]);
		if (r < 0)
			return r;
	}
	*ret = v;
	*ret_n = (u32)cnt;
	return 1;
}

int j_pairs(const struct jnode *n, const char *key, struct jpair **ret, u32 *ret_n)
{
	struct json_object_iterator it, end;
	struct jpair *v;
	struct jnode a;
	u32 i = 0;
	int r = j_get(n, key, J_OBJECT, &a);

	if (r <= 0)
		return r;
	v = pool_alloc(n->doc->pool, (size_t)json_object_object_length(a.o) + 1, sizeof(*v));
	if (!v)
		return j_nomem(&a);
	end = json_object_iter_end(a.o);
	for (it = json_object_iter_begin(a.o); !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
		const char *k = json_object_iter_peek_name(&it);
		struct jnode c = { .doc = n->doc, .up = &a, .key = k, .o = json_object_iter_peek_value(&it) };

		r = check_type(&c, J_STRING);
		if (r == 0)
			r = j_string(&c, &v[i].value);
		if (r < 0)
			return r;
		v[i].key = pool_strdup(n->doc->pool, k);
		if (!v[i].key)
			return j_nomem(&c);
		i++;
	}
	*ret = v;
	*ret_n = i;
	return 1;
}
