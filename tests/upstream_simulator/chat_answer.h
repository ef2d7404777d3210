#pragma once

#include <string>
#include <vector>

#include "tests/upstream_simulator/events.h"

namespace holdfast::simulator {

// The answer on /v1/chat/completions: the whole stream, from the chunk with the role to "[DONE]". `reasoning` does not
// show here, as OpenAI does not show it; it counts in the usage.
std::vector<Event> ChatStream(const AnswerContext& context);

// The same answer as one JSON body.
std::string ChatBody(const AnswerContext& context);

}  // namespace holdfast::simulator
