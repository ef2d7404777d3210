#include "quota_service/call/account_gate.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <vector>

namespace holdfast::quota {

AccountGate::AccountGate(Loop& loop, std::function<void()> on_change, OnStreak on_streak)
    : loop_(loop), on_change_(std::move(on_change)), on_streak_(std::move(on_streak)), probe_timer_(loop.NewTimer()) {}

AccountGate::~AccountGate() { *alive_ = false; }

AccountGate::CallId AccountGate::Enter(Caller* caller) {
  callers_[next_call_] = caller;
  return next_call_++;
}

void AccountGate::Leave(CallId call) {
  if (callers_.erase(call) == 0) return;
  breaker_.OnGone(call);
  health_.OnGone(call);
  Settle();
}

const Outage* AccountGate::Refuses(const std::string& model) const { return health_.Refuses(loop_.Now(), model); }

bool AccountGate::closed() const {
  const Outage* outage = health_.account();
  return outage != nullptr && loop_.Now() < outage->next_probe;
}

AccountGate::Verdict AccountGate::TryPass(CallId call, const std::string& model) { return Pass(call, model, false); }

AccountGate::Verdict AccountGate::TryPassAtLast(CallId call, const std::string& model) {
  return Pass(call, model, true);
}

AccountGate::Verdict AccountGate::Pass(CallId call, const std::string& model, bool at_last) {
  const BootTime now = loop_.Now();
  if (const Outage* outage = health_.TryPass(now, model, call)) {
    return {.kind = Verdict::Kind::kRefused, .outage = outage};
  }
  const bool passes = at_last ? breaker_.TryPassAtLast(now, call) : breaker_.TryPass(now, call);
  if (passes && holds()) last_probe_ = call;
  Settle();
  if (passes) return {};
  return {.kind = Verdict::Kind::kHold, .until = breaker_.NextProbe()};
}

void AccountGate::OnHeaders(CallId call, const std::string& model, int http_status) {
  if (http_status != 200) return;
  health_.OnAccepted(model, call);
  breaker_.OnHeaders(call);
  Settle();
}

void AccountGate::OnAnswered(CallId call) {
  breaker_.OnAnswered(loop_.Now(), call);
  NoteAnswer();
  Settle();
}

void AccountGate::OnFailed(CallId call, const std::string& model, const UpstreamFailure& failure) {
  const BootTime now = loop_.Now();
  health_.OnFailed(now, model, failure, call);
  switch (failure.cls) {
    case FailureClass::kOverloaded:
    case FailureClass::kTransport:
      breaker_.OnFailed(now, call);
      if (streak_.OnFailed(now) && on_streak_) on_streak_(&failure, 0);
      break;
    case FailureClass::kRateLimited:
    case FailureClass::kTooLarge:
    case FailureClass::kQuotaExhausted:
    case FailureClass::kContextOverflow:
    case FailureClass::kAuthentication:
    case FailureClass::kInvalidRequest:
      breaker_.OnAnswered(now, call);
      NoteAnswer();
      break;
    case FailureClass::kNoStream:
    case FailureClass::kUnusable:
      breaker_.OnGone(call);
      break;
  }
  Settle();
}

void AccountGate::NoteAnswer() {
  const int64_t failed = streak_.OnAnswered();
  if (failed > 0 && on_streak_) on_streak_(nullptr, failed);
}

void AccountGate::Settle() {
  const bool open = holds();
  const bool out = health_.account() != nullptr;
  const size_t models_out = health_.models().size();
  const BootTime probe = open ? breaker_.NextProbe() : BootTime{};
  const bool changed = open != was_open_ || out != was_out_;
  if (!changed && models_out == models_out_ && probe == next_probe_) return;
  was_open_ = open;
  was_out_ = out;
  models_out_ = models_out;
  next_probe_ = probe;
  Wake();
  if (open) {
    probe_timer_->ArmAt(probe, [this] { WakeAll(); });
  } else {
    probe_timer_->Disarm();
  }
  if (changed && on_change_) on_change_();
}

void AccountGate::Wake() {
  if (wake_posted_) return;
  wake_posted_ = true;
  loop_.Post([this, alive = alive_] {
    if (!*alive) return;
    wake_posted_ = false;
    WakeAll();
  });
}

void AccountGate::WakeAll() {
  std::vector<CallId> order;
  order.reserve(callers_.size());
  const auto first = callers_.upper_bound(last_probe_);
  for (auto caller = first; caller != callers_.end(); ++caller) order.push_back(caller->first);
  for (auto caller = callers_.begin(); caller != first; ++caller) order.push_back(caller->first);
  int held = 0;
  for (const CallId call : order) {
    // Callers leave meanwhile.
    const auto caller = callers_.find(call);
    if (caller != callers_.end() && caller->second->OnGateMoved(held)) ++held;
  }
  held_ = held;
}

AccountGate& AccountGates::Of(const std::string& account) {
  std::unique_ptr<AccountGate>& gate = gates_[account];
  if (gate == nullptr) {
    gate = std::make_unique<AccountGate>(
        loop_,
        [this, account] {
          if (on_change_) on_change_(account, *gates_.at(account));
        },
        [this, account](const UpstreamFailure* failure, int64_t failed) {
          if (on_streak_) on_streak_(account, failure, failed);
        });
  }
  return *gate;
}

std::string DescribeOutage(const Outage& outage, BootTime now, WallTime wall_now) {
  const auto clock = [&](BootTime moment) {
    const WallTime wall = wall_now + std::chrono::duration_cast<WallTime::duration>(moment - now);
    return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::chrono::system_clock::to_time_t(wall)));
  };
  const bool quota = outage.cls == FailureClass::kQuotaExhausted;
  std::string text = quota ? "has no money or quota left" : "refuses the key that quota_service has for it";
  if (!outage.model.empty()) text += fmt::format(" for the model {}", outage.model);
  if (!outage.code.empty()) text += fmt::format(" ({})", outage.code);
  if (outage.reset && *outage.reset > now) text += fmt::format(" until {}", clock(*outage.reset));
  text += quota ? "; pay, or raise its limit" : "; check the key, or replace it and restart quota_service";
  text += outage.next_probe > now ? fmt::format("; the next call after {} asks again", clock(outage.next_probe))
                                  : std::string("; the next call asks again");
  return text;
}

std::string DescribeCause(const UpstreamFailure& failure) {
  // What broke on the way is put into words here; all else may be in the provider's.
  if (failure.http_status == 0 && failure.cls == FailureClass::kTransport) return failure.message;
  std::string text = failure.http_status != 0 ? fmt::format("HTTP {}", failure.http_status)
                                              : std::string(FailureClassName(failure.cls));
  if (!failure.code.empty()) text += fmt::format(" ({})", failure.code);
  return text;
}

}  // namespace holdfast::quota
