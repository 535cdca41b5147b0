/*
 * test_oci_spec.c - config.json: good ones are read in full, broken and hostile ones are refused with words that help.
 */
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include "runsc-cli/oci/spec.h"

#define TOP "\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}"
#define PROC "\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"}"

static const struct { const char *text, *says; int code; } bad[] = {
	{ "", "ends too early", -EINVAL },
	{ "{", "ends too early", -EINVAL },
	{ "[]", "must be an object", -EINVAL },
	{ "nonsense", "not valid JSON: line 1", -EINVAL },
	{ "{} {}", "not valid JSON: line 1", -EINVAL },
	{ "{}", "ociVersion is missing", -EINVAL },
	{ "{\"ociVersion\":1}", "ociVersion: must be a string, not a number", -EINVAL },
	{ "{\"ociVersion\":\"2.0.0\"}", "\"2.0.0\" is not supported", -EINVAL },
	{ "{\"ociVersion\":\"1.0.0\"}", "root is missing", -EINVAL },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{}}", "root: path is missing", -EINVAL },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":[]}", "root: must be an object, not an array", -EINVAL },
	{ "{" TOP ",\"process\":{\"cwd\":\"/\"}}", "process: args is missing", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[],\"cwd\":\"/\"}}", "process: args is missing or empty", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"\"],\"cwd\":\"/\"}}", "args[0] is empty", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\",7],\"cwd\":\"/\"}}", "process.args[1]: must be a string", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\",null],\"cwd\":\"/\"}}", "process.args[1]: must be a string, not null", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\\u0000b\"],\"cwd\":\"/\"}}", "process.args[0]: holds a NUL", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"]}}", "cwd must be an absolute path", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"tmp\"}}", "not \"tmp\"", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"env\":[\"A\"]}}", "env[0]: \"A\" is not of the form", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"env\":[\"=x\"]}}", "env[0]", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":-1}}}", "user.uid: -1 is not between", -ERANGE },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":4294967295}}}", "no id", -ERANGE },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":99999999999}}}", "is not between", -ERANGE },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"umask\":4096}}}", "umask", -ERANGE },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"additionalGids\":[\"x\"]}}}",
	  "user.additionalGids[0]: must be an integer", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"NOFILE\"}]}}",
	  "rlimits[0]: type \"NOFILE\" is no limit", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]}}",
	  "above the hard limit", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":-2,\"hard\":1}]}}",
	  "must not be negative", -ERANGE },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_CPU\"},{\"type\":\"RLIMIT_CPU\"}]}}",
	  "given twice", -EINVAL },
	{ "{" TOP ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"oomScoreAdj\":1001}}", "oomScoreAdj: 1001", -ERANGE },
	{ "{" TOP ",\"mounts\":{}}", "mounts: must be an array", -EINVAL },
	{ "{" TOP ",\"mounts\":[{}]}", "mounts[0]: destination is missing", -EINVAL },
	{ "{" TOP ",\"mounts\":[{\"destination\":\"/a\"}]}", "type is missing for /a", -EINVAL },
	{ "{" TOP ",\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\"}]}", "needs a source", -EINVAL },
	{ "{" TOP ",\"hooks\":{\"prestart\":[{\"path\":\"x\"}]}}", "hooks.prestart[0]: path must be the absolute", -EINVAL },
	{ "{" TOP ",\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}}", "timeout", -EINVAL },
	{ "{" TOP ",\"annotations\":{\"a\":1}}", "annotations.a: must be a string", -EINVAL },
	{ "{" TOP ",\"linux\":{\"maskedPaths\":[\"proc\"]}}", "maskedPaths[0]", -EINVAL },
	{ "{" TOP ",\"linux\":{\"namespaces\":[{\"type\":\"x\"}]}}", "is no namespace", -EINVAL },
	{ "{" TOP ",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}", "given twice", -EINVAL },
	{ "{" TOP ",\"linux\":{\"namespaces\":[{\"type\":\"user\"}]}}", "nor mappings to apply specified", -EINVAL },
	{ "{" TOP ",\"linux\":{\"uidMappings\":[{\"containerID\":0,\"size\":1}]}}", "user namespace isn't enabled", -EINVAL },
	{ "{" TOP ",\"linux\":{\"uidMappings\":[{\"containerID\":0,\"size\":0}]}}", "uidMappings[0]: 0 ids from 0", -EINVAL },
	{ "{" TOP ",\"linux\":{\"gidMappings\":[{\"containerID\":4294967295,\"size\":2}]}}", "gidMappings[0]: 2 ids from 4294967295", -EINVAL },
	{ "{" TOP ",\"linux\":{\"gidMappings\":[{\"containerID\":1,\"hostID\":5,\"size\":2}]}}", "container id 0 is not mapped", -EINVAL },
	{ "{" TOP ",\"mounts\":[{\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\",\"idmap=uids=0-1-2\"]}]}", "options[1]: \"idmap=uids", -EINVAL },
	{ "{" TOP ",\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"idmap\"]}]}", "only supported for bind-mounts", -EINVAL },
	{ "{" TOP ",\"mounts\":[{\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\"],\"uidMappings\":[{\"size\":1}]}]}",
	  "needs both uidMappings and gidMappings", -EINVAL },
	{ "{" TOP ",\"linux\":{\"intelRdt\":{\"closID\":\"x\"}}}", "intelRdt: not supported", -ENOTSUP },
	{ "{" TOP ",\"linux\":{\"netDevices\":{\"eth0\":{}}}}", "netDevices: not supported", -ENOTSUP },
	{ "{" TOP ",\"linux\":{\"memoryPolicy\":{\"mode\":\"MPOL_BIND\"}}}", "\"MPOL_BIND\" is not supported", -ENOTSUP },
	{ "{" TOP ",\"linux\":{\"devices\":[{\"path\":\"/dev/x\",\"type\":\"q\"}]}}", "type must be", -EINVAL },
	{ "{" TOP ",\"linux\":{\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"../x\",\"limit\":1}]}}}",
	  "hugepageLimits[0]: pageSize must be like 2MB", -EINVAL },
	{ "{" TOP ",\"linux\":{\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"12345678\"}]}}}", "pageSize must be", -EINVAL },
	{ "{" TOP ",\"linux\":{\"resources\":{\"blockIO\":{\"weightDevice\":[{\"major\":-1}]}}}}",
	  "weightDevice[0].major: -1 is not between", -ERANGE },
	{ "{" TOP ",\"linux\":{\"resources\":{\"blockIO\":{\"throttleReadBpsDevice\":[7]}}}}",
	  "throttleReadBpsDevice[0]: must be an object", -EINVAL },
	{ "{" TOP ",\"linux\":{\"resources\":{\"memory\":{\"limit\":1.5}}}}", "limit: must be an integer, not a fraction", -EINVAL },
	{ "{" TOP ",\"linux\":{\"resources\":{\"memory\":{\"limit\":99999999999999999999}}}}", "is not between", -ERANGE },
};

