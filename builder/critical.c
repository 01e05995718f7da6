/* builder/critical.c - see builder/critical.h. */

#include "builder/critical.h"

#include "base/mem.h"

#define NOBODY SIZE_MAX

/* What is known of a step once all before it are. */
struct chain {
	uint64_t length; /* of the longest chain that ends with it */
	size_t before;   /* the place of the step before it there, or NOBODY */
	size_t through;  /* whose chain counts for who starts from it: its own, or one below */
};

/* The place of a step among the first `count`, or NOBODY. */
static size_t find(const struct critical_step *steps, size_t count, unsigned number)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (steps[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && steps[low].number == number ? low : NOBODY;
}

static void join(const struct critical_step *steps, struct chain *chains, size_t at)
{
	const struct critical_step *step = &steps[at];
	struct chain *chain = &chains[at];
	size_t below = step->aside ? find(steps, at, step->aside) : NOBODY;

	*chain = (struct chain){ .before = NOBODY, .through = at };
	for (size_t i = 0; i < step->input_count; i++) {
		size_t input = find(steps, at, step->inputs[i]);

		if (input == NOBODY || (step->aside && step->inputs[i] == step->aside))
			continue;
		input = chains[input].through;
		if (chain->before != NOBODY && chains[input].length <= chain->length)
			continue;
		chain->length = chains[input].length;
		chain->before = input;
	}
	chain->length += step->duration;
	if (below != NOBODY && chains[chains[below].through].length > chain->length)
		chain->through = chains[below].through;
}

uint64_t critical_path(struct critical_step *steps, size_t count)
{
	AUTO(mem) struct chain *chains = xcalloc(count + 1, sizeof(*chains));
	size_t last = NOBODY;

	for (size_t i = 0; i < count; i++) {
		steps[i].critical = false;
		join(steps, chains, i);
		if (last == NOBODY || chains[i].length > chains[last].length)
			last = i;
	}
	for (size_t at = last; at != NOBODY; at = chains[at].before)
		steps[at].critical = steps[at].duration > 0;
	return last == NOBODY ? 0 : chains[last].length;
}
