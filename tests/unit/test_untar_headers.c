/* tests/unit/test_untar_headers.c - headers that a tool once wrote, and some that none should. */

#include "tests/unit/archive.h"

TEST(accepts_what_some_tool_has_once_written)
{
	const struct {
		struct piece pieces[PIECES];
		const char *want;
	} cases[] = {
		/* ends */
		{ { { .name = NULL } }, "" },
		{ { ZEROS(512) }, "" },
		{ { ZEROS(1024) }, "" },
		{ { ZEROS(1024), { .type = RAW, .name = "", BODY("rubbish behind the end") } },
		  "" },
		{ { { .type = '0', .name = "f" } }, "f 644 0:0 0 0 f\n" },
		{ { FOLLOWER, ZEROS(512) }, NEXT },
		/* types */
		{ { { .type = '\0',
		      .name = "old/",
		      BODY("skipped"),
		      .patch = { { MAGIC, STR("\0\0\0\0\0\0\0\0") } } },
		    FOLLOWER },
		  "d 644 0:0 0 0 old/\n" NEXT },
		{ { { .type = '0', .name = "dir/", BODY("skipped") }, FOLLOWER },
		  "d 644 0:0 0 0 dir/\n" NEXT },
		{ { { .type = '7', .name = "c", BODY("1") },
		    { .type = '9', .name = "d", BODY("2") },
		    { .type = 'a', .name = "e" },
		    { .type = '\xff', .name = "f" } },
		  "f 644 0:0 1 0 c 1\nf 644 0:0 1 0 d 2\nf 644 0:0 0 0 e\nf 644 0:0 0 0 f\n" },
		{ { { .type = 'D', .name = "dump/", BODY("Yfile\0\0") }, FOLLOWER },
		  "d 644 0:0 0 0 dump/\n" NEXT },
		{ { { .type = 'V', .name = "label" }, FOLLOWER }, NEXT },
		{ { { .type = 'V', .name = "label", BODY("of a volume") }, FOLLOWER }, NEXT },
		{ { { .type = 'X', .name = "sun", BODY("12 path=sun\n") }, FOLLOWER },
		  "f 644 0:0 1 0 sun n\n" },
		/* sizes that do not count */
		{ { { .type = '1',
		      .name = "h",
		      .patch = { { SIZE, STR("00000000077") }, { LINK, STR("t") } } },
		    { .type = '2',
		      .name = "l",
		      .patch = { { SIZE, STR("00000000077") }, { LINK, STR("t") } } },
		    { .type = '5', .name = "d", .patch = { { SIZE, STR("77777777777") } } },
		    { .type = '6', .name = "p", .patch = { { SIZE, STR("\xff~~~~~~~~~~~") } } },
		    FOLLOWER },
		  "h 644 0:0 0 0 h -> t\nl 644 0:0 0 0 l -> t\nd 644 0:0 0 0 d\n"
		  "p 644 0:0 0 0 p\n" NEXT },
		/* numbers */
		{ { { .type = '0',
		      .name = "f",
		      .patch = { { MODE, STR(" 100644 ") },
				 { UID, STR("     7 \0") },
				 { UID + 8, STR("\0\0 0005 ") },
				 { MTIME, STR("\0\0\0\0\0\0\0\0\0\0\0\0") } } } },
		  "f 644 7:5 0 0 f\n" },
		{ { { .type = '0',
		      .name = "f",
		      .patch = { { UID, STR("\x80\0\0\0\xff\xff\xff\xfe") },
				 { MTIME,
				   STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe") } } } },
		  "f 644 4294967294:0 0 -2 f\n" },
		{ { { .type = '3',
		      .name = "c",
		      .patch = { { MAJOR, STR("0007777") }, { MINOR, STR("3777777") } } } },
		  "c 644 0:0 0 0 c 4095,1048575\n" },
		{ { { .type = '0', .name = "f", .patch = { { MODE, STR("0107777") } } } },
		  "f 7777 0:0 0 0 f\n" },
		/* names */
		{ { { .type = '0', .name = A100, .patch = { { PREFIX, STR(A155) } } } },
		  "f 644 0:0 0 0 a*155/a*100\n" },
		{ { { .type = '0',
		      .name = "name",
		      .patch = { { PREFIX, STR(A100 A10 A10 A10 "b") },
				 { 508, STR("tar\0") },
				 { PREFIX + 131, STR("14371234567\0") } } } },
		  "f 644 0:0 0 0 a*130b/name\n" },
		{ { { .type = '0',
		      .name = "name",
		      .patch = { { MAGIC, STR("ustar  \0") },
				 { PREFIX, STR("14371234567\00014371234567\0") } } } },
		  "f 644 0:0 0 0 name\n" },
		{ { { .type = '0',
		      .name = "name",
		      .patch = { { MAGIC, STR("ustar  \0") },
				 { PREFIX, STR("go/wrote/this") } } } },
		  "f 644 0:0 0 0 go/wrote/this/name\n" },
		{ { { .type = '0',
		      .name = "name",
		      .patch = { { MAGIC, STR("ustar  \0") },
				 { PREFIX, STR("14371234567\0go") } } } },
		  "f 644 0:0 0 0 14371234567/name\n" },
		{ { { .type = '0',
		      .name = "name",
		      .patch = { { MAGIC, STR("ustar  \0") },
				 { PREFIX, STR("no ASCII: \xff") } } } },
		  "f 644 0:0 0 0 name\n" },
		{ { { .type = 'S',
		      .name = "name",
		      .patch = { { MAGIC, STR("ustar  \0") }, { PREFIX, STR("no prefix") } } } },
		  "f 644 0:0 0 0 name\n" },
		{ { { .type = '0',
		      .name = "name",
		      .patch = { { MAGIC, STR("\0\0\0\0\0\0\0\0") },
				 { PREFIX, STR("version 7 has none") } } } },
		  "f 644 0:0 0 0 name\n" },
		{ { { .type = 'L', .name = "././@LongLink", BODY(A155 "\0") },
		    { .type = 'K', .name = "././@LongLink", BODY("the/target\0") },
		    { .type = '2', .name = "aaa", .patch = { { LINK, STR("the") } } },
		    FOLLOWER },
		  "l 644 0:0 0 0 a*155 -> the/target\n" NEXT },
		{ { { .type = 'L', .name = "", BODY("same\0") },
		    { .type = PAX, .name = "", BODY("path=same") },
		    FOLLOWER },
		  "f 644 0:0 1 0 same n\n" },
		/* pax */
		{ { { .type = PAX,
		      .name = "",
		      BODY("path=p|linkpath=to|uid=1|gid=2|mtime=3.9|size=0|comment=\xff") },
		    { .type = '2', .name = "n", .patch = { { LINK, STR("t") } } } },
		  "l 644 1:2 0 3 p -> to\n" },
		{ { { .type = PAX, .name = "", BODY("path=a|path=b|uid=5|uid=6") }, FOLLOWER },
		  "f 644 6:0 1 0 b n\n" },
		{ { { .type = PAX, .name = "", BODY("path=a|path=|uid=9|uid=") }, FOLLOWER },
		  NEXT },
		{ { { .type = PAX, .name = "", BODY("mtime=-0.5") },
		    FOLLOWER,
		    { .type = PAX, .name = "", BODY("mtime=-1.0") },
		    FOLLOWER },
		  "f 644 0:0 1 -1 next n\nf 644 0:0 1 -1 next n\n" },
		{ { { .type = PAX, .name = "", BODY("size=3") },
		    { .type = '0',
		      .name = "more",
		      BODY("abc"),
		      .patch = { { SIZE, STR("00000000001") } } },
		    FOLLOWER },
		  "f 644 0:0 3 0 more abc\n" NEXT },
		{ { { .type = PAX, .name = "", BODY("size=1") },
		    { .type = '0',
		      .name = "less",
		      BODY("a"),
		      .patch = { { SIZE, STR("00000001001") } } },
		    FOLLOWER },
		  "f 644 0:0 1 0 less a\n" NEXT },
		{ { { .type = PAX, .name = "", BODY("size=3|uid=4") },
		    { '0', "f", BODY("abc"),
		      .patch = { { SIZE, STR("rubbish") }, { UID, STR("rubbish") } } },
		    FOLLOWER },
		  "f 644 4:0 3 0 f abc\n" NEXT },
		{ { { .type = GLOBAL, .name = "", BODY("uid=1|gid=2|mtime=3") },
		    FOLLOWER,
		    { .type = PAX, .name = "", BODY("uid=|gid=7") },
		    FOLLOWER,
		    { .type = GLOBAL, .name = "", BODY("gid=8|mtime=") },
		    FOLLOWER },
		  "f 644 1:2 1 3 next n\nf 644 0:7 1 3 next n\nf 644 1:8 1 0 next n\n" },
		{ { { .type = PAX, .name = "", BODY("path=far") },
		    { .type = GLOBAL, .name = "", BODY("uid=1") },
		    FOLLOWER },
		  "f 644 1:0 1 0 far n\n" },
		/* xattrs */
		{ { { .type = PAX,
		      .name = "",
		      BODY("SCHILY.xattr.b=1|SCHILY.xattr.a=\0|SCHILY.xattr.b=2|SCHILY.xattr.c=|"
			   "RHT.security.selinux=x") },
		    FOLLOWER },
		  "f 644 0:0 1 0 next n a=\\x00 b=2 c=\n" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("SCHILY.xattr.b=raw|LIBARCHIVE.xattr.b=Y29kZWQ|LIBARCHIVE.xattr.%41%3d="
			   "Y29kZWQ=|LIBARCHIVE.xattr.n=") },
		    FOLLOWER },
		  "f 644 0:0 1 0 next n A==coded b=raw n=\n" },
		{ { { .type = PAX, .name = "", BODY("LIBARCHIVE.xattr.%0a%0F%7e%40%39=AZaz09+/") },
		    FOLLOWER },
		  "f 644 0:0 1 0 next n \n\x0f~@9=\\x01\\x96\\xb3\\xd3\\xdf\\xbf\n" },
		/* sparse */
		/* sparse */
		{ { { 'S', "s", BODY("abc"),
		      .patch = { { PAIRS, STR("00000000001\00000000000001\0") },
				 { PAIRS + 24, STR("00000000004\00000000000002\0") },
				 { REAL_SIZE, STR("00000000010\0") } } },
		    FOLLOWER },
		  "f 644 0:0 8 0 s \\x00a\\x00\\x00bc\\x00\\x00\n" NEXT },
		{ { { .type = 'S', .name = "s", .patch = { { REAL_SIZE, STR("00000000005\0") } } },
		    FOLLOWER },
		  "f 644 0:0 5 0 s \\x00*5\n" NEXT },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.size=5|GNU.sparse.numblocks=1|GNU.sparse.offset=2|"
			   "GNU.sparse.numbytes=1") },
		    FOLLOWER },
		  "f 644 0:0 5 0 next \\x00\\x00n\\x00\\x00\n" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.name=real|GNU.sparse.size=2|GNU.sparse.map=0,0,0,1,2,0|path=x") },
		    FOLLOWER },
		  "f 644 0:0 2 0 real n\\x00\n" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.size=4|GNU.sparse.map=") },
		    { .type = '0', .name = "hole" } },
		  "f 644 0:0 4 0 hole \\x00*4\n" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.major=1|GNU.sparse.minor=0|GNU.sparse.realsize=4") },
		    { .type = '0',
		      .name = "map",
		      BODY("0\n"),
		      .patch = { { SIZE, STR("00000001000") } } },
		    FOLLOWER },
		  "f 644 0:0 4 0 map \\x00*4\n" NEXT },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.size=2|GNU.sparse.offset=1|GNU.sparse.numbytes=1") },
		    FOLLOWER,
		    { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.size=2|GNU.sparse.offset=0|GNU.sparse.numbytes=1") },
		    FOLLOWER,
		    FOLLOWER },
		  "f 644 0:0 2 0 next \\x00n\nf 644 0:0 2 0 next n\\x00\n" NEXT },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.major=0|GNU.sparse.minor=1|GNU.sparse.size=1|GNU.sparse.map=0,1") },
		    FOLLOWER },
		  NEXT },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.map=5,5|GNU.sparse.map=1,1|GNU.sparse.size=2") },
		    FOLLOWER },
		  "f 644 0:0 2 0 next \\x00n\n" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.major=1|GNU.sparse.minor=0|GNU.sparse.size=2|GNU.sparse.map=9,9") },
		    { .type = '0',
		      .name = "map",
		      BODY("1\n1\n0\n"),
		      .patch = { { SIZE, STR("00000001000") } } },
		    FOLLOWER },
		  "f 644 0:0 2 0 map \\x00\\x00\n" NEXT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);
		AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);

		build(&text, cases[i].pieces);
		assert_ok(err_wrap(list(buf_str(&text), NULL, 3, &got), "case %zu", i));
		if (!str_is(buf_str(&got), cases[i].want))
			fail_msg("case %zu:\n%swanted:\n%s", i, got.at, cases[i].want);
	}
}

