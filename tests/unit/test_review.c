/* tests/unit/test_review.c - what the parser remarks, and what it leaves alone. */

#include "tests/unit/unit.h"

#include "builder/parse.h"

TEST(doubtful_things_are_remarked)
{
	static const char *const cases[][2] = {
		/* the rules with their lines, in order */
		{ "FROM a\nRUN b\n", "" },
		{ "FROM a AS Build\n", "1 StageNameCasing" },
		{ "FROM a as b\n", "1 FromAsCasing" },
		{ "from a as b\n", "" },
		{ "from a AS b\n", "1 FromAsCasing" },
		{ "FROM a\nrun b\nCMD [\"x\"]\n", "2 ConsistentInstructionCasing" },
		{ "from a\nrun b\nCMD [\"x\"]\n", "3 ConsistentInstructionCasing" },
		{ "FROM a\nRun b\n", "2 ConsistentInstructionCasing" },
		{ "FROM a AS b\nFROM c AS B\n", "2 DuplicateStageName|2 StageNameCasing" },
		{ "FROM a AS scratch\n", "1 ReservedStageName" },
		{ "FROM a AS context\n", "1 ReservedStageName" },
		{ "FROM --platform=$TARGETPLATFORM a\n", "1 RedundantTargetPlatform" },
		{ "FROM --platform=${TARGETPLATFORM} a\n", "1 RedundantTargetPlatform" },
		{ "FROM --platform=$BUILDPLATFORM a\n", "" },
		{ "FROM --platform=linux/arm64 a\n", "1 FromPlatformFlagConstDisallowed" },
		{ "FROM --platform=linux/arm64 a AS build\n", "1 FromPlatformFlagConstDisallowed" },
		{ "FROM --platform=linux/arm64 a AS build-arm64\n", "" },
		{ "FROM --platform=arm64 a AS linux-x\n", "" }, /* it is linux/arm64 */
		{ "# syntax=docker/dockerfile:1\nFROM a\n", "" },
		{ "# syntax=docker.io/docker/dockerfile:1.4-labs\nFROM a\n", "" },
		{ "# syntax=docker/dockerfile-upstream:1.26\nFROM a\n", "" },
		{ "# syntax=docker/dockerfile-upstream:master-labs\nFROM a\n", "" },
		{ "# syntax=dockerfile.v0\nFROM a\n", "" }, /* the one that is built in */
		{ "# syntax=docker/dockerfile:0.9\nFROM a\n", "1 UnknownSyntax" },
		{ "#!/usr/bin/x\n# syntax=example/other:1\nFROM a\n", "1 UnknownSyntax" },
		{ "#!/usr/bin/x\n# check=skip=all\nFROM a as B\n", "" },
		{ "# syntax=example/other:1\nFROM a\n", "1 UnknownSyntax" },
		{ "# syntax=example/other:1 --flag\nFROM a\n", "1 UnknownSyntax" },
		{ "FROM a\nMAINTAINER b\n", "2 MaintainerDeprecated" },
		{ "FROM a\nENV b c\nLABEL d e\n", "2 LegacyKeyValueFormat|3 LegacyKeyValueFormat" },
		{ "FROM a\nRUN b\\\n\n c\n", "3 NoEmptyContinuation" },
		{ "FROM a\nRUN b\\\n# c\n d\n", "" },
		/* shell form */
		{ "FROM a\nCMD b\n", "2 JSONArgsRecommended" },
		{ "FROM a\nENTRYPOINT b\n", "2 JSONArgsRecommended" },
		{ "FROM a\nRUN b\nCMD [\"c\"]\n", "" },
		{ "FROM a\nSHELL [\"b\"]\nRUN x\nCMD c\n", "" },
		{ "FROM a AS b\nSHELL [\"b\"]\nFROM b\nCMD c\n", "" },
		{ "FROM a\nSHELL [\"b\"]\nFROM b\nCMD c\n", "4 JSONArgsRecommended" },
		/* only the last one counts, so the ones before are remarked */
		{ "FROM a\nCMD [\"b\"]\nCMD [\"c\"]\nCMD [\"d\"]\n",
		  "2 MultipleInstructionsDisallowed|3 MultipleInstructionsDisallowed" },
		{ "FROM a\nHEALTHCHECK NONE\nHEALTHCHECK NONE\n",
		  "2 MultipleInstructionsDisallowed" },
		{ "FROM a\nCMD [\"b\"]\nFROM c\nCMD [\"c\"]\n", "" },
		{ "FROM a\nUSER b\nUSER c\n", "" },
		/* secrets */
		{ "FROM a\nENV DB_PASSWORD=x\nARG token\n",
		  "2 SecretsUsedInArgOrEnv|3 SecretsUsedInArgOrEnv" },
		{ "FROM a\nENV PUBLIC_KEY=x KEY_FILE=y TOKENS=z MONKEY=1\n", "" },
		/* silenced */
		{ "# check=skip=JSONArgsRecommended\nFROM a\nCMD b\n", "" },
		{ "# check=skip=all\nFROM a as B\nCMD b\n", "" },
		{ "FROM a\n# check=skip=JSONArgsRecommended\nCMD b\n", "" },
		{ "FROM a\n# check=skip=JSONArgsRecommended\n\nCMD b\n", "4 JSONArgsRecommended" },
		{ "# c\n# check=skip=StageNameCasing\nFROM a AS B\n", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf got = BUF_INIT(1000);
		struct recipe *recipe = NULL;

		assert_ok(recipe_parse("R", str_of(cases[i][0]), &recipe));
		vec_foreach (&recipe->lints, lint) {
			buf_addf(&got, "%s%u %s", got.len ? "|" : "", lint->position.line,
				 lint->rule);
			assert_true(lint->text[0] != '\0');
		}
		recipe_free(recipe);
		assert_string_equal(buf_str(&got).at, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubtful_things_are_remarked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
