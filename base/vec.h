/*
 * base/vec.h - growing arrays of any element type.
 *
 *	VEC(char *) names = { 0 };
 *	vec_push(&names, text);
 *	vec_foreach (&names, name)
 *		puts(*name);
 *	vec_release(&names);
 *
 * A vector owns its array, never what its elements point at. Growing moves the
 * array: keep indexes, not pointers, across a push.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"

#define VEC(type)                \
	struct {                 \
		type *at;        \
		size_t len, cap; \
	}

/* Grow `at` (of `cap` elements of `size` bytes) to hold at least `need`. */
void *vec_grow_(void *at, size_t *cap, size_t need, size_t size) MUST_USE;

/* Append one element. */
#define vec_push(v, ...)                                                                         \
	do {                                                                                     \
		if ((v)->len == (v)->cap)                                                        \
			(v)->at = vec_grow_((v)->at, &(v)->cap, (v)->len + 1, sizeof(*(v)->at)); \
		(v)->at[(v)->len++] = (__VA_ARGS__);                                             \
	} while (0)

/* Append one zeroed element and point at it. */
#define vec_add(v)                                                                               \
	__extension__({                                                                          \
		if ((v)->len == (v)->cap)                                                        \
			(v)->at = vec_grow_((v)->at, &(v)->cap, (v)->len + 1, sizeof(*(v)->at)); \
		memset(&(v)->at[(v)->len], 0, sizeof(*(v)->at));                                 \
		&(v)->at[(v)->len++];                                                            \
	})

#define vec_last(v) (&(v)->at[(v)->len - 1])

/* `item` points at each element in turn. (The test of `len` comes first: no arithmetic on NULL.) */
#define vec_foreach(v, item) \
	for (__typeof__(&*(v)->at) item = (v)->at; (v)->len && item < (v)->at + (v)->len; item++)

/* Free the array and be empty. The elements are the caller's. */
#define vec_release(v)                   \
	do {                             \
		free((v)->at);           \
		(v)->at = NULL;          \
		(v)->len = (v)->cap = 0; \
	} while (0)

/* A list of owned strings, and its helpers. */
struct strings {
	char **at;
	size_t len, cap;
};

void strings_push(struct strings *list, const char *text);         /* copies */
void strings_release(struct strings *list);                        /* frees the strings too */
void strings_copy(struct strings *to, const struct strings *from); /* appends copies */
/* A NULL-terminated view for execve; valid until the list changes. */
char *const *strings_argv(struct strings *list);

static inline void strings_auto_(struct strings *list)
{
	strings_release(list);
}

#endif