#define ZERO10 "0\n0\n0\n0\n0\n0\n0\n0\n0\n0\n"
#define ZERO80 ZERO10 ZERO10 ZERO10 ZERO10 ZERO10 ZERO10 ZERO10 ZERO10

/* `list` must fail for these pieces, for the reason that holds the word. */
static void check_refused(size_t i, const struct piece *pieces, const struct tar_limits *limits,
			  enum err_kind kind, const char *word)
{
	for (size_t step = 0; step < 2; step++) {
		AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);
		AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
		AUTO(err) struct err *err = NULL;

		build(&text, pieces);
		err = list(buf_str(&text), limits, step, &got);
		if (err_kind(err) != kind)
			fail_msg("case %zu (%s): kind %d: %s\n%s", i, word, err_kind(err),
				 err ? err_text(err) : "accepted", buf_str(&got).at);
		if (!strstr(err_text(err), word))
			fail_msg("case %zu: no '%s' in: %s", i, word, err_text(err));
	}
}

TEST(refuses_what_does_not_hold_together)
{
	const struct {
		struct piece pieces[PIECES];
		const char *word;
	} cases[] = {
		/* ends and checksums */
		{ { { .type = '0', .name = "f", .patch = { { SUM, STR("000000") } } } },
		  "entry 1" },
		{ { { .type = '0', .name = "f", .patch = { { SUM, STR("rubbish") } } } },
		  "checksum" },
		{ { FOLLOWER, { .type = RAW, .name = "", BODY("short") } }, "entry 2" },
		{ { FOLLOWER, { .type = RAW, .name = "", .body = { zeros, 511 } } }, "ends early" },
		{ { { .type = '0',
		      .name = "f",
		      BODY("abc"),
		      .patch = { { SIZE, STR("00000002000") } } } },
		  "'f': " },
		{ { { .type = PAX,
		      .name = "",
		      BODY("path=a"),
		      .patch = { { SIZE, STR("00000002000") } } } },
		  "ends early" },
		{ { ZEROS(512), FOLLOWER }, "zeros" },
		{ { { .type = PAX, .name = "", BODY("path=a") } }, "should follow" },
		{ { { .type = 'L', .name = "", BODY("name\0") }, ZEROS(1024) }, "should follow" },
		{ { { .type = 'K', .name = "", BODY("name\0") } }, "should follow" },
		/* numbers */
		{ { { .type = '0', .name = "f", .patch = { { SIZE, STR("0000000000x") } } } },
		  "size" },
		{ { { .type = '0', .name = "f", .patch = { { SIZE, STR("00000000008") } } } },
		  "size" },
		{ { { .type = '0', .name = "f", .patch = { { SIZE, STR("0000 000001") } } } },
		  "size" },
		{ { { .type = '0', .name = "f", .patch = { { SIZE, STR("-0000000001") } } } },
		  "size" },
		{ { { .type = '0',
		      .name = "f",
		      .patch = { { SIZE,
				   STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") } } } },
		  "size" },
		{ { { .type = '0',
		      .name = "f",
		      .patch = { { SIZE, BASE256_12("\x80\0\0\0\0\0\0\0") } } } },
		  "size" },
		{ { { .type = '0',
		      .name = "f",
		      .patch = { { SIZE, STR("\x80\0\0\1\0\0\0\0\0\0\0\0") } } } },
		  "size" },
		{ { { .type = '0',
		      .name = "f",
		      .patch = { { UID, STR("\x80\0\0\0\xff\xff\xff\xff") } } } },
		  "uid" },
		{ { { .type = '0', .name = "f", .patch = { { UID, STR("\x80\0\0\1\0\0\0\0") } } } },
		  "uid" },
		{ { { .type = '0',
		      .name = "f",
		      .patch = { { UID + 8, STR("\xff\xff\xff\xff\xff\xff\xff\xfe") } } } },
		  "gid" },
		{ { { .type = '0', .name = "f", .patch = { { MODE, STR("rw-r--r") } } } }, "mode" },
		{ { { .type = '0',
		      .name = "f",
		      .patch = { { MTIME, STR("\x80\1\0\0\0\0\0\0\0\0\0\0") } } } },
		  "mtime" },
		{ { { .type = '3', .name = "c", .patch = { { MAJOR, STR("0010000") } } } },
		  "major" },
		{ { { .type = '4', .name = "b", .patch = { { MINOR, STR("4000000") } } } },
		  "minor" },
		{ { { .type = PAX, .name = "", BODY("uid=4294967295") }, FOLLOWER }, "uid" },
		{ { { .type = PAX, .name = "", BODY("gid=4294967295") }, FOLLOWER }, "gid" },
		{ { { .type = PAX, .name = "", BODY("uid=-1") }, FOLLOWER }, "uid" },
		{ { { .type = PAX, .name = "", BODY("uid=1.5") }, FOLLOWER }, "uid" },
		{ { { .type = PAX, .name = "", BODY("uid= 1") }, FOLLOWER }, "uid" },
		{ { { .type = PAX, .name = "", BODY("size=+1") }, FOLLOWER }, "size" },
		{ { { .type = PAX, .name = "", BODY("size=9223372036854775808") }, FOLLOWER },
		  "size" },
		{ { { .type = PAX, .name = "", BODY("mtime=9223372036854775807") }, FOLLOWER },
		  "mtime" },
		{ { { .type = PAX, .name = "", BODY("mtime=-") }, FOLLOWER }, "mtime" },
		{ { { .type = PAX, .name = "", BODY("mtime=.5") }, FOLLOWER }, "mtime" },
		{ { { .type = PAX, .name = "", BODY("mtime=1e5") }, FOLLOWER }, "mtime" },
		{ { { .type = PAX, .name = "", BODY("mtime=1.2.3") }, FOLLOWER }, "mtime" },
		/* names */
		{ { { .type = '0', .name = "" } }, "name is empty" },
		{ { { .type = '2', .name = "l" } }, "link" },
		{ { { .type = '1', .name = "l" } }, "link" },
		{ { { .type = PAX, .name = "", BODY("path=a\0b") }, FOLLOWER }, "NUL" },
		{ { { .type = PAX, .name = "", BODY("linkpath=a\0b") }, FOLLOWER }, "NUL" },
		{ { { .type = 'L', .name = "" }, FOLLOWER }, "empty" },
		{ { { .type = 'L', .name = "", BODY("\0\0") }, FOLLOWER }, "empty" },
		{ { { .type = 'L', .name = "", BODY("a\0b\0") }, FOLLOWER }, "NUL" },
		/* one entry, several answers */
		{ { { .type = PAX, .name = "", BODY("path=a") },
		    { .type = PAX, .name = "", BODY("uid=1") },
		    FOLLOWER },
		  "two" },
		{ { { .type = PAX, .name = "", BODY("path=a") },
		    { .type = 'X', .name = "", BODY("6 a=b\n") },
		    FOLLOWER },
		  "two" },
		{ { { .type = 'L', .name = "", BODY("a\0") },
		    { .type = 'L', .name = "", BODY("a\0") },
		    FOLLOWER },
		  "two" },
		{ { { .type = 'K', .name = "", BODY("a\0") },
		    { .type = 'K', .name = "", BODY("a\0") },
		    FOLLOWER },
		  "two" },
		{ { { .type = 'L', .name = "", BODY("a\0") },
		    { .type = PAX, .name = "", BODY("path=b") },
		    FOLLOWER },
		  "differ" },
		{ { { .type = 'K', .name = "", BODY("a\0") },
		    { .type = PAX, .name = "", BODY("linkpath=b") },
		    { .type = '2', .name = "l" } },
		  "differ" },
		/* records */
		{ { { .type = 'x', .name = "", BODY("path=a\n") }, FOLLOWER }, "no length" },
		{ { { .type = 'x', .name = "", BODY("123456789012345678901234567890 a=b\n") },
		    FOLLOWER },
		  "no length" },
		{ { { .type = 'x', .name = "", BODY(" a=b\n") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("0 a=b\n") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("1 a=b\n") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("2 a=b\n") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("3 \n") }, FOLLOWER }, "key" },
		{ { { .type = 'x', .name = "", BODY("5 a=b\n") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("7 a=b\n") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("-6 a=b\n") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("6\ta=b\n") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("6 a=bb") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("6 a=b\n\0") }, FOLLOWER }, "length" },
		{ { { .type = 'x', .name = "", BODY("6 abc\n") }, FOLLOWER }, "key" },
		{ { { .type = 'x', .name = "", BODY("7 =b=c\n") }, FOLLOWER }, "key" },
		{ { { .type = 'x', .name = "", BODY("6 =bc\n") }, FOLLOWER }, "key" },
		{ { { .type = 'x', .name = "", BODY("7 \0a=b\n") }, FOLLOWER }, "NUL" },
		{ { { .type = 'x', .name = "", BODY("7 a\0=b\n") }, FOLLOWER }, "NUL" },
		/* xattrs */
		{ { { .type = PAX, .name = "", BODY("SCHILY.xattr.=x") }, FOLLOWER }, "no name" },
		{ { { .type = PAX, .name = "", BODY("LIBARCHIVE.xattr.a=Y2.k") }, FOLLOWER },
		  "decode" },
		{ { { .type = PAX, .name = "", BODY("LIBARCHIVE.xattr.%4g=YQ") }, FOLLOWER },
		  "decode" },
		{ { { .type = PAX, .name = "", BODY("LIBARCHIVE.xattr.%@0=YQ") }, FOLLOWER },
		  "decode" },
		{ { { .type = PAX, .name = "", BODY("LIBARCHIVE.xattr.%A=YQ") }, FOLLOWER },
		  "decode" },
		{ { { .type = PAX, .name = "", BODY("LIBARCHIVE.xattr.%4=YQ") }, FOLLOWER },
		  "decode" },
		{ { { .type = PAX, .name = "", BODY("LIBARCHIVE.xattr.%00=YQ") }, FOLLOWER },
		  "decode" },
		/* sparse maps */
		{ { { 'S', "s", BODY("ab"),
		      .patch = { { PAIRS, STR("00000000001\00000000000001\0") },
				 { PAIRS + 24, STR("00000000001\00000000000001\0") },
				 { REAL_SIZE, STR("00000000010\0") } } } },
		  "out of order" },
		{ { { 'S', "s", BODY("ab"),
		      .patch = { { PAIRS, STR("00000000004\00000000000001\0") },
				 { PAIRS + 24, STR("00000000001\00000000000001\0") },
				 { REAL_SIZE, STR("00000000010\0") } } } },
		  "out of order" },
		{ { { 'S', "s", BODY("a"),
		      .patch = { { PAIRS, STR("00000000010\00000000000001\0") },
				 { REAL_SIZE, STR("00000000010\0") } } } },
		  "agree" },
		{ { { 'S', "s", BODY("ab"),
		      .patch = { { PAIRS, STR("00000000001\00000000000001\0") },
				 { REAL_SIZE, STR("00000000010\0") } } } },
		  "agree" },
		{ { { .type = 'S', .name = "s", .patch = { { MORE, STR("\1") } } } },
		  "ends early" },
		{ { { .type = 'S', .name = "s", .patch = { { REAL_SIZE, STR("rubbish") } } } },
		  "size" },
		{ { { .type = 'S',
		      .name = "s/",
		      .patch = { { REAL_SIZE, STR("00000000010\0") } } } },
		  "no use" },
		{ { { .type = 'S',
		      .name = "s",
		      .patch = { { PAIRS, STR("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff\x80\0\0\0"
					      "\x7f\xff\xff\xff\xff\xff\xff\xff") },
				 { REAL_SIZE,
				   BASE256_12("\x7f\xff\xff\xff\xff\xff\xff\xff") } } } },
		  "out of order" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.map=0,1") }, FOLLOWER },
		  "no size" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.size=1|GNU.sparse.map=0") },
		    FOLLOWER },
		  "lacks" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.size=1|GNU.sparse.map=,1") },
		    FOLLOWER },
		  "map" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.size=1|GNU.sparse.map=0,1|GNU.sparse.numblocks=2") },
		    FOLLOWER },
		  "length" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.size=1|GNU.sparse.numbytes=1") },
		    FOLLOWER },
		  "offset" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.size=1|GNU.sparse.offset=0|GNU.sparse.offset=1") },
		    FOLLOWER },
		  "length" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.size=1|GNU.sparse.offset=0") },
		    FOLLOWER },
		  "length" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.size=") }, FOLLOWER }, "size" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.size=1|GNU.sparse.map=0,1") },
		    { .type = '5', .name = "d" } },
		  "no use" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.size=1|GNU.sparse.map=0,1") },
		    { .type = 'S', .name = "s" } },
		  "no use" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.major=1|GNU.sparse.minor=0|GNU.sparse.realsize=4") },
		    { .type = '0', .name = "map", BODY("1\n0\n3\n") } },
		  "ends early" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.major=1|GNU.sparse.minor=0|GNU.sparse.realsize=4") },
		    { .type = '0',
		      .name = "map",
		      BODY("2\n0\n1\n"),
		      .patch = { { SIZE, STR("00000001000") } } } },
		  "map" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.major=1|GNU.sparse.minor=0|GNU.sparse.realsize=4") },
		    { '0', "map", BODY("000000000000000000000000000000\n"),
		      .patch = { { SIZE, STR("00000001000") } } } },
		  "map" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_refused(i, cases[i].pieces, NULL, ERR_CORRUPT, cases[i].word);
}

