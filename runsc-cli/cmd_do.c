/*
 * cmd_do.c - do: run a command of the host's own root file system (or another directory) in a sandbox.
 *
 * The gofer serves the root read-only; what the command writes goes to an overlay in memory and ends with it,
 * or, with --overlay=dir=PATH, is kept there.
 * /run and /dev are its own: the host's services are not there.
 * A bundle is written to a temporary directory and removed at the end.
 */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "runsc-cli/foreground.h"
#include "runsc-cli/setup/launch.h"

struct do_opts {
	const char *rootfs, *cwd, *hostname;
	struct strv env, volumes;
	bool tty, writable;
	u32 uid, gid;
};

static struct json_object *str(const char *s)
{
	return json_object_new_string(s);
}

static struct json_object *mount(const char *dest, const char *type, const char *source, const char *options)
{
	struct json_object *m = json_object_new_object(), *a = json_object_new_array();
	char word[256];

	json_object_object_add(m, "destination", str(dest));
	json_object_object_add(m, "type", str(type));
	json_object_object_add(m, "source", str(source));
	while (*options) {
		size_t n = strcspn(options, ",");

		snprintf(word, sizeof(word), "%.*s", (int)n, options);
		json_object_array_add(a, str(word));
		options += n + (options[n] == ',');
	}
	json_object_object_add(m, "options", a);
	return m;
}

static struct json_object *mounts(const struct do_opts *o)
{
	struct json_object *a = json_object_new_array();

	json_object_array_add(a, mount("/proc", "proc", "proc", ""));
	json_object_array_add(a, mount("/dev", "tmpfs", "tmpfs", "nosuid,mode=755,size=65536k"));
	json_object_array_add(a, mount("/dev/pts", "devpts", "devpts", "nosuid,noexec,ptmxmode=0666,mode=0620,gid=5"));
	json_object_array_add(a, mount("/dev/shm", "tmpfs", "shm", "nosuid,nodev,mode=1777"));
	json_object_array_add(a, mount("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"));
	if (!o->writable)
		json_object_array_add(a, mount("/run", "tmpfs", "tmpfs", "nosuid,nodev,mode=755"));
	for (u32 i = 0; i < o->volumes.n; i++) {
		char src[PATH_MAX];
		const char *colon = strchr(o->volumes.v[i], ':');

		snprintf(src, sizeof(src), "%.*s", (int)strcspn(o->volumes.v[i], ":"), o->volumes.v[i]);
		json_object_array_add(a, mount(colon ? colon + 1 : src, "bind", src, "rbind"));
	}
	return a;
}

static struct json_object *all_caps(void)
{
	static const char *const sets[] = { "bounding", "effective", "permitted", "inheritable" };
	struct json_object *o = json_object_new_object();

	for (size_t k = 0; k < ARRAY_SIZE(sets); k++) {
		struct json_object *a = json_object_new_array();

		for (int i = 0; i <= OCI_CAP_LAST; i++) {
			char name[64];

			snprintf(name, sizeof(name), "CAP_%s", cap_name(i));
			json_object_array_add(a, str(name));
		}
		json_object_object_add(o, sets[k], a);
	}
	return o;
}

static struct json_object *process(const struct do_opts *o, int argc, char **argv)
{
	struct json_object *p = json_object_new_object(), *a = json_object_new_array(), *u = json_object_new_object();
	const char *term = getenv("TERM");
	char text[128];

