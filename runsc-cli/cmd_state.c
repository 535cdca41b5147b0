/*
 * cmd_state.c - state, list, ps.
 */
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "runsc-cli/container.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/cgroup.h"

int cmd_state(struct cli *cli, int argc, char **argv)
{
	const struct opt opts[] = { { NULL, 0, 0, NULL, NULL, NULL } };
	struct container c;
	const char *id;
	enum status st;
	char *text;
	int r = opts_parse(cli, opts, argc, argv, "state CONTAINER-ID");

	if (r < 0)
		return r;
	id = opts_id(cli, argc, argv, r);
	if (!id)
		return -EINVAL;
	r = container_open(cli, id, false, &c);
	if (r < 0)
		return r;
	st = container_status(&c);
	text = container_state_json(&c, status_name(st), st == ST_STOPPED ? 0 : c.sentry.pid);
	if (text)
		printf("%s\n", text);
	else
		r = err_set(&cli->err, -ENOMEM, "no memory");
	kfree(text);
	container_close(&c);
	return r;
}

static struct json_object *list_entry_json(struct container *c, enum status st)
{
	char *text = container_state_json(c, status_name(st), st == ST_STOPPED ? 0 : c->sentry.pid);
	struct json_object *o = text ? json_tokener_parse(text) : NULL;

	kfree(text);
	return o;
}

static void list_one(struct cli *cli, const char *id, bool quiet, struct json_object *all)
{
	struct cli scratch = *cli;
	struct container c;
	enum status st;

	if (container_open(&scratch, id, false, &c) < 0)
		return;         /* deleted meanwhile, or no container */
	st = container_status(&c);
	if (quiet)
		printf("%s\n", id);
	else if (all)
		json_object_array_add(all, list_entry_json(&c, st));
	else
		printf("%-36s %-10d %-10s %-40s %-31s %s\n", id, st == ST_STOPPED ? 0 : c.sentry.pid, status_name(st),
		       c.bundle, c.created, c.owner);
	container_close(&c);
}

static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int cmd_list(struct cli *cli, int argc, char **argv)
{
	const char *format = "table";
	bool quiet = false;
	const struct opt opts[] = {
		{ "format", 'f', OPT_STR, &format, "table|json", "how to print" },
		{ "quiet", 'q', OPT_FLAG, &quiet, NULL, "ids only" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	struct json_object *all = NULL;
	struct dirent **e = NULL;
	int n, r = opts_parse(cli, opts, argc, argv, "list [options]");

	if (r < 0)
		return r;
	if (strcmp(format, "json") == 0)
		all = json_object_new_array();
	else if (strcmp(format, "table") != 0)
		return cli_usage(cli, "invalid format option: %s", format);
	if (!all && !quiet)
		printf("%-36s %-10s %-10s %-40s %-31s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
	n = scandir(cli->root, &e, not_hidden, by_name);
	for (int i = 0; i < n; i++) {
		list_one(cli, e[i]->d_name, quiet, all);
		free(e[i]);
	}
	free(e);
	if (all && !quiet)
		printf("%s\n", json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(all);
	return 0;
}