TEST(refuses_what_it_does_not_know)
{
	const struct {
		struct piece pieces[PIECES];
		const char *word;
	} cases[] = {
		{ { { .type = 'A', .name = "acl" }, FOLLOWER }, "'A'" },
		{ { { .type = 'M', .name = "volume" }, FOLLOWER }, "'M'" },
		{ { { .type = 'N', .name = "names" }, FOLLOWER }, "'N'" },
		{ { { .type = 'Z', .name = "z" } }, "'Z'" },
		{ { { .type = GLOBAL, .name = "", BODY("path=x") }, FOLLOWER }, "global" },
		{ { { .type = GLOBAL, .name = "", BODY("linkpath=x") }, FOLLOWER }, "global" },
		{ { { .type = GLOBAL, .name = "", BODY("size=1") }, FOLLOWER }, "global" },
		{ { { .type = GLOBAL, .name = "", BODY("SCHILY.xattr.a=1") }, FOLLOWER },
		  "global" },
		{ { { .type = GLOBAL, .name = "", BODY("LIBARCHIVE.xattr.a=YQ") }, FOLLOWER },
		  "global" },
		{ { { .type = GLOBAL, .name = "", BODY("GNU.sparse.name=1") }, FOLLOWER },
		  "global" },
		{ { { .type = GLOBAL, .name = "", BODY("GNU.sparse.map=0,1") }, FOLLOWER },
		  "global" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("GNU.sparse.major=1|GNU.sparse.minor=1|GNU.sparse.size=1") },
		    FOLLOWER },
		  "1.1" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.major=2|GNU.sparse.size=1") },
		    FOLLOWER },
		  "2.0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_refused(i, cases[i].pieces, NULL, ERR_UNSUPPORTED, cases[i].word);
}