	for (int i = 0; i < argc; i++)
		json_object_array_add(a, str(argv[i]));
	json_object_object_add(p, "args", a);
	a = json_object_new_array();
	json_object_array_add(a, str("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	snprintf(text, sizeof(text), "TERM=%.100s", term ? term : "dumb");
	json_object_array_add(a, str(text));
	for (u32 i = 0; i < o->env.n; i++)
		json_object_array_add(a, str(o->env.v[i]));
	json_object_object_add(p, "env", a);
	json_object_object_add(p, "cwd", str(o->cwd));
	json_object_object_add(u, "uid", json_object_new_int64(o->uid));
	json_object_object_add(u, "gid", json_object_new_int64(o->gid));
	json_object_object_add(p, "user", u);
	json_object_object_add(p, "terminal", json_object_new_boolean(o->tty));
	json_object_object_add(p, "capabilities", all_caps());
	return p;
}

static int write_config(struct cli *cli, const char *dir, const struct do_opts *o, int argc, char **argv)
{
	struct json_object *c = json_object_new_object(), *root = json_object_new_object();
	struct json_object *lin = json_object_new_object(), *spaces = json_object_new_array(), *net = json_object_new_object();
	char path[PATH_MAX];
	int r;

	json_object_object_add(c, "ociVersion", str(OCI_VERSION));
	json_object_object_add(c, "process", process(o, argc, argv));
	json_object_object_add(root, "path", str(o->rootfs));
	json_object_object_add(c, "root", root);
	json_object_object_add(c, "hostname", str(o->hostname));
	json_object_object_add(c, "mounts", mounts(o));
	/* A network of its own, with nothing in it but loopback; without one it would be the host's. */
	json_object_object_add(net, "type", str("network"));
	json_object_array_add(spaces, net);
	json_object_object_add(lin, "namespaces", spaces);
	json_object_object_add(c, "linux", lin);
	snprintf(path, sizeof(path), "%s/config.json", dir);
	r = json_object_to_file_ext(path, c, JSON_C_TO_STRING_PLAIN);
	json_object_put(c);
	return r < 0 ? err_sys(&cli->err, -errno, "cannot write %s", path) : 0;
}

static int run_bundle(struct cli *cli, const struct do_opts *o, int argc, char **argv)
{
	char dir[] = "/tmp/csandbox-do-......", file[64], id[64];
	struct launch_opts lo = { .bundle = dir, .keep_master = o->tty };
	int r;

	memset(dir + sizeof(dir) - 7, 'X', 6);  /* what mkdtemp replaces */
	if (!mkdtemp(dir))
		return err_sys(&cli->err, -errno, "cannot make a directory in /tmp");
	snprintf(id, sizeof(id), "do-%d-%s", getpid(), dir + sizeof(dir) - 7);
	r = write_config(cli, dir, o, argc, argv);
	if (r == 0)
		r = run_in_foreground(cli, id, &lo, false);
	snprintf(file, sizeof(file), "%s/config.json", dir);
	(void)unlink(file);
	(void)rmdir(dir);
	return r;
}

int cmd_do(struct cli *cli, int argc, char **argv)
{
	struct do_opts o = { .rootfs = "/", .cwd = "/", .hostname = "csandbox" };
	const struct opt opts[] = {
		{ "root", 0, OPT_STR, &o.rootfs, "DIR", "another root file system than the host's" },
		{ "writable", 'w', OPT_FLAG, &o.writable, NULL, "let it change that DIR; without: changes are lost at the end" },
		{ "cwd", 0, OPT_STR, &o.cwd, "DIR", "working directory (/)" },
		{ "env", 'e', OPT_STRV, &o.env, "NAME=VALUE", "add to the environment" },
		{ "volume", 'v', OPT_STRV, &o.volumes, "HOST[:DIR]", "bind mount, writable" },
		{ "hostname", 0, OPT_STR, &o.hostname, "NAME", "host name inside (csandbox)" },
		{ "uid", 'u', OPT_U32, &o.uid, "N", "user id" },
		{ "gid", 'g', OPT_U32, &o.gid, "N", "group id" },
		{ "tty", 't', OPT_FLAG, &o.tty, NULL, "give it a terminal" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	char real[PATH_MAX];
	int at = opts_parse(cli, opts, argc, argv, "do [options] COMMAND [ARG...]");

	if (at < 0)
		return at;
	if (at >= argc)
		return cli_usage(cli, "do: give a command");
	if (!realpath(o.rootfs, real))
		return err_sys(&cli->err, -errno, "--root: cannot find %s", o.rootfs);
	o.rootfs = real;
	if (o.writable && strcmp(real, "/") == 0)
		return cli_usage(cli, "--writable: not with the host's own root");
	if (!o.writable && !cli_overlay(cli))
		cli->overlay = "memory";
	return run_bundle(cli, &o, argc - at, argv + at);
}
