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

using enum FailureClass;
using enum FailureScope;

// What is gone for good is looked for before what comes back, and in each class the names that providers give to their
// errors (ProviderProfile::errors) before the words of messages. Where nothing is found, the HTTP status decides.
constexpr FailureClass kOrder[] = {kQuotaExhausted,  kTooLarge,   kAuthentication,
                                   kContextOverflow, kOverloaded, kRateLimited};

// Where words count.
enum class When {
  kNotServerError,  // below 500, or inside a stream
  kNotGoogle,       // the same, but not in a RESOURCE_EXHAUSTED
  kNoRetryAfter,    // Anthropic's 429 without a retry-after header
  kBadRequest,      // 4xx but 429, or inside a stream
  kForbidden,       // 403, or inside a stream
  kInStream,        // no HTTP status tells more
};

struct Words {
  FailureClass cls;
  When when;
  std::string_view text;  // in lower case
  FailureScope scope = kRequest;
};

constexpr Words kWords[] = {
    {kQuotaExhausted, When::kNotServerError, "credit balance is too low", kAccount},   // Anthropic
    {kQuotaExhausted, When::kNotServerError, "credits are depleted", kAccount},        // Gemini
    {kQuotaExhausted, When::kNotServerError, "insufficient credits", kModel},          // OpenRouter
    {kQuotaExhausted, When::kNotServerError, "insufficient balance", kModel},          // DeepSeek, Zhipu
    {kQuotaExhausted, When::kNotServerError, "specified api usage limits", kAccount},  // Anthropic
    {kQuotaExhausted, When::kNoRetryAfter, "spend", kAccount},                         // a spend limit
    {kQuotaExhausted, When::kNoRetryAfter, "credit", kAccount},
    {kQuotaExhausted, When::kInStream, "spend limit", kAccount},          // Anthropic
    {kQuotaExhausted, When::kNotServerError, "extra usage is required"},  // Anthropic: a long context
    // Gemini says this of limits per minute, too; ErrorBody::per_day tells them apart.
    {kQuotaExhausted, When::kNotGoogle, "exceeded your current quota", kAccount},  // OpenAI

    {kTooLarge, When::kNotServerError, "request too large"},  // OpenAI

    {kAuthentication, When::kForbidden, "key limit exceeded", kAccount},  // OpenRouter: what this key may spend

    {kContextOverflow, When::kBadRequest, "maximum context length"},
    {kContextOverflow, When::kBadRequest, "context window"},
    {kContextOverflow, When::kBadRequest, "context limit"},
    {kContextOverflow, When::kBadRequest, "context size"},
    {kContextOverflow, When::kBadRequest, "prompt is too long"},
    {kContextOverflow, When::kBadRequest, "exceeded model token limit"},
    {kContextOverflow, When::kBadRequest, "exceeds the maximum number of tokens"},

    {kRateLimited, When::kInStream, "rate limit"},
    {kRateLimited, When::kInStream, "too many requests"},
};

// Names of invalid requests, for where no HTTP status tells more.
constexpr std::string_view kInvalidInStream[] = {
    "invalid_request_error", "invalid_prompt", "invalid_argument",         "badrequesterror",  // vLLM
    "model_not_found",       "content_filter", "content_policy_violation",
};

// Messages of wrong requests repeat what is wrong with them, a model's name for example; so the words of such a message
// speak for more than its request only where they are the beginning of it.
constexpr std::string_view kOpenings[] = {
    "your credit balance is too low",                    // Anthropic, a 400
    "you have reached your specified api usage limits",  // Anthropic, a 400
};

// Whatever else is said: a smaller request, another endpoint, or another provider behind the same account may do.
constexpr std::string_view kOfThisRequest[] = {
    "can only afford",         // OpenRouter: too dear for the credits that are left
    "missing scopes",          // OpenAI: a restricted key
    "provider returned error"  // OpenRouter: what a provider said to OpenRouter's own key
};

struct StatusRange {
  int first;
  int last;
  FailureClass cls;
  FailureScope scope = kRequest;
};