TEST(keeps_to_its_limits)
{
	static const struct tar_limits small = {
		.entries = 2, .bytes = 4096, .path = 20, .xattr_value = 3, .header = 1536
	};
	const struct {
		struct piece pieces[PIECES];
		const char *word; /* NULL: within the limits */
	} cases[] = {
		{ { FOLLOWER, FOLLOWER }, NULL },
		{ { FOLLOWER, FOLLOWER, FOLLOWER }, "2 entries" },
		{ { { .type = '0', .name = "12345678901234567890" } }, NULL },
		{ { { .type = '0', .name = "123456789012345678901" } }, "20 bytes" },
		{ { { .type = '0',
		      .name = "n",
		      .patch = { { PREFIX, STR("1234567890123456789") } } } },
		  "20 bytes" },
		{ { { .type = '2',
		      .name = "l",
		      .patch = { { LINK, STR("123456789012345678901") } } } },
		  "20 bytes" },
		{ { { .type = 'L', .name = "", BODY("123456789012345678901\0") }, FOLLOWER },
		  "20 bytes" },
		{ { { .type = PAX, .name = "", BODY("path=123456789012345678901") }, FOLLOWER },
		  "20 bytes" },
		{ { { .type = PAX, .name = "", BODY("SCHILY.xattr.a=123") }, FOLLOWER }, NULL },
		{ { { .type = PAX, .name = "", BODY("SCHILY.xattr.a=1234") }, FOLLOWER },
		  "3 bytes" },
		{ { { .type = PAX, .name = "", BODY("comment=x") }, FOLLOWER }, NULL },
		{ { { .type = PAX,
		      .name = "",
		      BODY("comment=" A155 A155 A155 A155 A155 A155 A155) },
		    FOLLOWER },
		  "1536 bytes" },
		{ { { .type = PAX, .name = "", BODY("path=a") },
		    { .type = 'L', .name = "", BODY("a\0") },
		    FOLLOWER },
		  "1536 bytes" },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.major=1|GNU.sparse.size=1") },
		    { .type = '0',
		      .name = "m",
		      BODY("40\n" ZERO80 "0\n"),
		      .patch = { { SIZE, STR("00000001000") } } } },
		  NULL },
		{ { { .type = PAX, .name = "", BODY("GNU.sparse.major=1|GNU.sparse.size=1") },
		    { .type = '0',
		      .name = "m",
		      BODY("160\n" ZERO80 ZERO80 ZERO80 ZERO80),
		      .patch = { { SIZE, STR("00000002000") } } } },
		  "1536 bytes" },
		{ { { .type = GLOBAL, .name = "", .body = { NULL, 0 } },
		    { .type = GLOBAL, .name = "", .body = { NULL, 0 } },
		    { .type = GLOBAL, .name = "", .body = { NULL, 0 } },
		    FOLLOWER },
		  NULL },
		{ { { .type = GLOBAL, .name = "", .body = { NULL, 0 } },
		    { .type = GLOBAL, .name = "", .body = { NULL, 0 } },
		    { .type = GLOBAL, .name = "", .body = { NULL, 0 } },
		    { .type = GLOBAL, .name = "", .body = { NULL, 0 } },
		    FOLLOWER },
		  "1536 bytes" },
		{ { { .type = PAX,
		      .name = "",
		      BODY("a=b"),
		      .patch = { { SIZE, STR("77777777777") } } } },
		  "1536 bytes" },
		{ { { .type = '0', .name = "f", .patch = { { SIZE, STR("00000007000") } } },
		    ZEROS(1024),
		    ZEROS(1024),
		    ZEROS(1024),
		    ZEROS(512) },
		  NULL },
		{ { { .type = '0', .name = "f", .patch = { { SIZE, STR("00000005000") } } },
		    ZEROS(1024),
		    ZEROS(1024),
		    ZEROS(512),
		    { .type = '0', .name = "f", .patch = { { SIZE, STR("00000005000") } } } },
		  "4096 bytes" },
		{ { { .type = '0', .name = "f", .patch = { { SIZE, STR("00000007001") } } } },
		  "4096 bytes" },
		{ { { .type = 'D',
		      .name = "d",
		      .patch = { { SIZE, BASE256_12("\x7f\xff\xff\xff\xff\xff\xff\xff") } } } },
		  "4096 bytes" },
		{ { { .type = 'S',
		      .name = "s",
		      .patch = { { REAL_SIZE, STR("00000010000\0") } } } },
		  "4096 bytes" },
		{ { FOLLOWER, ZEROS(1024), ZEROS(1024), ZEROS(1024), ZEROS(1000) }, NULL },
		{ { FOLLOWER, ZEROS(1024), ZEROS(1024), ZEROS(1024), ZEROS(1024), ZEROS(1024) },
		  "4096 bytes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);
		AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);

		if (cases[i].word) {
			check_refused(i, cases[i].pieces, &small, ERR_INVALID, cases[i].word);
			continue;
		}
		build(&text, cases[i].pieces);
		assert_ok(err_wrap(list(buf_str(&text), &small, 1, &got), "case %zu", i));
	}
}