static void broken_configs_are_refused_with_words_that_help(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = { 0 };
		struct oci_spec s;
		int r = spec_parse(&s, "config.json", bad[i].text, strlen(bad[i].text), &e);

		if (r != bad[i].code || !strstr(e.msg, bad[i].says) || strncmp(e.msg, "config.json: ", 13) != 0)
			fail_msg("%s\n gave %d \"%s\", not %d \"...%s...\"", bad[i].text, r, e.msg, bad[i].code, bad[i].says);
	}
}

static void deep_nesting_is_refused(void **state)
{
	char text[4096];
	struct err e = { 0 };
	struct oci_spec s;

	(void)state;
	memset(text, '[', sizeof(text));
	assert_true(spec_parse(&s, "config.json", text, sizeof(text), &e) < 0);
}

static void a_full_config_is_read(void **state)
{
	static const char text[] =
		"{\"ociVersion\":\"1.0.2\",\"hostname\":\"h\",\"root\":{\"path\":\"r\",\"readonly\":true},"
		"\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":3,\"width\":4},\"args\":[\"a\",\"b c\"],"
		"\"env\":[\"A=1\",\"B=\"],\"cwd\":\"/x\",\"noNewPrivileges\":true,\"oomScoreAdj\":-5,"
		"\"user\":{\"uid\":1,\"gid\":2,\"umask\":63,\"additionalGids\":[7,8]},"
		"\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_CHOWN\"],\"permitted\":[\"CAP_KILL\"],"
		"\"effective\":[\"CAP_KILL\",\"CAP_CHOWN\"]},"
		"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":5,\"hard\":18446744073709551615}]},"
		"\"mounts\":[{\"destination\":\"/p\",\"type\":\"proc\",\"source\":\"proc\"},"
		"{\"destination\":\"/t\",\"type\":\"tmpfs\",\"source\":\"t\",\"options\":[\"ro\",\"size=8m\",\"nosuid\",\"mode=755\"]},"
		"{\"destination\":\"b\",\"source\":\"/src\",\"options\":[\"rbind\",\"rprivate\"]}],"
		"\"hooks\":{\"createRuntime\":[{\"path\":\"/h\",\"args\":[\"h\",\"1\"],\"timeout\":3}]},"
		"\"annotations\":{\"k\":\"v\"},"
		"\"linux\":{\"cgroupsPath\":\"/a/b\",\"resources\":{\"memory\":{\"limit\":1048576,\"swap\":-1},"
		"\"cpu\":{\"quota\":50000,\"period\":100000,\"cpus\":\"0\"},\"pids\":{\"limit\":9},"
		"\"blockIO\":{\"weight\":10,\"weightDevice\":[{\"major\":1,\"minor\":2,\"weight\":3},{\"leafWeight\":4}],"
		"\"throttleWriteIOPSDevice\":[{\"major\":4,\"minor\":5,\"rate\":6}]},"
		"\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":7}]},"
		"\"intelRdt\":{},\"timeOffsets\":{},\"sysctl\":{\"a.b\":\"1\"},\"maskedPaths\":[\"/m\"],\"readonlyPaths\":[\"/r\"],"
		"\"namespaces\":[{\"type\":\"network\",\"path\":\"/n\"}],"
		"\"devices\":[{\"path\":\"/dev/fuse\",\"type\":\"c\",\"major\":10,\"minor\":229,\"fileMode\":438}]}}";
	struct err e = { 0 };
	struct oci_spec s;

	(void)state;
	if (spec_parse(&s, "config.json", text, sizeof(text) - 1, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(s.root_readonly && s.process.terminal && s.process.no_new_privs);
	assert_string_equal(s.process.args[1], "b c");
	assert_null(s.process.args[2]);
	assert_int_equal(s.process.nenv, 2);
	assert_int_equal(s.process.umask, 077);
	assert_int_equal(s.process.groups[1], 8);
	assert_int_equal(s.process.cap_bnd, 1 << 5 | 1);
	assert_int_equal(s.process.cap_eff, 1 << 5);    /* never more than permitted */
	assert_true(s.process.rlimits[RLIMIT_NOFILE].hard == ~0ull);
	assert_int_equal(s.process.oom_score_adj, -5);
	assert_int_equal(s.nmounts, 3);
	assert_string_equal(s.mounts[1].data, "size=8m,mode=755");
	assert_int_equal(s.mounts[1].flags, OCI_MNT_RDONLY | OCI_MNT_NOSUID);
	assert_string_equal(s.mounts[2].destination, "/b");
	assert_int_equal(s.mounts[2].flags, OCI_MNT_BIND | OCI_MNT_REC | OCI_PROP_PRIVATE | OCI_PROP_REC);
	assert_int_equal(s.hooks[HOOK_CREATE_RUNTIME].v[0].timeout, 3);
	assert_string_equal(s.annotations[0].value, "v");
	assert_true(s.res.mem_limit == 1048576 && s.res.mem_swap == -1 && s.res.pids_limit == 9);
	assert_true(s.res.cpu_shares == RES_UNSET);
	assert_int_equal(s.res.nblk, 2);
	assert_true(s.res.blk[0].kind == BLK_WEIGHT && s.res.blk[0].minor == 2 && s.res.blk[0].value == 3);
	assert_true(s.res.blk[1].kind == BLK_WRITE_IOPS && s.res.blk[1].major == 4 && s.res.blk[1].value == 6);
	assert_true(s.res.nhuge == 1 && s.res.huge[0].limit == 7);
	assert_string_equal(s.res.huge[0].size, "2MB");
	assert_string_equal(s.res.cpus, "0");
	assert_string_equal(s.ignored[0], "timeOffsets");
	assert_string_equal(s.ns[0].path, "/n");
	assert_int_equal(s.devices[0].minor, 229);
	assert_string_equal(s.cgroups_path, "/a/b");
	spec_done(&s);
}

static void every_failed_allocation_is_survived(void **state)
{
	static const char text[] = "{" TOP "," PROC ",\"mounts\":[{\"destination\":\"/p\",\"type\":\"proc\"}]}";
	int r = -1;

	(void)state;
	for (u64 n = 1; r < 0 && n < 100; n++) {
		struct err e = { 0 };
		struct oci_spec s;

		alloc_fail_nth(n);
		r = spec_parse(&s, "config.json", text, sizeof(text) - 1, &e);
		alloc_fail_nth(0);
		if (r == 0)
			spec_done(&s);
		else
			assert_int_equal(r, -ENOMEM);
	}
	assert_int_equal(r, 0);
}

static void errors_keep_the_first_sentence(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_sys(&e, -ENOENT, "a %d", 1), -ENOENT);
	assert_int_equal(err_set(&e, -EINVAL, "b"), -ENOENT);
	assert_string_equal(e.msg, "a 1: No such file or directory");
	assert_int_equal(err_wrap(&e, "w"), -ENOENT);
	assert_string_equal(e.msg, "w: a 1: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_configs_are_refused_with_words_that_help),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(a_full_config_is_read),
		cmocka_unit_test(every_failed_allocation_is_survived),
		cmocka_unit_test(errors_keep_the_first_sentence),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
