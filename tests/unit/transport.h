/*
 * tests/unit/transport.h - a registry that is a function, for tests of what speaks to registries.
 *
 * A test gives a function from requests to answers; what was sent is kept as lines
 * "GET https://host/v2/ [Basic dTpw]", the brackets only if there was an Authorization, and
 * " <n bytes>" behind it if the request carried some.
 */
#ifndef TESTS_UNIT_TRANSPORT_H
#define TESTS_UNIT_TRANSPORT_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/vec.h"
#include "registry/http-private.h"
#include "registry/url.h"

struct fake_answer {
	int status; /* 0: no answer but `trouble` */
	enum http_trouble trouble;
	const char *headers[8]; /* up to a NULL */
	const char *body;       /* NULL: empty; borrowed until the test ends */
	size_t body_size;       /* of a body that may hold NULs; 0: strlen() */
	size_t cut;             /* the connection breaks after this many bytes; 0: it does not */
	size_t taken;           /* of the content; 0: all */
	bool is_inside;         /* it comes from an address inside this network */
};

struct fake {
	/* Called under the lock, for one request at a time. `line` is "GET URL", `body` what it
	 * carried, NUL-terminated. */
	struct fake_answer (*answer)(struct fake *fake, const char *line, const char *auth,
				     struct str body);
	void *test;
	pthread_mutex_t lock;
	struct strings lines;               /* guarded by lock */
	const struct http_request *request; /* for `answer` */
};

#define FAKE_INIT(function, argument)                                                       \
	{                                                                                   \
		.answer = (function), .test = (argument), .lock = PTHREAD_MUTEX_INITIALIZER \
	}

/* ---- a body that breaks ---- */

struct fake_body {
	const char *at;
	size_t left;
	bool breaks;
};

static size_t fake_body_read(void *self, void *data, size_t len, struct err **err)
{
	struct fake_body *body = self;
	size_t n = body->left < len ? body->left : len;

	if (n == 0 && body->breaks)
		*err = err_new(ERR_NETWORK, "the connection broke");
	if (n)
		memcpy(data, body->at, n);
	body->at += n;
	body->left -= n;
	return n;
}

static inline struct source *fake_source(const struct fake_answer *answer)
{
	static const struct source_ops ops = { fake_body_read, free };
	struct fake_body *body = xcalloc(1, sizeof(*body));

	body->at = answer->body;
	body->left = !answer->body     ? 0 :
		     answer->body_size ? answer->body_size :
					 strlen(answer->body);
	body->breaks = answer->cut != 0;
	if (answer->cut && answer->cut < body->left)
		body->left = answer->cut;
	return source_new(&ops, body);
}

/* ---- the transport ---- */

static inline const char *fake_header(const struct http_request *request, const char *name)
{
	if (request->headers)
		vec_foreach (request->headers, header)
			if (strncmp(*header, name, strlen(name)) == 0)
				return *header + strlen(name);
	return NULL;
}

/* All that comes through a feed; false if its writer gave up. */
static inline bool fake_drain(struct http_feed *feed, struct buf *out)
{
	char data[16 * 1024];
	size_t n;

	for (;;) {
		switch (feed_take(feed, data, sizeof(data), &n)) {
		case FEED_HAS:
			buf_add(out, data, n);
			break;
		case FEED_DRY:
			usleep(200);
			break;
		case FEED_ENDED:
			feed_detach(feed);
			return true;
		case FEED_BROKEN:
			feed_detach(feed);
			return false;
		}
	}
}

/* What a request carries; false if it broke off. */
static inline bool fake_content(const struct http_request *request, struct buf *out)
{
	const struct http_content *content = &request->content;
	AUTO(mem) char *data = NULL;

	buf_add_str(out, content->bytes);
	if (content->feed)
		return fake_drain(content->feed, out);
	if (!content->from_fd)
		return true;
	data = xcalloc(1, content->size + 1);
	if (pread(content->fd, data, content->size, (off_t)content->offset) !=
	    (ssize_t)content->size)
		abort();
	buf_add(out, data, content->size);
	return true;
}

static struct err *fake_send(void *self, const struct http_request *request,
			     struct http_response **ret, enum http_trouble *ret_trouble)
{
	struct fake *fake = self;
	const char *auth = fake_header(request, "Authorization: ");
	AUTO(mem) char *line = xasprintf("%s %s", http_method_name(request->method), request->url);
	AUTO(buf) struct buf content = BUF_INIT((size_t)128 << 20);
	AUTO(mem) char *kept = NULL;
	AUTO(mem) char *size = NULL;
	struct http_response *response;
	struct fake_answer answer;

	if (!fake_content(request, &content)) {
		*ret_trouble = HTTP_BROKEN;
		return err_new(ERR_NETWORK, "the request broke off");
	}
	size = content.len ? xasprintf(" <%zu bytes>", content.len) : xstrdup("");
	kept = xasprintf("%s%s%s%s%s", line, auth ? " [" : "", auth ? auth : "", auth ? "]" : "",
			 size);
	buf_addc(&content, '\0');
	content.len--;
	pthread_mutex_lock(&fake->lock);
	strings_push(&fake->lines, kept);
	fake->request = request;
	answer = fake->answer(fake, line, auth, buf_str(&content));
	pthread_mutex_unlock(&fake->lock);
	if (request->content.taken)
		request->content.taken(request->content.taken_self,
				       answer.taken ? answer.taken : content.len);
	*ret_trouble = answer.trouble;
	if (!answer.status)
		return err_new(ERR_NETWORK, "trouble %d", (int)answer.trouble);
	response = xcalloc(1, sizeof(*response));
	response->status = answer.status;
	response->is_inside = answer.is_inside;
	for (size_t i = 0; i < ARRAY_SIZE(answer.headers) && answer.headers[i]; i++)
		strings_push(&response->headers, answer.headers[i]);
	response->body = fake_source(&answer);
	*ret = response;
	return NULL;
}

static void fake_free(void *self)
{
	(void)self; /* the test's */
}

static inline struct transport fake_transport(struct fake *fake)
{
	static const struct transport_ops ops = { fake_send, fake_free };

	return (struct transport){ &ops, fake };
}

static inline void fake_release(struct fake *fake)
{
	strings_release(&fake->lines);
}

/* All that was sent must be these lines, in this order, ended by NULL. */
static inline void expect_lines(struct fake *fake, const char *const *want)
{
	size_t i = 0;

	for (; want[i] && i < fake->lines.len; i++)
		if (strcmp(want[i], fake->lines.at[i]) != 0)
			fail_msg("request %zu is %s, not %s", i + 1, fake->lines.at[i], want[i]);
	if (want[i] || i < fake->lines.len)
		fail_msg("%zu requests, the next is %s, the next wanted %s", fake->lines.len,
			 i < fake->lines.len ? fake->lines.at[i] : "none",
			 want[i] ? want[i] : "none");
}

#endif
