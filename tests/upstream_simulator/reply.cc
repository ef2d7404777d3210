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
constexpr std::size_t kOversized = std::size_t{17} << 20;

json::object OverloadedError() {
  return ErrorObject("Our servers are currently overloaded. Please try again later.", "server_error", "server_error");
}

json::object QuotaError() {
  return ErrorObject(
      "You exceeded your current quota, please check your plan and billing details. For more information on this "
      "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
      "insufficient_quota", "insufficient_quota");
}

void AddRetryAfter(const Fault& fault, Reply& reply) {
  if (!fault.seconds) return;
  reply.headers.emplace_back("retry-after", fmt::format("{}", static_cast<std::int64_t>(std::ceil(*fault.seconds))));
}

json::object ContextLengthError(const GenerationRequest& request) {
  if (request.dialect == Dialect::kResponses) {
    return ErrorObject("Your input exceeds the context window of this model. Please adjust your input and try again.",
                       "invalid_request_error", "context_length_exceeded", "input");
  }
  const std::int64_t tokens = request.chars / 4 + 2;
  const std::string message = fmt::format(
      "This model's maximum context length is {} tokens. However, your messages resulted in {} tokens. Please reduce "
      "the length of "
      "the messages.",
      std::max<std::int64_t>(1, tokens - 1), tokens);
  return ErrorObject(message, "invalid_request_error", "context_length_exceeded", "messages");
}

// An error event in the stream's own dialect: response.failed, or a chunk that holds nothing but the error.
Event FailureEvent(const AnswerContext& context, const json::object& error, std::size_t sequence) {
  if (context.request.dialect == Dialect::kResponses) return ResponsesFailed(context, error, sequence);
  return {SseFrame("", json::serialize(json::object{{"error", error}})), std::nullopt, false};
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
  return {SseFrame("error", json::serialize(data)), std::nullopt, false};
}

bool HasPart(const Reply& reply, Part part) {
  return std::any_of(reply.events.begin(), reply.events.end(), [part](const Event& e) { return e.delta == part; });
}

// How many events go out until half of the part's deltas have.
std::size_t AfterHalfOf(Part part, const Reply& reply) {
  std::vector<std::size_t> deltas;
  for (std::size_t i = 0; i < reply.events.size(); ++i) {
    if (reply.events[i].delta == part) deltas.push_back(i);
  }
  return deltas[(deltas.size() - 1) / 2] + 1;
}

std::size_t AfterEvents(const Fault& fault, std::size_t usual, const Reply& reply) {
  if (fault.after) return AfterHalfOf(*fault.after, reply);
  const std::size_t wanted = fault.after_events ? static_cast<std::size_t>(*fault.after_events) : usual;
  return std::min(wanted, reply.events.size());
}

Reply SpoilStream(const Fault& fault, const AnswerContext& context, const Refusal& pretended) {
  Reply reply = AnswerReply(context);
  if (fault.after && !HasPart(reply, *fault.after)) {
    return ErrorReply(400, ErrorObject("The fault's `after` names a part that this answer does not have.", "", ""));
  }
  std::vector<Event>& events = reply.events;
  const auto insert = [&](std::string_view data) {
    const std::size_t at = AfterEvents(fault, kUsualAfterEvents, reply);
    events.insert(events.begin() + static_cast<std::ptrdiff_t>(at), Event{SseFrame("", data), std::nullopt, false});
  };
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
    case FaultKind::kStreamQuota:
      keep(1);
      events.push_back(FailureEvent(context, QuotaError(), events.size()));
      break;
    case FaultKind::kStreamContextLength:
      keep(1);
      events.push_back(FailureEvent(context, ContextLengthError(context.request), events.size()));
      break;
    case FaultKind::kGarbage:
      insert("<html>{not json");
      break;
    case FaultKind::kOversizedEvent:
      insert(fmt::format(R"({{"padding":"{}"}})", std::string(kOversized, 'x')));
      break;
    case FaultKind::kWrongType:
      reply.content_type = "application/octet-stream";
      break;
    case FaultKind::kBrokenFraming:
      keep(kUsualAfterEvents);
      reply.raw = "no chunk begins like this\r\n";
      reply.ending = Ending::kClose;
      break;
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
  if (fault.kind == FaultKind::kStreamQuota) return ErrorReply(429, QuotaError());
  if (fault.kind == FaultKind::kStreamContextLength) return ErrorReply(400, ContextLengthError(context.request));
  Reply reply = AnswerReply(context);
  if (fault.kind == FaultKind::kGarbage) {
    reply.body = "<html>{not json";
    return reply;
  }
  if (fault.kind == FaultKind::kWrongType) {
    reply.content_type = "application/octet-stream";
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
    reply.last_event_delay_ms = context.answer.last_event_delay_ms;
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
      return ErrorReply(429, QuotaError());
    case FaultKind::kTooLarge: {
      Refusal refusal = pretended;
      refusal.too_large = true;
      refusal.requested = std::max(context.request.charge, refusal.limit + 1);
      return RefusalReply(refusal, model);
    }
    case FaultKind::kContextLength:
      return ErrorReply(400, ContextLengthError(context.request));
    case FaultKind::kUnauthorized:
      return UnauthorizedReply("Bearer sk-simulated-key-0000");
    case FaultKind::kForbidden:
      return ErrorReply(403, ErrorObject(fmt::format("Project `proj_sim` does not have access to model `{}`", model),
                                         "invalid_request_error", "model_not_found"));
    case FaultKind::kRedirect:
      reply.status = 307;
      reply.headers.emplace_back("location", fault.location);
      return reply;
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
    case FaultKind::kOverloadedStatus:
      reply = ErrorReply(529, json::object{{"type", "overloaded_error"}, {"message", "Overloaded"}});
      AddRetryAfter(fault, reply);
      return reply;
    case FaultKind::kNotHttp:
      reply.send_headers = false;
      reply.raw = "SSH-2.0-simulator\r\n";
      reply.ending = Ending::kClose;
      return reply;
    case FaultKind::kSilenceBeforeHeaders:
      reply.send_headers = false;
      reply.ending = Ending::kSilence;
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
