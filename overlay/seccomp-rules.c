/* overlay/seccomp-rules.c - see overlay/seccomp-rules.h. */

#include "overlay/seccomp-rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "base/json.h"
#include "overlay/capability.h"

#define PROFILE_MAX ((size_t)1024 * 1024)

#if defined(__x86_64__)
#define OUR_ARCH "amd64"
#define OUR_SCMP SCMP_ARCH_X86_64
#else
#define OUR_ARCH "arm64"
#define OUR_SCMP SCMP_ARCH_AARCH64
#endif

static const struct {
	const char *name;
	uint32_t value;
} architectures[] = {
	{ "SCMP_ARCH_X86", SCMP_ARCH_X86 },         { "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64 },
	{ "SCMP_ARCH_X32", SCMP_ARCH_X32 },         { "SCMP_ARCH_ARM", SCMP_ARCH_ARM },
	{ "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64 },
};

/* Those that carry no number. */
static const struct {
	const char *name;
	uint32_t value;
} plain[] = {
	{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
	{ "SCMP_ACT_LOG", SCMP_ACT_LOG },
	{ "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD },
	{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
	{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
};

static const struct {
	const char *name;
	enum scmp_compare value;
} comparisons[] = {
	{ "SCMP_CMP_NE", SCMP_CMP_NE },
	{ "SCMP_CMP_LT", SCMP_CMP_LT },
	{ "SCMP_CMP_LE", SCMP_CMP_LE },
	{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
	{ "SCMP_CMP_GE", SCMP_CMP_GE },
	{ "SCMP_CMP_GT", SCMP_CMP_GT },
	{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

void seccomp_rules_release(struct seccomp_rules *rules)
{
	vec_foreach (&rules->list, rule)
		strings_release(&rule->names);
	vec_release(&rules->list);
}

/* ---- words ---- */

/* `number` is the errno or the message that some actions carry; absent: EPERM. */
static struct err *read_action(const struct json_at *at, const struct json_at *number,
			       uint32_t *ret)
{
	const char *name = NULL;
	uint64_t code = EPERM;

	TRY(json_get_text(at, &name));
	TRY(json_get_optional_size(number, &code));
	if (code > 4095)
		return json_error(number, "more than 4095");
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (strcmp(plain[i].name, name) == 0) {
			*ret = plain[i].value;
			return NULL;
		}
	}
	if (strcmp(name, "SCMP_ACT_ERRNO") != 0)
		return json_error(at, "action '%.80s' is not known", name);
	*ret = SCMP_ACT_ERRNO((uint32_t)code);
	return NULL;
}

static struct err *add_architecture(const struct json_at *at, struct seccomp_rules *ret)
{
	const char *name = NULL;

	TRY(json_get_text(at, &name));
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++) {
		if (strcmp(architectures[i].name, name) != 0)
			continue;
		for (unsigned k = 0; k < ret->architecture_count; k++)
			if (ret->architectures[k] == architectures[i].value)
				return NULL;
		if (architectures[i].value != OUR_SCMP)
			ret->architectures[ret->architecture_count++] = architectures[i].value;
	}
	return NULL;
}

static struct err *add_architectures(const struct json_at *list, struct seccomp_rules *ret)
{
	if (list->value)
		TRY(json_expect_array(list));
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_at at = json_element(list, i);

		TRY(add_architecture(&at, ret));
	}
	return NULL;
}

/* Those that go with the machine's own. */
static struct err *read_architectures(const struct json_at *root, struct seccomp_rules *ret)
{
	const struct json_at flat = json_member(root, "architectures");
	const struct json_at map = json_member(root, "archMap");

	TRY(add_architectures(&flat, ret));
	if (map.value)
		TRY(json_expect_array(&map));
	for (size_t i = 0; i < json_length(&map); i++) {
		const struct json_at each = json_element(&map, i);
		const struct json_at name_at = json_member(&each, "architecture");
		const struct json_at more = json_member(&each, "subArchitectures");
		const char *name = NULL;

		TRY(json_get_text(&name_at, &name));
		for (size_t k = 0; k < ARRAY_SIZE(architectures); k++)
			if (architectures[k].value == OUR_SCMP &&
			    strcmp(architectures[k].name, name) == 0)
				TRY(add_architectures(&more, ret));
	}
	return NULL;
}

/* ---- conditions ---- */

/* Whether the kernel is "4.8" or newer. */
static struct err *is_kernel(const struct json_at *at, bool *ret)
{
	const char *text = NULL;
	struct utsname name;
	uint64_t want[2] = { 0 }, have[2] = { 0 };
	struct str rest, here;

	*ret = true;
	TRY(json_get_optional_text(at, &text));
	if (!text || !text[0])
		return NULL;
	uname(&name);
	rest = str_of(text);
	here = str_of(name.release);
	for (size_t i = 0; i < 2; i++) {
		struct str part = str_cut(&here, '.');

		part.len = strspn(part.at, "0123456789");
		if (part.len > 0 && part.len < 10)
			TRY(num_parse(part, 0, UINT32_MAX, &have[i]));
		if (!rest.at)
			continue;
		part = str_cut(&rest, '.');
		if (!part.len || part.len > 9 || strspn(part.at, "0123456789") < part.len)
			return json_error(at, "'%.40s' is no version of a kernel", text);
		TRY(num_parse(part, 0, UINT32_MAX, &want[i]));
	}
	*ret = have[0] > want[0] || (have[0] == want[0] && have[1] >= want[1]);
	return NULL;
}

/* How many of the names are those of capabilities that the step has, and of how many. */
static struct err *count_capabilities(const struct json_at *list, uint64_t capabilities,
				      size_t *ret)
{
	*ret = 0;
	if (list->value)
		TRY(json_expect_array(list));
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_at at = json_element(list, i);
		const char *name = NULL;
		int number;

		TRY(json_get_text(&at, &name));
		number = capability_number(name);
		*ret += number >= 0 && capabilities >> number & 1;
	}
	return NULL;
}

static struct err *has_our_architecture(const struct json_at *list, bool *ret)
{
	*ret = false;
	if (list->value)
		TRY(json_expect_array(list));
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_at at = json_element(list, i);
		const char *name = NULL;

		TRY(json_get_text(&at, &name));
		*ret = *ret || strcmp(name, OUR_ARCH) == 0;
	}
	return NULL;
}

static struct err *applies(const struct json_at *rule, uint64_t capabilities, bool *ret)
{
	const struct json_at with = json_member(rule, "includes");
	const struct json_at without = json_member(rule, "excludes");
	const struct json_at with_caps = json_member(&with, "caps");
	const struct json_at without_caps = json_member(&without, "caps");
	const struct json_at with_arches = json_member(&with, "arches");
	const struct json_at without_arches = json_member(&without, "arches");
	const struct json_at kernel_at = json_member(&with, "minKernel");
	const struct json_at other_kernel_at = json_member(&without, "minKernel");
	size_t held = 0, excluded = 0;
	bool ours, others, kernel, other_kernel;

	TRY(count_capabilities(&with_caps, capabilities, &held));
	TRY(count_capabilities(&without_caps, capabilities, &excluded));
	TRY(has_our_architecture(&with_arches, &ours));
	TRY(has_our_architecture(&without_arches, &others));
	TRY(is_kernel(&kernel_at, &kernel));
	TRY(is_kernel(&other_kernel_at, &other_kernel));
	*ret = held == json_length(&with_caps) && excluded == 0 &&
	       (ours || json_length(&with_arches) == 0) && !others && kernel &&
	       !(other_kernel_at.value && other_kernel);
	return NULL;
}

/* ---- rules ---- */

static struct err *read_arg(const struct json_at *at, struct scmp_arg_cmp *ret)
{
	const struct json_at index_at = json_member(at, "index"), op_at = json_member(at, "op");
	const struct json_at value_at = json_member(at, "value");
	const struct json_at second_at = json_member(at, "valueTwo");
	uint64_t index = 0, value = 0, second = 0;
	const char *op = NULL;

	TRY(json_get_optional_size(&index_at, &index));
	TRY(json_get_optional_size(&value_at, &value));
	TRY(json_get_optional_size(&second_at, &second));
	TRY(json_get_text(&op_at, &op));
	if (index >= SECCOMP_ARGS_MAX)
		return json_error(&index_at, "a system call has %d arguments", SECCOMP_ARGS_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++) {
		if (strcmp(comparisons[i].name, op) != 0)
			continue;
		*ret = (struct scmp_arg_cmp){ .arg = (unsigned)index,
					      .op = comparisons[i].value,
					      .datum_a = value,
					      .datum_b = second };
		return NULL;
	}
	return json_error(&op_at, "'%.80s' is no comparison", op);
}

/* Comparisons of one argument twice cannot be one rule: each stands alone, as runc has it. */
static struct err *read_args(const struct json_at *list, struct seccomp_rule *ret)
{
	unsigned seen = 0;

	if (list->value)
		TRY(json_expect_array(list));
	if (json_length(list) > SECCOMP_ARGS_MAX)
		return json_error(list, "more than %d", SECCOMP_ARGS_MAX);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_at at = json_element(list, i);
		struct scmp_arg_cmp *arg = &ret->args[ret->arg_count];

		TRY(read_arg(&at, arg));
		ret->any = ret->any || seen >> arg->arg & 1;
		seen |= 1U << arg->arg;
		ret->arg_count++;
	}
	return NULL;
}

static struct err *read_rule(const struct json_at *at, uint64_t capabilities,
			     struct seccomp_rules *rules)
{
	const struct json_at action_at = json_member(at, "action");
	const struct json_at code_at = json_member(at, "errnoRet");
	const struct json_at names_at = json_member(at, "names");
	const struct json_at name_at = json_member(at, "name");
	const struct json_at args_at = json_member(at, "args");
	struct seccomp_rule *rule;
	const char *name = NULL;
	bool wanted = false;

	TRY(json_expect_object(at));
	rule = vec_add(&rules->list);
	TRY(read_action(&action_at, &code_at, &rule->action));
	TRY(json_get_optional_texts(&names_at, &rule->names));
	TRY(json_get_optional_text(&name_at, &name));
	if (name)
		strings_push(&rule->names, name);
	if (rule->names.len == 0)
		return json_error(at, "no names");
	TRY(read_args(&args_at, rule));
	TRY(applies(at, capabilities, &wanted));
	if (!wanted || rule->action == rules->action) {
		strings_release(&rule->names);
		rules->list.len--;
	}
	return NULL;
}

struct err *seccomp_rules_parse(struct str text, const char *what, uint64_t capabilities,
				struct seccomp_rules *ret)
{
	AUTO(json) json_t *doc = NULL;
	struct json_at root, action_at, code_at, list;

	TRY(json_parse(text, PROFILE_MAX, what, &doc));
	root = json_root(doc, what);
	TRY(json_expect_object(&root));
	action_at = json_member(&root, "defaultAction");
	code_at = json_member(&root, "defaultErrnoRet");
	list = json_member(&root, "syscalls");
	TRY(read_action(&action_at, &code_at, &ret->action));
	TRY(read_architectures(&root, ret));
	if (list.value)
		TRY(json_expect_array(&list));
	for (size_t i = 0; i < json_length(&list); i++) {
		const struct json_at at = json_element(&list, i);

		TRY(read_rule(&at, capabilities, ret));
	}
	return NULL;
}

/* ---- as a document ---- */

static void set_action(json_t *object, const char *key, const char *number_key, uint32_t action)
{
	if ((action & 0xffff0000U) == SCMP_ACT_ERRNO(0)) {
		json_set_text(object, key, "SCMP_ACT_ERRNO");
		json_set(object, number_key, json_integer(action & 0xffffU));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (plain[i].value == action) {
			json_set_text(object, key, plain[i].name);
			return;
		}
	}
}

static json_t *format_arg(const struct scmp_arg_cmp *arg)
{
	json_t *object = json_object();

	json_set(object, "index", json_integer(arg->arg));
	json_set(object, "value", json_integer((json_int_t)arg->datum_a));
	if (arg->op == SCMP_CMP_MASKED_EQ)
		json_set(object, "valueTwo", json_integer((json_int_t)arg->datum_b));
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++)
		if (comparisons[i].value == arg->op)
			json_set_text(object, "op", comparisons[i].name);
	return object;
}

static json_t *format_rule(const struct seccomp_rule *rule)
{
	json_t *object = json_object();
	json_t *args = json_array();

	json_set(object, "names", json_texts(&rule->names));
	set_action(object, "action", "errnoRet", rule->action);
	for (unsigned i = 0; i < rule->arg_count; i++)
		json_push(args, format_arg(&rule->args[i]));
	if (rule->arg_count)
		json_set(object, "args", args);
	else
		json_decref(args);
	return object;
}

static void push_architecture(json_t *list, uint32_t value)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].value == value)
			json_push(list, json_text(str_of(architectures[i].name)));
}

json_t *seccomp_rules_format(const struct seccomp_rules *rules)
{
	json_t *object = json_object();
	json_t *arches = json_array();
	json_t *list = json_array();

	set_action(object, "defaultAction", "defaultErrnoRet", rules->action);
	push_architecture(arches, OUR_SCMP);
	for (unsigned i = 0; i < rules->architecture_count; i++)
		push_architecture(arches, rules->architectures[i]);
	json_set(object, "architectures", arches);
	vec_foreach (&rules->list, rule)
		json_push(list, format_rule(rule));
	json_set(object, "syscalls", list);
	return object;
}
