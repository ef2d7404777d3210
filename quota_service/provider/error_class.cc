#include "quota_service/provider/error_class.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "common/base/utf8.h"
#include "quota_service/retry/delay_text.h"

namespace holdfast::quota {
namespace {

// What a rule looks at. A name is the provider's type, code or status; words are part of its message. Both in lower
// case.
enum class In { kName, kWords };

// Where a rule holds.
enum class When {
  kAlways,
  kNotServerError,  // below 500, or inside a stream
  kNoRetryAfter,    // 429 without a retry-after header
  kBadRequest,      // 4xx but 429, or inside a stream
  kInStream,        // no HTTP status tells more
};

struct Rule {
  FailureClass cls;
  When when;
  In in;
  std::string_view text;
};

// The first rule that holds decides; where none does, the HTTP status (kStatuses). Hence: what names itself exactly
// stands before words, and what is gone for good before what comes back.
constexpr Rule kRules[] = {
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "insufficient_quota"},            // OpenAI
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "billing_hard_limit_reached"},    // OpenAI
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "billing_not_active"},            // OpenAI
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "usage_limit_reached"},           // OpenAI, ChatGPT plans
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "exceeded_current_quota_error"},  // Moonshot
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "billing_error"},                 // Anthropic
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "1113"},                          // Zhipu: unpaid
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "1304"},                          // Zhipu: per day
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "1308"},  // Zhipu: with a reset time
    {FailureClass::kQuotaExhausted, When::kAlways, In::kName, "1310"},  // Zhipu: per week or month
    {FailureClass::kQuotaExhausted, When::kNotServerError, In::kWords, "credit balance is too low"},
    {FailureClass::kQuotaExhausted, When::kNotServerError, In::kWords, "credits are depleted"},
    {FailureClass::kQuotaExhausted, When::kNotServerError, In::kWords, "insufficient credits"},
    {FailureClass::kQuotaExhausted, When::kNotServerError, In::kWords, "insufficient balance"},
    {FailureClass::kQuotaExhausted, When::kNotServerError, In::kWords, "specified api usage limits"},
    {FailureClass::kQuotaExhausted, When::kNoRetryAfter, In::kWords, "spend"},    // Anthropic: a spend limit
    {FailureClass::kQuotaExhausted, When::kNoRetryAfter, In::kWords, "credit"},   // Anthropic
    {FailureClass::kQuotaExhausted, When::kInStream, In::kWords, "spend limit"},  // Anthropic
    {FailureClass::kQuotaExhausted, When::kNotServerError, In::kWords, "extra usage is required"},  // Anthropic
    // Gemini says "You exceeded your current quota" of limits per minute, too; ErrorBody::per_day tells them apart.
    {FailureClass::kRateLimited, When::kAlways, In::kName, "resource_exhausted"},
    {FailureClass::kQuotaExhausted, When::kNotServerError, In::kWords, "exceeded your current quota"},

    {FailureClass::kTooLarge, When::kAlways, In::kName, "request_too_large"},  // Anthropic
    {FailureClass::kTooLarge, When::kNotServerError, In::kWords, "request too large"},

    {FailureClass::kAuthentication, When::kAlways, In::kName, "invalid_api_key"},
    {FailureClass::kAuthentication, When::kAlways, In::kName, "authentication_error"},
    {FailureClass::kAuthentication, When::kAlways, In::kName, "invalid_authentication_error"},
    {FailureClass::kAuthentication, When::kAlways, In::kName, "permission_error"},

    {FailureClass::kContextOverflow, When::kAlways, In::kName, "context_length_exceeded"},
    {FailureClass::kContextOverflow, When::kAlways, In::kName, "exceed_context_size_error"},  // llama.cpp
    {FailureClass::kContextOverflow, When::kAlways, In::kName, "1261"},                       // Zhipu
    {FailureClass::kContextOverflow, When::kBadRequest, In::kWords, "maximum context length"},
    {FailureClass::kContextOverflow, When::kBadRequest, In::kWords, "context window"},
    {FailureClass::kContextOverflow, When::kBadRequest, In::kWords, "context limit"},
    {FailureClass::kContextOverflow, When::kBadRequest, In::kWords, "context size"},
    {FailureClass::kContextOverflow, When::kBadRequest, In::kWords, "prompt is too long"},
    {FailureClass::kContextOverflow, When::kBadRequest, In::kWords, "exceeded model token limit"},
    {FailureClass::kContextOverflow, When::kBadRequest, In::kWords, "exceeds the maximum number of tokens"},

    {FailureClass::kOverloaded, When::kAlways, In::kName, "overloaded_error"},         // Anthropic
    {FailureClass::kOverloaded, When::kAlways, In::kName, "engine_overloaded_error"},  // Moonshot, a 429
    {FailureClass::kOverloaded, When::kAlways, In::kName, "server_is_overloaded"},     // OpenAI
    {FailureClass::kOverloaded, When::kAlways, In::kName, "slow_down"},                // OpenAI
    {FailureClass::kOverloaded, When::kAlways, In::kName, "nocapacity"},               // Azure, a 429
    {FailureClass::kOverloaded, When::kAlways, In::kName, "1305"},                     // Zhipu, a 429
    {FailureClass::kOverloaded, When::kAlways, In::kName, "1312"},                     // Zhipu, a 429

    {FailureClass::kRateLimited, When::kAlways, In::kName, "rate_limit_exceeded"},
    {FailureClass::kRateLimited, When::kAlways, In::kName, "rate_limit_error"},
    {FailureClass::kRateLimited, When::kAlways, In::kName, "rate_limit_reached_error"},
    {FailureClass::kRateLimited, When::kAlways, In::kName, "1302"},
    {FailureClass::kRateLimited, When::kAlways, In::kName, "1303"},
    {FailureClass::kRateLimited, When::kInStream, In::kWords, "rate limit"},
    {FailureClass::kRateLimited, When::kInStream, In::kWords, "too many requests"},
    {FailureClass::kInvalidRequest, When::kInStream, In::kName, "invalid_request_error"},
    {FailureClass::kInvalidRequest, When::kInStream, In::kName, "invalid_prompt"},
    {FailureClass::kInvalidRequest, When::kInStream, In::kName, "invalid_argument"},
    {FailureClass::kInvalidRequest, When::kInStream, In::kName, "badrequesterror"},  // vLLM
    {FailureClass::kInvalidRequest, When::kInStream, In::kName, "model_not_found"},
    {FailureClass::kInvalidRequest, When::kInStream, In::kName, "content_filter"},
    {FailureClass::kInvalidRequest, When::kInStream, In::kName, "content_policy_violation"},
};

