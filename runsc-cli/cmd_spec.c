/*
 * cmd_spec.c - spec: an example config.json; features: what this runtime can do.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "runsc-cli/cli.h"
#include "runsc-cli/oci/spec.h"
#include "runsc-cli/version.h"

static const char example[] =
"{\n"
"\t\"ociVersion\": \"" CSANDBOX_OCI_VERSION "\",\n"
"\t\"process\": {\n"
"\t\t\"terminal\": true,\n"
"\t\t\"user\": { \"uid\": 0, \"gid\": 0 },\n"
"\t\t\"args\": [ \"sh\" ],\n"
"\t\t\"env\": [\n"
"\t\t\t\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\n"
"\t\t\t\"TERM=xterm\"\n"
"\t\t],\n"
"\t\t\"cwd\": \"/\",\n"
"\t\t\"capabilities\": {\n"
"\t\t\t\"bounding\": [ \"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\" ],\n"
"\t\t\t\"effective\": [ \"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\" ],\n"
"\t\t\t\"permitted\": [ \"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\" ]\n"
"\t\t},\n"
"\t\t\"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024 } ],\n"
"\t\t\"noNewPrivileges\": true\n"
"\t},\n"
"\t\"root\": { \"path\": \"rootfs\", \"readonly\": true },\n"
"\t\"hostname\": \"csandbox\",\n"
"\t\"mounts\": [\n"
"\t\t{ \"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\" },\n"
"\t\t{ \"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\",\n"
"\t\t  \"options\": [ \"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\" ] },\n"
"\t\t{ \"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\",\n"
"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\", \"gid=5\" ] },\n"
"\t\t{ \"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\",\n"
"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\" ] },\n"
"\t\t{ \"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\",\n"
"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"nodev\" ] },\n"
"\t\t{ \"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\",\n"
"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"nodev\", \"ro\" ] },\n"
"\t\t{ \"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\",\n"
"\t\t  \"options\": [ \"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\" ] }\n"
"\t],\n"
"\t\"linux\": {\n"
"\t\t\"namespaces\": [ { \"type\": \"pid\" }, { \"type\": \"network\" }, { \"type\": \"ipc\" },\n"
"\t\t                { \"type\": \"uts\" }, { \"type\": \"mount\" } ],\n"
"\t\t\"maskedPaths\": [ \"/proc/kcore\", \"/proc/keys\", \"/proc/timer_list\" ],\n"
"\t\t\"readonlyPaths\": [ \"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\", \"/proc/sysrq-trigger\" ]\n"
"\t}\n"
"}\n";

static struct json_object *strings(const char *const *v, size_t n)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(a, json_object_new_string(v[i]));
	return a;
}

static struct json_object *own_id(u32 id)
{
	struct json_object *o = json_object_new_object(), *a = json_object_new_array();

	json_object_object_add(o, "containerID", json_object_new_int(0));
	json_object_object_add(o, "hostID", json_object_new_int64(id));
	json_object_object_add(o, "size", json_object_new_int(1));
	json_object_array_add(a, o);
	return a;
}

/*
 * The example as a user without rights can run it: a user namespace in which he is root. As runc's, but that the
 * network stays a namespace: it is the sandbox's own stack, which takes no rights.
 */