TEST(has_limits_when_none_are_given)
{
	const struct {
		struct piece pieces[PIECES];
		const char *word;
	} cases[] = {
		{ { { .type = '0',
		      .name = "f",
		      .patch = { { SIZE, BASE256_12("\0\0\0\x1a\0\0\0\0") } } } },
		  "107374182400 bytes" },
		{ { { .type = PAX, .name = "", .patch = { { SIZE, STR("00010000000") } } } },
		  "2097152 bytes" },
	};
	AUTO(buf) struct buf long_name = BUF_INIT(BUF_MAX);
	struct piece pieces[PIECES] = { { .type = 'L', .name = "" }, FOLLOWER };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_refused(i, cases[i].pieces, NULL, ERR_INVALID, cases[i].word);
	while (long_name.len < 4097)
		buf_addc(&long_name, 'a');
	pieces[0].body = buf_str(&long_name);
	check_refused(0, pieces, NULL, ERR_INVALID, "4096 bytes");
	pieces[0].body.len--;
	{
		AUTO(buf) struct buf text = BUF_INIT(BUF_MAX);
		AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);

		build(&text, pieces);
		assert_ok(list(buf_str(&text), NULL, 1, &got));
	}
}

TEST(believes_a_checksum_over_signed_bytes)
{
	const char *name = "caf\xc3\xa9"; /* two bytes above 127 */
	struct ustar block;
	AUTO(buf) struct buf got = BUF_INIT(BUF_MAX);
	int64_t sum = 0;

	ustar_init(&block);
	memcpy(block.name, name, strlen(name));
	block.type = '0';
	ustar_seal(&block);
	assert_ok(ustar_number(block.checksum, sizeof(block.checksum), "sum", 0, 0777777, &sum));
	snprintf(block.checksum, sizeof(block.checksum), "%06o", (unsigned)sum - 2 * 256);
	assert_ok(list((struct str){ (char *)&block, sizeof(block) }, NULL, 1, &got));
	snprintf(block.checksum, sizeof(block.checksum), "%06o", (unsigned)sum - 256);
	assert_fails(list((struct str){ (char *)&block, sizeof(block) }, NULL, 1, &got),
		     ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_some_tool_has_once_written),
		cmocka_unit_test(refuses_what_does_not_hold_together),
		cmocka_unit_test(refuses_what_it_does_not_know),
		cmocka_unit_test(keeps_to_its_limits),
		cmocka_unit_test(has_limits_when_none_are_given),
		cmocka_unit_test(believes_a_checksum_over_signed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
