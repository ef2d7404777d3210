#include "quota_service/call/attempt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "common/base/duration_text.h"
#include "quota_service/provider/error_class.h"
#include "quota_service/provider/redact_secret.h"
#include "quota_service/retry/delay_text.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMostEventBytes = 16 * 1024 * 1024;
constexpr size_t kMostErrorBytes = 256 * 1024;
// After the last event the connection is given this long to end its answer, so that it can be used again.
constexpr Duration kDrain = std::chrono::seconds(2);

bool IsEventStream(const HttpHeaders& headers) {
  for (const auto& [name, value] : headers) {
    if (name != "content-type") continue;
    std::string lower = value;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    return lower.starts_with("text/event-stream");
  }
  return false;
}

std::string_view Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

}  // namespace

Attempt::Attempt(Loop& loop, UpstreamClient& client, const Account& account, Duration run_left, UpstreamRequest request,
                 std::unique_ptr<Tap> tap, Listener* listener)
    : loop_(loop),
      listener_(listener),
      tap_(std::move(tap)),
      stall_timeout_(account.stall_timeout),
      run_timeout_(account.run_timeout),
      sent_at_(loop.Now()),
      hints_(ProfileOf(account.profile).hints),
      secret_(account.api_key),
      parser_(kMostEventBytes),
      silence_(loop.NewTimer()),
      run_(loop.NewTimer()) {
  run_->ArmAt(sent_at_ + run_left, [this] { OnRunEnded(); });
  WatchSilence();
  exchange_ = client.Start(std::move(request), this);
}

void Attempt::WatchSilence() {
  last_event_ = loop_.Now();
  if (!paused_) silence_->ArmAt(last_event_ + stall_timeout_, [this] { OnSilence(); });
}

void Attempt::SetPaused(bool paused) {
  if (mode_ == Mode::kDraining || paused == paused_) return;
  paused_ = paused;
  exchange_->SetPaused(paused);
  if (paused) {
    silence_->Disarm();
  } else {
    WatchSilence();
  }
}

void Attempt::OnHeaders(int http_status, const HttpHeaders& headers) {
  if (mode_ != Mode::kAwaitingHeaders) return;
  result_.answered = true;
  result_.arrived = true;
  http_status_ = http_status;
  headers_ = headers;
  server_ahead_ = ServerNow(headers, loop_.WallNow()) - loop_.WallNow();
  if (http_status == 200 && IsEventStream(headers)) {
    mode_ = Mode::kEvents;
  } else {
    mode_ = http_status / 100 == 2 && tap_->most_whole_bytes() > 0 ? Mode::kWhole : Mode::kErrorBody;
  }
  WatchSilence();
  tap_->OnHeaders(http_status, headers);
  listener_->OnAttemptHeaders(http_status, ParseRateLimitHeaders(headers, loop_.WallNow()));
}

void Attempt::OnBody(std::string_view bytes) {
  if (mode_ == Mode::kEvents) {
    OnEvents(bytes);
  } else if (mode_ == Mode::kWhole) {
    OnWhole(bytes);
  } else if (mode_ == Mode::kErrorBody) {
    body_.append(bytes.substr(0, kMostErrorBytes - body_.size()));
    if (body_.size() == kMostErrorBytes) FailAsAnswered();
  }
}

void Attempt::OnEvents(std::string_view bytes) {
  std::vector<SseEvent> events;
  const absl::Status status = parser_.Feed(bytes, &events);
  for (const SseEvent& event : events) {
    WatchSilence();
    if (Take(tap_->OnEvent(event))) return;
  }
  if (!status.ok()) FailAs(FailureClass::kUnusable, Words(status));
}

void Attempt::OnWhole(std::string_view bytes) {
  WatchSilence();
  body_.append(bytes);
  if (body_.size() > tap_->most_whole_bytes()) {
    FailAs(FailureClass::kUnusable,
           fmt::format("the upstream's answer is larger than {} bytes", tap_->most_whole_bytes()));
  }
}