struct StatusRange {
  int first;
  int last;
  FailureClass cls;
};

constexpr StatusRange kStatuses[] = {
    {300, 399, FailureClass::kUnusable},       {401, 401, FailureClass::kAuthentication},
    {402, 402, FailureClass::kQuotaExhausted}, {403, 403, FailureClass::kAuthentication},
    {408, 408, FailureClass::kOverloaded},     {429, 429, FailureClass::kRateLimited},
    {400, 499, FailureClass::kInvalidRequest}, {500, 599, FailureClass::kOverloaded},
};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// An error as the rules see it. `status` is 0 inside a stream and where the answer pretended success.
struct Evidence {
  int status = 0;
  bool has_retry_after = false;
  std::array<std::string, 3> names;
  std::string words;
};

bool Holds(When when, const Evidence& evidence) {
  const int status = evidence.status;
  switch (when) {
    case When::kAlways:
      return true;
    case When::kNotServerError:
      return status < 500;
    case When::kNoRetryAfter:
      return status == 429 && !evidence.has_retry_after;
    case When::kBadRequest:
      return status < 500 && status != 429;
    case When::kInStream:
      return status == 0;
  }
  return false;
}

std::optional<FailureClass> Match(const Evidence& evidence) {
  for (const Rule& rule : kRules) {
    if (!Holds(rule.when, evidence)) continue;
    const bool found = rule.in == In::kWords ? evidence.words.find(rule.text) != std::string::npos
                                             : std::ranges::find(evidence.names, rule.text) != evidence.names.end();
    if (found) return rule.cls;
  }
  for (const StatusRange& range : kStatuses) {
    if (evidence.status >= range.first && evidence.status <= range.last) return range.cls;
  }
  return std::nullopt;
}

// A code that is an HTTP status, as OpenRouter sends it inside an answer of 200.
int StatusOfCode(std::string_view code) {
  int status = 0;
  const auto [end, error] = std::from_chars(code.data(), code.data() + code.size(), status);
  return error == std::errc() && end == code.data() + code.size() && status >= 400 && status <= 599 ? status : 0;
}

std::optional<Duration> Longer(std::optional<Duration> a, std::optional<Duration> b) {
  if (!a || !b) return a ? a : b;
  return std::max(*a, *b);
}

std::optional<Dimension> DimensionOf(const ErrorBody& error, const RateLimitHeaders& headers) {
  if (error.type == "tokens") return Dimension::kTokens;
  if (error.type == "requests") return Dimension::kRequests;
  if (headers.tokens.remaining == 0) return Dimension::kTokens;
  if (headers.requests.remaining == 0) return Dimension::kRequests;
  return std::nullopt;
}

ServerHint JoinHint(const ErrorBody& error, const RateLimitHeaders& headers) {
  ServerHint hint = ParseRefusalText(error.message);
  hint.retry_after = Longer(Longer(hint.retry_after, headers.retry_after), error.retry_delay);
  if (!hint.dimension) hint.dimension = DimensionOf(error, headers);
  const bool counted = hint.dimension == Dimension::kTokens || hint.dimension == Dimension::kRequests;
  if (!counted || hint.limit || hint.used) return hint;
  const DimensionHeaders& told = hint.dimension == Dimension::kTokens ? headers.tokens : headers.requests;
  hint.limit = told.limit;
  if (told.limit && told.remaining) hint.used = std::max<int64_t>(*told.limit - *told.remaining, 0);
  return hint;
}

