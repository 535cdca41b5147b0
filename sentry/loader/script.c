/*
 * script.c - the "#!" line (execve(2), Linux: fs/binfmt_script.c).
 *
 * Only 256 bytes are looked at.  A longer line is accepted if the
 * interpreter's name certainly ended within them; its argument may be cut.
 */
#include <errno.h>
#include <string.h>
#include "sentry/loader/elf_int.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* First non-blank in [p, end), or NULL. */
static char *skip_blank(char *p, char *end)
{
	while (p < end && blank(*p))
		p++;
	return p < end ? p : NULL;
}

/* First blank or NUL in [p, end), or NULL. */
static char *find_end(char *p, char *end)
{
	while (p < end && *p && !blank(*p))
		p++;
	return p < end ? p : NULL;
}

int script_parse(char buf[SCRIPT_BUF], char **ret_interp, char **ret_arg)
{
	char *last = buf + SCRIPT_BUF - 1, *end, *name, *sep, *arg = NULL;
	size_t used = strnlen(buf, SCRIPT_BUF);

	if (buf[0] != '#' || buf[1] != '!')
		return -ENOEXEC;
	end = memchr(buf, '\n', used);
	if (!end) {
		name = skip_blank(buf + 2, last + 1);
		/* Without a terminator the name may have been cut. */
		if (!name || !find_end(name, last + 1))
			return -ENOEXEC;
		end = last;
	}
	while (end > buf + 2 && blank(end[-1]))
		end--;
	*end = '\0';
	name = skip_blank(buf + 2, end);
	if (!name)
		return -ENOEXEC;
	sep = find_end(name, end);
	if (sep && *sep) {
		arg = skip_blank(sep, end);
		*sep = '\0';
	}
	*ret_interp = name;
	*ret_arg = arg && *arg ? arg : NULL;
	return 0;
}