bool Attempt::Take(const Verdict& verdict) {
  if (mode_ == Mode::kDraining) return true;  // abandoned while the tap passed something on
  if (verdict.usage) result_.usage = verdict.usage;
  if (verdict.cls == EventClass::kOutput && !result_.output) {
    result_.output = true;
    listener_->OnAttemptFirstOutput();
  }
  if (verdict.cls == EventClass::kFailed) {
    UpstreamFailure failure = verdict.failure.value_or(UpstreamFailure{});
    // Refusals inside a stream have no headers of their own; those of the stream are older.
    Fail(std::move(failure));
    return true;
  }
  if (verdict.cls == EventClass::kDone) {
    mode_ = Mode::kDraining;
    silence_->Disarm();
    run_->ArmAt(loop_.Now() + kDrain, [this] { exchange_.reset(); });
    // A completed call is kept; what only its running needed is not.
    result_.cut = verdict.cut;
    result_.ran = loop_.Now() - sent_at_;
    tap_.reset();
    parser_ = SseParser(kMostEventBytes);
    headers_.clear();
    listener_->OnAttemptEnded(result_);
    return true;
  }
  return false;
}

void Attempt::OnDone(absl::Status transport) {
  switch (mode_) {
    case Mode::kDraining:
      run_->Disarm();
      exchange_.reset();
      return;
    case Mode::kErrorBody:
      FailAsAnswered();
      return;
    case Mode::kWhole:
      if (!transport.ok()) {
        FailAs(FailureClass::kTransport, fmt::format("the answer broke off: {}", Words(transport)));
      } else if (const auto verdict = tap_->OnWholeAnswer(body_)) {
        Take(*verdict);
      } else {
        FailAsAnswered();
      }
      return;
    case Mode::kAwaitingHeaders:
      result_.arrived = exchange_->sent();
      if (transport.ok()) {
        FailAs(FailureClass::kTransport, "the upstream closed the connection without an answer");
      } else {
        // A request that cannot be sent as it is will not go out the next time either.
        const bool unsendable = absl::IsInvalidArgument(transport);
        FailAs(unsendable ? FailureClass::kUnusable : FailureClass::kTransport, Words(transport));
      }
      return;
    case Mode::kEvents:
      if (!transport.ok()) {
        FailAs(FailureClass::kTransport, fmt::format("the stream broke: {}", Words(transport)));
      } else {
        const Verdict verdict = tap_->OnEndOfStream();
        if (verdict.cls == EventClass::kDone || verdict.cls == EventClass::kFailed) {
          Take(verdict);
        } else {
          FailAs(FailureClass::kTransport, "the stream ended without a completion");
        }
      }
      return;
  }
}

void Attempt::Fail(UpstreamFailure failure) {
  if (mode_ == Mode::kDraining) return;
  // A provider may tell our key in words that no pattern of SanitizeMessage knows.
  failure.message = RedactSecret(secret_, failure.message);
  failure.code = RedactSecret(secret_, failure.code);
  ServerHint& hint = failure.hint;
  if (hint.reset_at && !hint.retry_after) {
    hint.retry_after = UntilMoment(*hint.reset_at, loop_.WallNow() + server_ahead_);
  }
  result_.failure = std::move(failure);
  result_.ran = std::min(loop_.Now(), last_event_ + stall_timeout_) - sent_at_;
  Abandon();
  listener_->OnAttemptEnded(std::move(result_));
}

void Attempt::FailAsAnswered() {
  // A body that was cut off still says most of it.
  Fail(ClassifyErrorResponse(http_status_, headers_, body_, loop_.WallNow(), hints_));
}

void Attempt::OnSilence() {
  result_.arrived = true;
  if (mode_ == Mode::kErrorBody) {
    FailAsAnswered();
  } else {
    FailAs(FailureClass::kTransport, fmt::format("the upstream sent no event for {}", FormatDuration(stall_timeout_)));
  }
}

void Attempt::OnRunEnded() {
  // Both timers may be overdue where the machine slept; then it is the silence.
  if (mode_ == Mode::kErrorBody || (!paused_ && loop_.Now() - last_event_ >= stall_timeout_)) {
    OnSilence();
    return;
  }
  result_.arrived = true;
  FailAs(FailureClass::kUnusable,
         fmt::format("the upstream did not finish within {}, the run_timeout of a call", FormatDuration(run_timeout_)));
}

void Attempt::FailAs(FailureClass cls, std::string_view message) {
  UpstreamFailure failure;
  failure.cls = cls;
  failure.http_status = http_status_;
  failure.message = SanitizeMessage(message);
  Fail(std::move(failure));
}

void Attempt::Abandon() {
  mode_ = Mode::kDraining;
  silence_->Disarm();
  run_->Disarm();
  exchange_.reset();
}

}  // namespace holdfast::quota
