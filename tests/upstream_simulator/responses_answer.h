#pragma once

#include <string>
#include <vector>

#include "boost/json/object.hpp"
#include "tests/upstream_simulator/events.h"

namespace holdfast::simulator {

// The answer on /v1/responses: the whole stream, from response.created to response.completed or response.incomplete.
std::vector<Event> ResponsesStream(const AnswerContext& context);

// The same answer as one JSON body.
std::string ResponsesBody(const AnswerContext& context);

// response.failed with this error object's code and message; `sequence` is the number of events before it.
Event ResponsesFailed(const AnswerContext& context, const boost::json::object& error, std::size_t sequence);

}  // namespace holdfast::simulator
