#include "quota_service/frontdoor/door_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "quota_service/frontdoor/answer/header_lists.h"
#include "quota_service/provider/redact_secret.h"

namespace holdfast::quota {
namespace {

// An answer, or a refusal, that comes within this time keeps its own status.
constexpr Duration kCommit = std::chrono::seconds(2);
constexpr Duration kKeepAlive = std::chrono::seconds(10);
constexpr size_t kMostWholeBytes = size_t{256} << 20;
// A client that is so far behind holds its upstream up, and is cut when it does not catch up in time.
constexpr size_t kMostBehind = size_t{1} << 20;
constexpr size_t kCaughtUp = kMostBehind / 2;
constexpr Duration kBehind = std::chrono::seconds(60);

}  // namespace

DoorCall::DoorCall(const CallServices& services, DoorRequest request, std::shared_ptr<HttpReply> reply, Events events)
    : services_(services),
      request_(std::move(request)),
      reply_(std::move(reply)),
      events_(std::move(events)),
      call_(services, std::move(request_.envelope), this) {}

DoorCall::~DoorCall() {
  *alive_ = false;
  reply_->set_on_gone(nullptr);
  reply_->set_on_drained(0, nullptr);
}

void DoorCall::Start() {
  started_ = services_.loop.Now();
  reply_->set_on_gone([this] {
    gone_ = true;
    call_.Cancel("its client has gone");
  });
  reply_->set_on_drained(kCaughtUp, [this] { SetPaused(false); });
  if (request_.streaming) {
    commit_ = services_.loop.NewTimer();
    commit_->ArmAt(started_ + kCommit, [this] { BeginStream(); });
  }
  call_.Start();
}

void DoorCall::CancelWaiting() {
  if (call_.waiting()) call_.Cancel("this server is shutting down; send the request again");
}

absl::StatusOr<RequestBody> DoorCall::BuildBody(const Route& route) {
  std::vector<Splice> splices = request_.splices;
  for (const BodyField<int64_t>& cap : request_.caps) {
    if (route.output_cap > 0 && cap.value > route.output_cap) {
      splices.push_back({cap.begin, cap.end, fmt::format("{}", route.output_cap)});
    }
  }
  std::ranges::sort(splices, {}, &Splice::begin);
  RequestBody body = request_.body;
  if (!splices.empty()) body.bytes = ApplySplices(body.bytes, splices);
  return body;
}

std::unique_ptr<Tap> DoorCall::NewTap(const Route&) {
  failed_event_.clear();
  upstream_headers_.clear();
  content_type_.clear();
  return NewPassTap(request_.api, request_.streaming, kMostWholeBytes, this);
}

void DoorCall::OnAdmitted(const Route&, int, Duration waited) {
  waited_ = waited;
  if (!begun_) AskForLevels();
}

void DoorCall::AskForLevels() {
  const Envelope& envelope = call_.envelope();
  budget_ = services_.budgets.StandingOf(envelope.tenant);
  services_.ledger.GetLimits(envelope.route.group, [this, alive = alive_](LimitsState limits) {
    if (*alive) levels_ = std::move(limits.levels);
  });
}

void DoorCall::OnAnswerHeaders(int http_status, const HttpHeaders& headers) {
  upstream_status_ = http_status;
  upstream_headers_ = HeadersForClient(headers, call_.envelope().route.account->api_key);
  content_type_.clear();
  for (const auto& [name, value] : headers) {
    if (name == "content-type") content_type_ = value;
  }
}

void DoorCall::OnPassed(std::string event) {
  output_ = true;
  BeginStream();
  Write(WithoutSecret(std::move(event)));
}

void DoorCall::OnComplete(std::string_view body, const std::string& response_id) {
  whole_ = WithoutSecret(std::string(body));
  response_id_ = response_id;
}

void DoorCall::BeginStream() {
  if (std::exchange(begun_, true) || gone_) return;
  if (commit_) commit_->Disarm();
  // Until it is sent, a call knows only of the waits that are over.
  if (call_.waiting()) waited_ = services_.loop.Now() - started_;
  if (request_.streaming) content_type_ = "text/event-stream";
  // Those of a refusal that is being waited out are not this answer's.
  if (upstream_status_ != 200) upstream_headers_.clear();
  HttpHeaderList headers = AnswerHeaders(content_type_);
  // A proxy between would collect the events.
  headers.emplace_back("X-Accel-Buffering", "no");
  reply_->BeginStream(200, std::move(headers));
  last_write_ = services_.loop.Now();
  if (request_.api == Api::kOther) return;
  quiet_ = services_.loop.NewTimer();
  quiet_->ArmAt(last_write_ + kKeepAlive, [this] { OnQuiet(); });
}

HttpHeaderList DoorCall::AnswerHeaders(const std::string& default_type) const {
  HttpHeaderList headers{{"Content-Type", content_type_.empty() ? default_type : content_type_},
                         {"Cache-Control", "no-store"}};
  headers.insert(headers.end(), upstream_headers_.begin(), upstream_headers_.end());
  for (auto& header : QuotaHeaders(levels_, budget_)) headers.push_back(std::move(header));
  const auto waited = std::chrono::floor<std::chrono::milliseconds>(waited_).count();
  headers.emplace_back("X-Holdfast-Waited-Ms", fmt::format("{}", waited));
  return headers;
}

void DoorCall::Write(std::string event) {
  if (gone_) return;
  last_write_ = services_.loop.Now();
  reply_->Write(std::move(event));
  if (reply_->unsent() > kMostBehind) SetPaused(true);
}

void DoorCall::SetPaused(bool paused) {
  if (paused == paused_) return;
  paused_ = paused;
  call_.SetPaused(paused);
  if (!paused) {
    behind_->Disarm();
    return;
  }
  if (!behind_) behind_ = services_.loop.NewTimer();
  behind_->ArmAt(services_.loop.Now() + kBehind, [this] {
    gone_ = true;
    reply_->Cut();
    call_.Cancel("its client has stopped reading");
  });
}

void DoorCall::OnQuiet() {
  // The timer is not set anew for each event; it looks when the last one was.
  if (services_.loop.Now() - last_write_ >= kKeepAlive) Write(KeepAliveEvent(request_.api));
  quiet_->ArmAt(last_write_ + kKeepAlive, [this] { OnQuiet(); });
}

void DoorCall::OnFinished(const CallOutcome& outcome) {
  waited_ = outcome.waited;
  if (commit_) commit_->Disarm();
  if (quiet_) quiet_->Disarm();
  if (behind_) behind_->Disarm();
  if (outcome.failure && !gone_) {
    SendError(ErrorOfCall(*outcome.failure, call_.envelope().model));
  } else if (!gone_ && begun_) {
    reply_->End();
  } else if (!gone_) {
    const bool has_type = !content_type_.empty() || !whole_.empty();
    HttpHeaderList headers = AnswerHeaders(has_type ? "application/json" : "text/plain");
    reply_->Send({static_cast<unsigned>(upstream_status_), std::move(headers), std::move(whole_)});
  }
  if (!outcome.failure && request_.api == Api::kResponses && request_.stored && !response_id_.empty()) {
    const TokenUsage charged{.input = call_.envelope().charge};
    events_.on_response(call_.envelope(), response_id_, outcome.usage.value_or(charged));
  }
  events_.on_ended(this);
}

void DoorCall::SendError(const DoorError& error) {
  const std::string& model = call_.envelope().model;
  if (begun_) {
    // Where the upstream said itself how it failed after it had begun, its own words are the truest.
    const bool own = output_ && !failed_event_.empty();
    Write(own ? WithoutSecret(failed_event_) : FailureEvent(request_.api, error, model, services_.loop.WallNow()));
    reply_->End();
    return;
  }
  content_type_ = "application/json";
  HttpHeaderList headers = AnswerHeaders(content_type_);
  for (auto& header : RetryHeaders(error)) headers.push_back(std::move(header));
  reply_->Send({error.status, std::move(headers), ErrorJson(error)});
}

std::string DoorCall::WithoutSecret(std::string text) const {
  const std::string& secret = call_.envelope().route.account->api_key;
  if (secret.empty() || text.find(secret) == std::string::npos) return text;
  return RedactSecret(secret, text);
}

}  // namespace holdfast::quota
