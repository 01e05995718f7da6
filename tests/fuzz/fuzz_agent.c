/*
 * tests/fuzz/fuzz_agent.c - messages to an ssh agent are judged whole, or not at all.
 *
 * Laws: a verdict is about no more bytes than there are, does not change when more
 * bytes come, and passes only the two requests that a step may make.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "builder/agent_relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	enum agent_verdict verdict = AGENT_MORE;
	size_t len = 0;

	while (text.len > 0) {
		verdict = agent_judge(text, &len);
		if (verdict == AGENT_MORE || verdict == AGENT_NONSENSE)
			break;
		assert(len >= 5 && len <= text.len && len <= 4 + AGENT_MESSAGE_MAX);
		for (size_t cut = 0; cut < len && cut < 8; cut++) {
			size_t other = 0;

			assert(agent_judge((struct str){ text.at, len - 1 - cut }, &other) ==
			       AGENT_MORE);
		}
		assert((verdict == AGENT_PASS) == (text.at[4] == 11 || text.at[4] == 13));
		text.at += len;
		text.len -= len;
	}
	return 0;
}
