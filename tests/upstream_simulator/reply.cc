#include "tests/upstream_simulator/reply.h"

#include <algorithm>
#include <cmath>

#include "boost/json/serialize.hpp"
#include "fmt/format.h"
#include "tests/upstream_simulator/chat_answer.h"
#include "tests/upstream_simulator/responses_answer.h"
#include "tests/upstream_simulator/texts.h"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;

constexpr std::size_t kUsualAfterEvents = 3;

json::object OverloadedError() {
  return ErrorObject("Our servers are currently overloaded. Please try again later.", "server_error", "server_error");
}

void AddRetryAfter(const Fault& fault, Reply& reply) {
  if (!fault.seconds) return;
  reply.headers.emplace_back("retry-after", fmt::format("{}", static_cast<std::int64_t>(std::ceil(*fault.seconds))));
}

Reply ContextLengthReply(const GenerationRequest& request) {
  if (request.dialect == Dialect::kResponses) {
    return ErrorReply(
        400, ErrorObject("Your input exceeds the context window of this model. Please adjust your input and try again.",
                         "invalid_request_error", "context_length_exceeded", "input"));
  }
  const std::int64_t tokens = request.chars / 4 + 2;
  const std::string message = fmt::format(
      "This model's maximum context length is {} tokens. However, your messages resulted in {} tokens. Please reduce "
      "the length of "
      "the messages.",
      std::max<std::int64_t>(1, tokens - 1), tokens);
  return ErrorReply(400, ErrorObject(message, "invalid_request_error", "context_length_exceeded", "messages"));
}

// An error event in the stream's own dialect: response.failed, or a chunk that holds nothing but the error.
Event FailureEvent(const AnswerContext& context, const json::object& error, std::size_t sequence) {
  if (context.request.dialect == Dialect::kResponses) return ResponsesFailed(context, error, sequence);
  return {SseFrame("", json::serialize(json::object{{"error", error}})), false, false};
}

// `event: error`, which kills some clients.
Event ErrorEvent(const AnswerContext& context, const json::object& error, std::size_t sequence) {
  json::object data;
  if (context.request.dialect == Dialect::kResponses) {
    data = {{"type", "error"},
            {"sequence_number", sequence},
            {"code", error.at("code")},
            {"message", error.at("message")},
            {"param", nullptr}};
  } else {
    data["error"] = error;
  }
  return {SseFrame("error", json::serialize(data)), false, false};
}

std::size_t AfterEvents(const Fault& fault, std::size_t usual, const Reply& reply) {
  const std::size_t wanted = fault.after_events ? static_cast<std::size_t>(*fault.after_events) : usual;
  return std::min(wanted, reply.events.size());
}

Reply SpoilStream(const Fault& fault, const AnswerContext& context, const Refusal& pretended) {
  Reply reply = AnswerReply(context);
  std::vector<Event>& events = reply.events;
  const auto keep = [&](std::size_t usual) { events.resize(AfterEvents(fault, usual, reply)); };
  switch (fault.kind) {
    case FaultKind::kStreamRateLimit:
      keep(1);
      events.push_back(FailureEvent(context, RefusalError(pretended, context.request.model), events.size()));
      break;
    case FaultKind::kOverloaded:
      keep(1);
      events.push_back(FailureEvent(context, OverloadedError(), events.size()));
      break;
    case FaultKind::kStreamError:
      keep(1);
      events.push_back(ErrorEvent(context, RefusalError(pretended, context.request.model), events.size()));
      break;
    case FaultKind::kGarbage: {
      const std::size_t at = AfterEvents(fault, kUsualAfterEvents, reply);
      events.insert(events.begin() + static_cast<std::ptrdiff_t>(at),
                    Event{SseFrame("", "<html>{not json"), false, false});
      break;
    }
    case FaultKind::kEndWithoutCompleted:
      keep(static_cast<std::size_t>(
          std::count_if(events.begin(), events.end(), [](const Event& e) { return !e.last; })));
      reply.ending = Ending::kShort;
      break;
    case FaultKind::kCut:
      keep(kUsualAfterEvents);
      reply.ending = Ending::kReset;
      break;
    case FaultKind::kSilence:
      keep(kUsualAfterEvents);
      reply.ending = Ending::kSilence;
      break;
    case FaultKind::kSilenceComments:
      keep(kUsualAfterEvents);
      reply.ending = Ending::kComments;
      break;
    default:
      break;
  }
  return reply;
}

