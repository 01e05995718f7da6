/* tests/unit/test_mount_flag.c - every option of RUN --mount, and every refusal. */

#include "tests/unit/unit.h"

#include <string.h>

#include "builder/expand.h"
#include "builder/mount.h"

static const char *get(__attribute__((unused)) const void *arg, struct str name)
{
	if (str_is(name, "home"))
		return "/root";
	if (str_is(name, "kind"))
		return "cache";
	return str_is(name, "list") ? "a,b" : NULL;
}

static const struct expander expander = { .escape = '\\', .get = get };

static void assert_text(const char *got, const char *want)
{
	if (!want)
		assert_null(got);
	else
		assert_string_equal(got, want);
}

TEST(options_are_read_with_their_defaults)
{
	static const struct {
		const char *text;
		struct mount want;
	} cases[] = {
		{ "target=/x",
		  { MOUNT_BIND, MOUNT_SHARED, (char *)"/x", NULL, NULL, NULL, NULL, true, false, 0,
		    -1, -1, -1 } },
		{ "type=bind,source=s,dst=t,from=stage,rw",
		  { MOUNT_BIND, MOUNT_SHARED, (char *)"t", (char *)"s", (char *)"stage", NULL, NULL,
		    false, false, 0, -1, -1, -1 } },
		{ "type=cache,target=/c",
		  { MOUNT_CACHE, MOUNT_SHARED, (char *)"/c", NULL, NULL, NULL, NULL, false, false,
		    0, -1, -1, -1 } },
		{ "TYPE=Cache,Destination=/c,ID=i,Sharing=LOCKED,mode=0700,uid=7,gid=8,ro",
		  { MOUNT_CACHE, MOUNT_LOCKED, (char *)"/c", NULL, NULL, (char *)"i", NULL, true,
		    false, 0, 0700, 7, 8 } },
		{ "type=tmpfs,target=/t,size=64m",
		  { MOUNT_TMPFS, MOUNT_SHARED, (char *)"/t", NULL, NULL, NULL, NULL, false, false,
		    64 << 20, -1, -1, -1 } },
		{ "type=secret,id=s,env=TOKEN,required",
		  { MOUNT_SECRET, MOUNT_SHARED, NULL, NULL, NULL, (char *)"s", (char *)"TOKEN",
		    true, true, 0, -1, -1, -1 } },
		{ "type=secret,target=/run/x,required=false,mode=400",
		  { MOUNT_SECRET, MOUNT_SHARED, (char *)"/run/x", NULL, NULL, NULL, NULL, true,
		    false, 0, 0400, -1, -1 } },
		{ "target=/x,z,Z",
		  { MOUNT_BIND, MOUNT_SHARED, (char *)"/x", NULL, NULL, NULL, NULL, true, false, 0,
		    -1, -1, -1 } },
		{ "type=ssh",
		  { MOUNT_SSH, MOUNT_SHARED, NULL, NULL, NULL, NULL, NULL, true, false, 0, -1, -1,
		    -1 } },
		{ "type=ssh,required=1,id=k,uid=1000",
		  { MOUNT_SSH, MOUNT_SHARED, NULL, NULL, NULL, (char *)"k", NULL, true, true, 0, -1,
		    1000, -1 } },
		/* values are expanded, one by one, after the record was cut */
		{ "type=$kind,target=$home/.cache,id=$list",
		  { MOUNT_CACHE, MOUNT_SHARED, (char *)"/root/.cache", NULL, NULL, (char *)"a,b",
		    NULL, false, false, 0, -1, -1, -1 } },
		{ "type=cache,target=/c,from=$none,id=$none",
		  { MOUNT_CACHE, MOUNT_SHARED, (char *)"/c", NULL, (char *)"$none", NULL, NULL,
		    false, false, 0, -1, -1, -1 } },
		{ "\"target=/a,b\",readonly=false",
		  { MOUNT_BIND, MOUNT_SHARED, (char *)"/a,b", NULL, NULL, NULL, NULL, false, false,
		    0, -1, -1, -1 } },
		{ "target=/x,target=/y,rw,ro",
		  { MOUNT_BIND, MOUNT_SHARED, (char *)"/y", NULL, NULL, NULL, NULL, true, false, 0,
		    -1, -1, -1 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mount) struct mount got = { 0 };
		const struct mount *want = &cases[i].want;

		assert_ok(mount_parse(str_of(cases[i].text), &expander, &got));
		assert_int_equal(got.type, want->type);
		assert_int_equal(got.sharing, want->sharing);
		assert_text(got.target, want->target);
		assert_text(got.source, want->source);
		assert_text(got.from, want->from);
		assert_text(got.id, want->id);
		assert_text(got.env, want->env);
		assert_int_equal(got.read_only, want->read_only);
		assert_int_equal(got.required, want->required);
		assert_int_equal(got.size, want->size);
		assert_int_equal(got.mode, want->mode);
		assert_int_equal(got.uid, want->uid);
		assert_int_equal(got.gid, want->gid);
	}
}

TEST(sizes_have_factors_of_1024)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "32b", 32 },
		{ "1k", 1024 },
		{ "1KB", 1024 },
		{ "1 KiB", 1024 },
		{ "1.5m", 3 << 19 },
		{ "2g", UINT64_C(2) << 30 },
		{ "1T", UINT64_C(1) << 40 },
		{ "1p", UINT64_C(1) << 50 },
	};
	static const char *const bad[] = { "",      "m",   "-1",    "1x",  "1mm",
					   "1.2.3", "1ib", "9999p", "1  k" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = xasprintf("type=tmpfs,target=/t,size=%s", cases[i].text);
		AUTO(mount) struct mount got = { 0 };

		assert_ok(mount_parse(str_of(text), &expander, &got));
		assert_int_equal(got.size, cases[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(mem) char *text = xasprintf("type=tmpfs,target=/t,size=%s", bad[i]);
		struct mount got;

		assert_fails(mount_parse(str_of(text), &expander, &got), ERR_INVALID);
	}
}

TEST(what_a_type_does_not_know_is_refused)
{
	static const char *const cases[][2] = {
		{ "", "no value" },
		{ "type=bind", "needs a target" },
		{ "type=cache", "needs a target" },
		{ "type=tmpfs,size=1", "needs a target" },
		{ "target=", "needs a target" },
		{ "type=cach,target=/x", "unsupported mount type 'cach' (did you mean cache?)" },
		{ "type=,target=/x", "unsupported mount type" },
		{ "target=/x,surce=y", "unexpected key 'surce' (did you mean source?)" },
		{ "target=/x,z=y", "unexpected key 'z'" },
		{ "target", "'target' is not of the form key=value" },
		{ "target=/x,nonsense", "'nonsense' is not of the form key=value" },
		{ "target=/x,", "'' is not of the form key=value" },
		{ "target=/x,uid=1", "unexpected key 'uid' for mount type 'bind'" },
		{ "target=/x,mode=0755", "unexpected key 'mode' for mount type 'bind'" },
		{ "type=tmpfs,target=/x,gid=1", "unexpected key 'gid' for mount type 'tmpfs'" },
		{ "target=/x,sharing=locked", "unexpected key 'sharing' for mount type 'bind'" },
		{ "target=/x,size=1", "unexpected key 'size' for mount type 'bind'" },
		{ "target=/x,required", "unexpected key 'required' for mount type 'bind'" },
		{ "type=tmpfs,target=/x,size=1,type=bind", "unexpected key 'size'" },
		{ "type=ssh,required,type=cache,target=/x", "unexpected key 'required'" },
		{ "type=cache,target=/x,env=Y", "unexpected key 'env'" },
		{ "type=tmpfs,target=/x,from=y", "unexpected key 'from'" },
		{ "type=tmpfs,target=/x,source=y", "unexpected key 'source'" },
		{ "type=tmpfs,target=/x,id=y", "unexpected key 'id'" },
		/* the type seen so far counts */
		{ "required,type=secret,id=x", "unexpected key 'required' for mount type 'bind'" },
		{ "size=1,type=tmpfs,target=/x", "unexpected key 'size' for mount type 'bind'" },
		{ "type=cache,target=/x,sharing=loked", "did you mean locked?" },
		{ "type=cache,target=/x,mode=9", "mode: " },
		{ "type=cache,target=/x,mode=a", "mode: " },
		{ "type=cache,target=/x,uid=-1", "uid: " },
		{ "type=cache,target=/x,gid=4294967296", "gid: " },
		{ "target=/x,rw=maybe", "is either true or false" },
		{ "type=secret", "needs an id, a source or a target" },
		{ "type=secret,env=x", "needs an id, a source or a target" },
		{ "type=secret,id=a,source=b", "either a source or an id" },
		{ "type=secret,id=a,from=b", "has no from" },
		{ "type=ssh,source=x", "has no source" },
		{ "a\"b", "quote" },
		{ "target=${", "missing '}'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mount got = { 0 };
		AUTO(err) struct err *err = mount_parse(str_of(cases[i][0]), &expander, &got);

		assert_int_equal(err_kind(err), ERR_INVALID);
		assert_null(got.target);
		if (!strstr(err_text(err), cases[i][1]))
			fail_msg("%s: %s", cases[i][0], err_text(err));
	}
}

TEST(the_source_stage_is_known_before_expansion)
{
	static const char *const cases[][2] = {
		{ "type=bind,from=builder,target=/x", "builder" },
		{ "FROM=a,from=b", "b" },
		{ "target=/x", NULL },
		{ "from=", NULL },
		{ "target=$x,type=$y", NULL },
		{ "from=a$", "a$" },
		{ "from=${a:-b}", "${a:-b}" }, /* not yet filled in */
	};
	static const char *const bad[] = { "from=\"x", "" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *from = NULL;

		assert_ok(mount_parse_from(str_of(cases[i][0]), &from));
		assert_text(from, cases[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *from = NULL;

		assert_fails(mount_parse_from(str_of(bad[i]), &from), ERR_INVALID);
		assert_null(from);
	}
}

TEST(one_of_the_command_line_is_checked_as_far_as_it_can_be)
{
	static const char *const good[] = { "target=/x", "type=cache,target=$place",
					    "type=secret,id=s", "type=${kind},target=/x" };
	static const char *const bad[] = { "/data:/data", "type=cache", "type=nothing,target=/x",
					   "\"target=$place", "" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_ok(mount_check(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_fails(mount_check(bad[i]), ERR_INVALID);
}

TEST(types_have_names)
{
	assert_string_equal(mount_type_name(MOUNT_BIND), "bind");
	assert_string_equal(mount_type_name(MOUNT_SSH), "ssh");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_read_with_their_defaults),
		cmocka_unit_test(sizes_have_factors_of_1024),
		cmocka_unit_test(what_a_type_does_not_know_is_refused),
		cmocka_unit_test(the_source_stage_is_known_before_expansion),
		cmocka_unit_test(one_of_the_command_line_is_checked_as_far_as_it_can_be),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