ServerHint HintFor(FailureClass cls, const ErrorBody& error, const RateLimitHeaders& headers) {
  switch (cls) {
    case FailureClass::kRateLimited:
    case FailureClass::kOverloaded:
      return JoinHint(error, headers);
    case FailureClass::kTooLarge: {
      ServerHint hint = JoinHint(error, headers);
      hint.retry_after.reset();  // waiting never helps
      return hint;
    }
    case FailureClass::kQuotaExhausted: {
      // The headers speak of limits that come back by themselves, and so do the delays of a quota per day (Gemini).
      ServerHint hint = ParseRefusalText(error.message);
      if (error.per_day) hint.retry_after.reset();
      return hint;
    }
    default:
      return {};
  }
}

std::string ContentType(const HttpHeaders& headers) {
  constexpr size_t kMaxTypeBytes = 64;
  for (const auto& [name, value] : headers) {
    if (name == "content-type" && !value.empty())
      return std::string(TruncateUtf8(SanitizeMessage(value), kMaxTypeBytes));
  }
  return "no content type";
}

// A success that is neither a stream of events nor an error. Whoever answers in JSON, or in events under another name,
// is a model server that made, and charged for, an answer; the rest is a page of somebody in between.
UpstreamFailure ClassifyNoStream(int http_status, const HttpHeaders& headers, std::string_view body) {
  body.remove_prefix(std::min(body.size(), body.find_first_not_of(" \t\r\n")));
  constexpr std::string_view kAnswers[] = {"{", "[", "data:", "event:", "id:", ":"};
  const bool answer = std::ranges::any_of(kAnswers, [&](std::string_view start) { return body.starts_with(start); });
  UpstreamFailure failure;
  failure.cls = answer ? FailureClass::kUnusable : FailureClass::kNoStream;
  failure.message = fmt::format("HTTP {} with {} instead of text/event-stream; {}", http_status, ContentType(headers),
                                answer ? "this upstream cannot be used unless it streams"
                                       : "check the upstream's base_url, and for a proxy or login page in between");
  return failure;
}

UpstreamFailure Classify(int status, const ErrorBody& error, const RateLimitHeaders& headers, FailureClass otherwise) {
  const Evidence evidence{status,
                          headers.retry_after.has_value(),
                          {Lower(error.type), Lower(error.code), Lower(error.status)},
                          Lower(error.message)};
  UpstreamFailure failure;
  failure.cls = error.per_day ? FailureClass::kQuotaExhausted : Match(evidence).value_or(otherwise);
  failure.hint = HintFor(failure.cls, error, headers);
  const bool over_limit = failure.hint.limit && failure.hint.requested && *failure.hint.requested > *failure.hint.limit;
  if (failure.cls == FailureClass::kRateLimited && over_limit) {
    failure.cls = FailureClass::kTooLarge;
    failure.hint.retry_after.reset();
  }
  constexpr size_t kMaxCodeBytes = 128;
  const std::string& name = !error.code.empty() ? error.code : !error.type.empty() ? error.type : error.status;
  failure.code = TruncateUtf8(SanitizeMessage(name), kMaxCodeBytes);
  failure.message = SanitizeMessage(error.message);
  return failure;
}

}  // namespace

UpstreamFailure ClassifyErrorResponse(int http_status, const HttpHeaders& headers, std::string_view body,
                                      WallTime wall_now) {
  const ErrorBody error = ReadErrorBody(body);
  const bool pretends_success = http_status < 300;
  UpstreamFailure failure;
  if (pretends_success && !error.is_error) {
    failure = ClassifyNoStream(http_status, headers, body);
  } else {
    const int status = pretends_success ? StatusOfCode(error.code) : http_status;
    failure = Classify(status, error, ParseRateLimitHeaders(headers, wall_now), FailureClass::kOverloaded);
  }
  if (http_status >= 300 && http_status < 400) {
    failure.message =
        fmt::format("HTTP {}: redirects are not followed; set base_url to the final address", http_status);
  }
  if (failure.message.empty()) failure.message = fmt::format("HTTP {} without an explanation", http_status);
  failure.http_status = http_status;
  return failure;
}

UpstreamFailure ClassifyStreamError(std::string_view type, std::string_view code, std::string_view message) {
  ErrorBody error;
  error.type = type;
  error.code = code;
  error.message = message;
  return ClassifyStreamError(error);
}

UpstreamFailure ClassifyStreamError(const ErrorBody& error) {
  // A server that fails in the middle of its answer without a reason that we know is taken to have failed inside.
  UpstreamFailure failure = Classify(StatusOfCode(error.code), error, {}, FailureClass::kOverloaded);
  if (failure.message.empty()) failure.message = "the upstream failed without an explanation";
  return failure;
}

}  // namespace holdfast::quota