Reply SpoilBody(const Fault& fault, const AnswerContext& context, const Refusal& pretended) {
  if (fault.kind == FaultKind::kStreamRateLimit || fault.kind == FaultKind::kStreamError) {
    return RefusalReply(pretended, context.request.model);
  }
  if (fault.kind == FaultKind::kOverloaded) return ErrorReply(503, OverloadedError());
  Reply reply = AnswerReply(context);
  if (fault.kind == FaultKind::kGarbage) {
    reply.body = "<html>{not json";
    return reply;
  }
  reply.body_cut = reply.body.size() / 2;
  reply.ending = Ending::kSilence;
  if (fault.kind == FaultKind::kCut) reply.ending = Ending::kReset;
  if (fault.kind == FaultKind::kEndWithoutCompleted) reply.ending = Ending::kClose;
  return reply;
}

}  // namespace

Reply ErrorReply(unsigned status, const json::object& error) {
  Reply reply;
  reply.status = status;
  reply.body = json::serialize(json::object{{"error", error}});
  return reply;
}

Reply RefusalReply(const Refusal& refusal, std::string_view model) {
  Reply reply = ErrorReply(429, RefusalError(refusal, model));
  reply.headers = RetryHeaders(refusal);
  return reply;
}

Reply UnauthorizedReply(std::string_view authorization) {
  const std::string_view key = authorization.substr(std::min(authorization.find(' ') + 1, authorization.size()));
  std::string shown(key);
  const std::size_t clear = key.size() >= 16 ? 8 : 0;
  const std::size_t tail = key.size() >= 16 ? 4 : 0;
  std::fill(shown.begin() + static_cast<std::ptrdiff_t>(clear), shown.end() - static_cast<std::ptrdiff_t>(tail), '*');
  const std::string message = fmt::format(
      "Incorrect API key provided: {}. You can find your API key at https://platform.openai.com/account/api-keys.",
      shown);
  return ErrorReply(401, ErrorObject(message, "invalid_request_error", "invalid_api_key"));
}

Reply AnswerReply(const AnswerContext& context) {
  const bool responses = context.request.dialect == Dialect::kResponses;
  Reply reply;
  reply.stream = context.request.stream;
  if (reply.stream) {
    reply.content_type = "text/event-stream; charset=utf-8";
    reply.events = responses ? ResponsesStream(context) : ChatStream(context);
    reply.first_event_delay_ms = context.answer.first_event_delay_ms;
    reply.event_delay_ms = context.answer.event_delay_ms;
  } else {
    reply.body = responses ? ResponsesBody(context) : ChatBody(context);
  }
  return reply;
}

Reply FaultReply(const Fault& fault, const AnswerContext& context, const Refusal& pretended) {
  const std::string& model = context.request.model;
  Reply reply;
  switch (fault.kind) {
    case FaultKind::kRateLimit:
      return RefusalReply(pretended, model);
    case FaultKind::kRateLimitNoHeaders:
      return ErrorReply(429, RefusalError(pretended, model));
    case FaultKind::kRateLimitBare:
      return ErrorReply(429, ErrorObject(fmt::format("Rate limit reached for {} in organization org-sim.", model),
                                         "tokens", "rate_limit_exceeded"));
    case FaultKind::kInsufficientQuota:
      return ErrorReply(
          429, ErrorObject("You exceeded your current quota, please check your plan and billing details. For more "
                           "information on this error, read the docs: "
                           "https://platform.openai.com/docs/guides/error-codes/api-errors.",
                           "insufficient_quota", "insufficient_quota"));
    case FaultKind::kTooLarge: {
      Refusal refusal = pretended;
      refusal.too_large = true;
      refusal.requested = std::max(context.request.charge, refusal.limit + 1);
      return RefusalReply(refusal, model);
    }
    case FaultKind::kContextLength:
      return ContextLengthReply(context.request);
    case FaultKind::kUnauthorized:
      return UnauthorizedReply("Bearer sk-simulated-key-0000");
    case FaultKind::kServerError:
      reply = ErrorReply(500, ErrorObject("The server had an error while processing your request. Sorry about that!",
                                          "server_error", ""));
      AddRetryAfter(fault, reply);
      return reply;
    case FaultKind::kUnavailable:
      reply = ErrorReply(503, ErrorObject("The engine is currently overloaded, please try again later.", "server_error",
                                          "service_unavailable"));
      AddRetryAfter(fault, reply);
      return reply;
    case FaultKind::kCutBeforeHeaders:
      reply.send_headers = false;
      reply.ending = Ending::kReset;
      return reply;
    case FaultKind::kGarbageBody:
      reply.content_type = "text/html";
      reply.body = "<html><body><h1>502 Bad Gateway</h1></body></html>";
      return reply;
    case FaultKind::kJsonError200:
      return ErrorReply(
          200, ErrorObject("The provider behind this model returned an error.", "server_error", "provider_error"));
    default:
      return context.request.stream ? SpoilStream(fault, context, pretended) : SpoilBody(fault, context, pretended);
  }
}

}  // namespace holdfast::simulator