static struct json_object *rootless_example(void)
{
	static const char *const pts[] = { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" };
	struct json_object *root = json_tokener_parse(example), *lin, *mounts, *ns;

	lin = json_object_object_get(root, "linux");
	mounts = json_object_object_get(root, "mounts");
	ns = json_object_new_object();
	json_object_object_add(ns, "type", json_object_new_string("user"));
	json_object_array_add(json_object_object_get(lin, "namespaces"), ns);
	json_object_object_add(lin, "uidMappings", own_id(geteuid()));
	json_object_object_add(lin, "gidMappings", own_id(getegid()));
	for (size_t i = json_object_array_length(mounts); i-- > 0; ) {
		struct json_object *m = json_object_array_get_idx(mounts, i);
		const char *type = json_object_get_string(json_object_object_get(m, "type"));

		if (strcmp(type, "devpts") == 0)        /* without the group tty, which he has not */
			json_object_object_add(m, "options", strings(pts, ARRAY_SIZE(pts)));
		else if (strcmp(type, "cgroup") == 0)
			json_object_array_del_idx(mounts, i, 1);
	}
	return root;
}

int cmd_spec(struct cli *cli, int argc, char **argv)
{
	const char *bundle = ".", *text = example;
	struct json_object *made = NULL;
	bool rootless = false;
	const struct opt opts[] = {
		{ "bundle", 'b', OPT_STR, &bundle, "DIR", "where to write config.json (.)" },
		{ "rootless", 0, OPT_FLAG, &rootless, NULL, "one for a user without rights" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	char path[4096];
	int r = opts_parse(cli, opts, argc, argv, "spec [options]"), fd;

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return errno == EEXIST
		       ? err_set(&cli->err, -EEXIST, "File %s exists. Remove it first", path)
		       : err_sys(&cli->err, -errno, "cannot write %s", path);
	if (rootless) {
		made = rootless_example();
		text = json_object_to_json_string_ext(made, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_PRETTY_TAB |
		                                      JSON_C_TO_STRING_NOSLASHESCAPE);
	}
	r = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
	close(fd);
	json_object_put(made);
	return r < 0 ? err_sys(&cli->err, r, "cannot write %s", path) : 0;
}

static struct json_object *enabled(bool on)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "enabled", json_object_new_boolean(on));
	return o;
}

static struct json_object *seccomp_features(void)
{
	static const char *const actions[] = {
		"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
		"SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
	};
	static const char *const operators[] = {
		"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
	};
	static const char *const archs[] = { "SCMP_ARCH_X86_64" };
	static const char *const flags[] = { "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG" };
	struct json_object *o = enabled(true);

	json_object_object_add(o, "actions", strings(actions, ARRAY_SIZE(actions)));
	json_object_object_add(o, "operators", strings(operators, ARRAY_SIZE(operators)));
	json_object_object_add(o, "archs", strings(archs, ARRAY_SIZE(archs)));
	json_object_object_add(o, "knownFlags", strings(flags, ARRAY_SIZE(flags)));
	json_object_object_add(o, "supportedFlags", strings(flags, ARRAY_SIZE(flags)));
	return o;
}

static struct json_object *linux_features(void)
{
	static const char *const ns[] = { "cgroup", "ipc", "mount", "network", "pid", "user", "uts" };
	struct json_object *o = json_object_new_object(), *caps = json_object_new_array(), *x;

	for (int i = 0; i <= OCI_CAP_LAST; i++) {
		char name[64];

		snprintf(name, sizeof(name), "CAP_%s", cap_name(i));
		json_object_array_add(caps, json_object_new_string(name));
	}
	json_object_object_add(o, "namespaces", strings(ns, ARRAY_SIZE(ns)));
	json_object_object_add(o, "capabilities", caps);
	x = json_object_new_object();
	json_object_object_add(x, "v1", json_object_new_boolean(1));
	json_object_object_add(x, "v2", json_object_new_boolean(1));
	json_object_object_add(x, "systemd", json_object_new_boolean(1));
	json_object_object_add(o, "cgroup", x);
	json_object_object_add(o, "seccomp", seccomp_features());
	json_object_object_add(o, "apparmor", enabled(false));
	json_object_object_add(o, "selinux", enabled(false));
	json_object_object_add(o, "intelRdt", enabled(false));
	x = json_object_new_object();   /* containerd and CRI-O look here before they ask for volumes with mappings */
	json_object_object_add(x, "idmap", enabled(true));
	json_object_object_add(o, "mountExtensions", x);
	return o;
}

int cmd_features(struct cli *cli, int argc, char **argv)
{
	const struct opt opts[] = { { NULL, 0, 0, NULL, NULL, NULL } };
	struct json_object *o, *x;
	const char *names[128];
	int r = opts_parse(cli, opts, argc, argv, "features");

	if (r < 0)
		return r;
	o = json_object_new_object();
	json_object_object_add(o, "ociVersionMin", json_object_new_string("1.0.0"));
	json_object_object_add(o, "ociVersionMax", json_object_new_string(CSANDBOX_OCI_VERSION));
	json_object_object_add(o, "hooks", strings(oci_hook_names, HOOK_KINDS));
	json_object_object_add(o, "mountOptions", strings(names, mount_option_names(names, ARRAY_SIZE(names))));
	json_object_object_add(o, "linux", linux_features());
	x = json_object_new_object();
	json_object_object_add(x, "org.csandbox.version", json_object_new_string(CSANDBOX_VERSION));
	json_object_object_add(o, "annotations", x);
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return 0;
}
