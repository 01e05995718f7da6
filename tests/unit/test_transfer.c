/* tests/unit/test_transfer.c - what transfers look like, at fixed widths and a fixed clock. */

#include "tests/unit/unit.h"

#include <string.h>

#include "cli/transfer_frame.h"
#include "cli/width.h"

#define S UINT64_C(1000000000)
#define MB UINT64_C(1000000)
#define DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static const struct term_size wide = { 80, 24 };

static void model_auto_(struct transfer_model *model)
{
	transfer_model_release(model);
}

/* Two blobs of which one has ended, and one with a name that means harm. */
static void tell_story(struct transfer_model *model)
{
	transfer_item_begin(model, 1, DIGEST, 40 * MB, 100 * S);
	transfer_item_begin(model, 3, "evil\033[2J", 0, 100 * S);
	transfer_item_begin(model, 2, DIGEST, 1 * MB, 100 * S);
	transfer_item_find(model, 2)->done = 1 * MB;
	transfer_item_end(transfer_item_find(model, 2), true, 101 * S);
	transfer_item_find(model, 1)->done = 10 * MB;
	transfer_item_find(model, 3)->done = 500;
}

static void expect_frame(struct transfer_model *model, struct term_size size, uint64_t now,
			 const char *want)
{
	AUTO(buf) struct buf frame = BUF_INIT(65536);

	transfer_frame(model, size, now, &frame);
	assert_string_equal(frame.at ? frame.at : "", want);
}

TEST(shows_bytes_rate_and_time_left)
{
	AUTO(model) struct transfer_model model = { 0 };

	tell_story(&model);
	/* 10 MB in 2 s: 5 MB/s, and 30 MB are 6 s more */
	expect_frame(
		&model, wide, 102 * S,
		"transferring  2.0s  1 of 3 done, 11 MB, 5.5 MB/s\n"
		"  9f86d081884c  ######--------------------  10 MB of 40 MB  5.0 MB/s  6.0s left\n"
		"  evil\\x1b[2J  500 B  250 B/s\n");
}

TEST(a_rate_follows_what_comes_of_late)
{
	AUTO(model) struct transfer_model model = { 0 };
	AUTO(buf) struct buf line = BUF_INIT(4096);
	struct transfer_item *item;

	tell_story(&model);
	item = transfer_item_find(&model, 1);
	transfer_line_progress(item, 102 * S, &line);
	item->done += 20 * MB;
	transfer_line_progress(item, 103 * S, &line);
	/* 0.6 of 5 MB/s and 0.4 of 20 MB/s */
	assert_string_equal(line.at, "9f86d081884c 10 MB of 40 MB, 5.0 MB/s, 6.0s left\n"
				     "9f86d081884c 30 MB of 40 MB, 11 MB/s, 0.9s left\n");
}

TEST(no_line_is_as_wide_as_the_terminal)
{
	AUTO(model) struct transfer_model model = { 0 };

	tell_story(&model);
	for (unsigned columns = 10; columns < 130; columns++) {
		AUTO(buf) struct buf frame = BUF_INIT(65536);
		struct str rest;

		transfer_frame(&model, (struct term_size){ columns, 24 }, 102 * S, &frame);
		rest = buf_str(&frame);
		while (rest.len > 0)
			assert_in_range(width_of(str_cut(&rest, '\n')), 1, columns - 1);
	}
}

TEST(a_frame_fits_on_a_low_screen)
{
	AUTO(model) struct transfer_model model = { 0 };
	AUTO(buf) struct buf frame = BUF_INIT(65536);
	size_t lines = 0;

	for (uint64_t id = 1; id <= 50; id++)
		transfer_item_begin(&model, id, DIGEST, MB, 100 * S);
	transfer_frame(&model, (struct term_size){ 80, 10 }, 101 * S, &frame);
	for (size_t i = 0; i < frame.len; i++)
		lines += frame.at[i] == '\n';
	assert_int_equal(lines, 9); /* and the cursor's */
}

TEST(nothing_is_shown_of_nothing)
{
	AUTO(model) struct transfer_model model = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(4096);

	expect_frame(&model, wide, 102 * S, "");
	transfer_summary(&model, wide, 102 * S, &text);
	assert_int_equal(text.len, 0);
}

TEST(lines_tell_how_it_ended)
{
	AUTO(model) struct transfer_model model = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(4096);
	struct transfer_item *item;

	tell_story(&model);
	transfer_line_begin(transfer_item_find(&model, 1), &text);
	transfer_line_end(transfer_item_find(&model, 2), &text);
	transfer_item_end(transfer_item_find(&model, 1), false, 103 * S);
	transfer_line_end(transfer_item_find(&model, 1), &text);
	item = transfer_item_begin(&model, 4, DIGEST, 5 * MB, 103 * S);
	transfer_item_end(item, true, 104 * S);
	transfer_line_end(item, &text);
	transfer_summary(&model, wide, 104 * S, &text);
	assert_string_equal(text.at, "9f86d081884c 40 MB\n"
				     "9f86d081884c done in 1.0s, 1.0 MB/s\n"
				     "9f86d081884c failed in 3.0s\n"
				     "9f86d081884c is there already\n"
				     "11 MB in 4.0s, 2.8 MB/s, 1 failed\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_bytes_rate_and_time_left),
		cmocka_unit_test(a_rate_follows_what_comes_of_late),
		cmocka_unit_test(no_line_is_as_wide_as_the_terminal),
		cmocka_unit_test(a_frame_fits_on_a_low_screen),
		cmocka_unit_test(nothing_is_shown_of_nothing),
		cmocka_unit_test(lines_tell_how_it_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
