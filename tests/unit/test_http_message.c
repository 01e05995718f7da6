/* tests/unit/test_http_message.c - headers are found, media types are bare. */

#include "tests/unit/unit.h"

#include "base/mem.h"
#include "base/vec.h"
#include "registry/http.h"

static struct http_response *response_with(const char *const *lines)
{
	struct http_response *response = xcalloc(1, sizeof(*response));

	for (; *lines; lines++)
		strings_push(&response->headers, *lines);
	return response;
}

TEST(finds_headers_without_regard_to_case)
{
	static const char *const lines[] = { "Location: /v2/a", "X-Link: no", "LINK: <one>",
					     "link:<two>",      "Empty:",     NULL };
	AUTO(http_response) struct http_response *response = response_with(lines);
	size_t at = 0;

	assert_string_equal(http_header(response, "location"), "/v2/a");
	assert_string_equal(http_header(response, "Empty"), "");
	assert_null(http_header(response, "Loc"));
	assert_null(http_header(response, "Locations"));
	assert_string_equal(http_header_next(response, "Link", &at), "<one>");
	assert_string_equal(http_header_next(response, "Link", &at), "<two>");
	assert_null(http_header_next(response, "Link", &at));
	assert_null(http_header_next(response, "Link", &at));
}

TEST(media_types_lose_parameters_and_case)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "Content-Type: text/html; charset=utf-8", "text/html" },
		{ "content-type:Application/JSON", "application/json" },
		{ "Content-Type:  application/vnd.oci.image.index.v1+json \t",
		  "application/vnd.oci.image.index.v1+json" },
		{ "Content-Type: a/b ;q=1", "a/b" },
		{ "Content-Type:", "" },
		{ "X-Content-Type: a/b", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const lines[] = { cases[i].line, NULL };
		AUTO(http_response) struct http_response *response = response_with(lines);
		AUTO(mem) char *type = http_media_type(response);

		assert_string_equal(type, cases[i].want);
	}
}

TEST(methods_have_their_names)
{
	assert_string_equal(http_method_name(HTTP_GET), "GET");
	assert_string_equal(http_method_name(HTTP_PATCH), "PATCH");
	assert_string_equal(http_method_name(HTTP_DELETE), "DELETE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_headers_without_regard_to_case),
		cmocka_unit_test(media_types_lose_parameters_and_case),
		cmocka_unit_test(methods_have_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
