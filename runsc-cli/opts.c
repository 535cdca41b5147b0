/*
 * opts.c - option parsing: "--name value", "--name=value", "-n value", "-name value" (as Go's cli allows).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "platform/base/str.h"
#include "runsc-cli/cli.h"

static bool takes_arg(const struct opt *o)
{
	return o->kind != OPT_FLAG && o->kind != OPT_ACCEPT;
}

static const struct opt *find(const struct opt *o, const char *name, size_t len)
{
	for (; o->name; o++) {
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
		if (len == 1 && o->brief && o->brief == *name)
			return o;
	}
	return NULL;
}

static int store_flag(struct cli *cli, const struct opt *o, const char *value)
{
	bool on = true;

	if (value && (strcmp(value, "false") == 0 || strcmp(value, "0") == 0))
		on = false;
	else if (value && strcmp(value, "true") != 0 && strcmp(value, "1") != 0)
		return cli_usage(cli, "--%s: \"%s\" is neither true nor false", o->name, value);
	if (o->dst)
		*(bool *)o->dst = on;
	return 0;
}

static int store(struct cli *cli, const struct opt *o, const char *value)
{
	struct strv *sv = o->dst;
	u64 n;

	switch (o->kind) {
	case OPT_FLAG:
	case OPT_ACCEPT:
		return store_flag(cli, o, value);
	case OPT_STR:
		*(const char **)o->dst = value;
		return 0;
	case OPT_STRV:
		if (sv->n == STRV_MAX)
			return cli_usage(cli, "--%s is given more than %d times", o->name, STRV_MAX);
		sv->v[sv->n++] = value;
		return 0;
	case OPT_U32:
		if (str_to_u64(value, 10, &n) < 0 || n > UINT32_MAX)
			return cli_usage(cli, "--%s: \"%s\" is no number", o->name, value);
		*(u32 *)o->dst = (u32)n;
		return 0;
	case OPT_ACCEPT_ARG:
		return 0;
	}
	return 0;
}

/* Commands whose options may stand behind the id too, as under runc; what follows the others' words is not ours. */
static bool options_anywhere(const char *command)
{
	static const char *const names[] = {
		"create", "run", "start", "state", "kill", "delete", "list", "pause", "resume", "events", "update",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(command, names[i]) == 0)
			return true;
	return false;
}

/* Move options before the words, each group in its order. */
static void options_first(const struct opt *opts, int argc, char **argv)
{
	int front = 1;

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *name = argv[i] + 1;
		const struct opt *o;
		int n = 1;

		if (argv[i][0] != '-' || !*name)
			continue;
		name += *name == '-';
		o = find(opts, name, strcspn(name, "="));
		if (o && takes_arg(o) && !strchr(name, '=') && i + 1 < argc)
			n = 2;
		for (int k = 0; k < n; k++) {
			char *word = argv[i + k];

			memmove(&argv[front + 1], &argv[front], (size_t)(i + k - front) * sizeof(*argv));
			argv[front++] = word;
		}
		i += n - 1;
	}
}

int opts_parse(struct cli *cli, const struct opt *opts, int argc, char **argv, const char *usage)
{
	int i = 1;

	if (options_anywhere(argv[0]))
		options_first(opts, argc, argv);

	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		const char *name = argv[i] + 1, *eq, *value = NULL;
		const struct opt *o;
		int r;

		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		if (*name == '-')
			name++;
		eq = strchr(name, '=');
		if (strcmp(name, "help") == 0 || strcmp(name, "h") == 0) {
			printf("usage: csandbox %s\n", usage);
			opts_print(opts);
			return -ECANCELED;
		}
		o = find(opts, name, eq ? (size_t)(eq - name) : strlen(name));
		if (!o)
			return cli_usage(cli, "flag provided but not defined: %s (see csandbox %s --help)", argv[i],
			                 argv[0]);
		if (eq) {
			value = eq + 1;
		} else if (takes_arg(o)) {
			if (++i == argc)
				return cli_usage(cli, "flag needs an argument: %s", argv[i - 1]);
			value = argv[i];
		}
		r = store(cli, o, value);
		if (r < 0)
			return r;
	}
	return i;
}

void opts_print(const struct opt *o)
{
	for (; o->name; o++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->brief ? "-" : "", o->brief ? o->brief : ' ',
		         o->brief ? ", " : "   ", o->name, takes_arg(o) ? " " : "",
		         takes_arg(o) ? (o->arg ? o->arg : "VALUE") : "");
		printf("  %-34s %s\n", left, o->help);
	}
}

const char *opts_id(struct cli *cli, int argc, char **argv, int at)
{
	if (argc - at == 1)
		return argv[at];
	if (argc <= at)
		(void)cli_usage(cli, "%s: container id cannot be empty", argv[0]);
	else
		(void)cli_usage(cli, "%s: one container id is needed, not %d words", argv[0], argc - at);
	return NULL;
}