// A 403 is mostly about a model, an endpoint, or a firewall in between.
constexpr StatusRange kStatuses[] = {
    {300, 399, kUnusable},
    {401, 401, kAuthentication, kAccount},
    {402, 402, kQuotaExhausted, kModel},
    {403, 403, kAuthentication},
    {408, 408, kOverloaded},
    {429, 429, kRateLimited},
    {400, 499, kInvalidRequest},
    {508, 508, kUnusable},  // a loop: the upstream leads back here
    {500, 599, kOverloaded},
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

bool HasName(const Evidence& evidence, std::string_view name) {
  return std::ranges::find(evidence.names, name) != evidence.names.end();
}

bool Holds(When when, const Evidence& evidence) {
  const int status = evidence.status;
  switch (when) {
    case When::kNotServerError:
      return status < 500;
    case When::kNotGoogle:
      return status < 500 && !HasName(evidence, "resource_exhausted");
    case When::kNoRetryAfter:
      return status == 429 && !evidence.has_retry_after && HasName(evidence, "rate_limit_error");
    case When::kBadRequest:
      return status < 500 && status != 429;
    case When::kForbidden:
      return status == 403 || status == 0;
    case When::kInStream:
      return status == 0;
  }
  return false;
}

struct Finding {
  FailureClass cls;
  FailureScope scope = kRequest;
};

FailureScope ScopeOf(const Words& words, const Evidence& evidence) {
  const int status = evidence.status;
  const bool refused = status == 402 || status == 403 || status == 429;
  const auto opens = [&](std::string_view opening) { return evidence.words.starts_with(opening); };
  return refused || std::ranges::any_of(kOpenings, opens) ? words.scope : kRequest;
}

std::optional<Finding> FindClass(FailureClass cls, const Evidence& evidence) {
  for (const ProviderProfile& profile : Profiles()) {
    for (const ErrorName& error : profile.errors) {
      if (error.cls == cls && HasName(evidence, error.name)) return Finding{cls, error.scope};
    }
  }
  for (const Words& words : kWords) {
    if (words.cls == cls && Holds(words.when, evidence) && evidence.words.find(words.text) != std::string::npos) {
      return Finding{cls, ScopeOf(words, evidence)};
    }
  }
  return std::nullopt;
}

std::optional<Finding> Find(const Evidence& evidence) {
  for (const FailureClass cls : kOrder) {
    if (const auto finding = FindClass(cls, evidence)) return finding;
  }
  const auto named = [&](std::string_view name) { return HasName(evidence, name); };
  if (evidence.status == 0 && std::ranges::any_of(kInvalidInStream, named)) return Finding{kInvalidRequest};
  for (const StatusRange& range : kStatuses) {
    if (evidence.status >= range.first && evidence.status <= range.last) return Finding{range.cls, range.scope};
  }
  return std::nullopt;
}

bool OfThisRequest(const Evidence& evidence) {
  return std::ranges::any_of(kOfThisRequest,
                             [&](std::string_view words) { return evidence.words.find(words) != std::string::npos; });
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

std::optional<Duration> Chosen(HintOrder order, std::optional<Duration> of_headers, std::optional<Duration> of_body) {
  if (!of_headers || !of_body) return of_headers ? of_headers : of_body;
  switch (order) {
    case HintOrder::kLonger:
      break;
    case HintOrder::kHeaders:
      return of_headers;
    case HintOrder::kBody:
      return of_body;
  }
  return std::max(*of_headers, *of_body);
}

std::optional<Dimension> DimensionOf(const ErrorBody& error, const RateLimitHeaders& headers) {
  if (error.type == "tokens") return Dimension::kTokens;
  if (error.type == "requests") return Dimension::kRequests;
  for (const Dimension dimension :
       {Dimension::kTokens, Dimension::kInputTokens, Dimension::kOutputTokens, Dimension::kRequests}) {
    if (headers.Of(dimension).remaining == 0) return dimension;
  }
  return std::nullopt;
}

ServerHint JoinHint(const ErrorBody& error, const RateLimitHeaders& headers, HintOrder order) {
  ServerHint hint = ParseRefusalText(error.message);
  hint.retry_after = Chosen(order, headers.retry_after, Longer(hint.retry_after, error.retry_delay));
  if (!hint.dimension) hint.dimension = DimensionOf(error, headers);
  if (!hint.dimension || hint.dimension == Dimension::kConcurrency || hint.limit || hint.used) return hint;
  const DimensionHeaders& told = headers.Of(*hint.dimension);
  hint.limit = told.limit;
  if (told.limit && told.remaining) hint.used = std::max<int64_t>(*told.limit - *told.remaining, 0);
  return hint;
}

ServerHint HintFor(FailureClass cls, const ErrorBody& error, const RateLimitHeaders& headers, HintOrder order) {
  switch (cls) {
    case kRateLimited:
    case kOverloaded:
      return JoinHint(error, headers, order);
    case kTooLarge: {
      ServerHint hint = JoinHint(error, headers, order);
      hint.retry_after.reset();  // waiting never helps
      return hint;
    }
    case kQuotaExhausted: {
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
  failure.cls = answer ? kUnusable : kNoStream;
  failure.message = fmt::format("HTTP {} with {} instead of text/event-stream; {}", http_status, ContentType(headers),
                                answer ? "this upstream cannot be used unless it streams"
                                       : "check the upstream's base_url, and for a proxy or login page in between");
  return failure;
}

// What nobody knows is taken for a failure inside the upstream.
UpstreamFailure Classify(int status, const ErrorBody& error, const RateLimitHeaders& headers, HintOrder order) {
  const Evidence evidence{status,
                          headers.retry_after.has_value(),
                          {Lower(error.type), Lower(error.code), Lower(error.status)},
                          Lower(error.message)};
  UpstreamFailure failure;
  const Finding finding =
      error.per_day ? Finding{kQuotaExhausted, kModel} : Find(evidence).value_or(Finding{kOverloaded});
  failure.cls = finding.cls;
  failure.scope = OfThisRequest(evidence) ? kRequest : finding.scope;
  failure.hint = HintFor(failure.cls, error, headers, order);
  const bool over_limit = failure.hint.limit && failure.hint.requested && *failure.hint.requested > *failure.hint.limit;
  if (failure.cls == kRateLimited && over_limit) {
    failure.cls = kTooLarge;
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
                                      WallTime wall_now, HintOrder hints) {
  const ErrorBody error = ReadErrorBody(body);
  const bool pretends_success = http_status < 300;
  UpstreamFailure failure;
  if (pretends_success && !error.is_error) {
    failure = ClassifyNoStream(http_status, headers, body);
  } else {
    const int status = pretends_success ? StatusOfCode(error.code) : http_status;
    failure = Classify(status, error, ParseRateLimitHeaders(headers, wall_now), hints);
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
  UpstreamFailure failure = Classify(StatusOfCode(error.code), error, {}, HintOrder::kLonger);
  if (failure.message.empty()) failure.message = "the upstream failed without an explanation";
  return failure;
}

}  // namespace holdfast::quota
