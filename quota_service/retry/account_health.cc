#include "quota_service/retry/account_health.h"

#include <algorithm>

#include "quota_service/retry/text_scan.h"

namespace holdfast::quota {
namespace {

// Everybody is shown it, so it is not to be a sentence that was meant for one caller.
std::string WordOf(const std::string& code) {
  constexpr size_t kLongestWord = 64;
  const auto allowed = [](char c) { return IsAsciiLetter(c) || IsAsciiDigit(c) || c == '_' || c == '-' || c == '.'; };
  return code.size() <= kLongestWord && std::ranges::all_of(code, allowed) ? code : std::string();
}

bool TakesTheKey(FailureClass cls) {
  return cls == FailureClass::kInvalidRequest || cls == FailureClass::kContextOverflow ||
         cls == FailureClass::kTooLarge || cls == FailureClass::kRateLimited;
}

}  // namespace

const Outage* AccountHealth::Refuses(BootTime now, const std::string& model) const {
  if (account_ && Blocks(*account_, now)) return &account_->outage;
  const auto found = models_.find(model);
  return found != models_.end() && Blocks(found->second, now) ? &found->second.outage : nullptr;
}

const Outage* AccountHealth::TryPass(BootTime now, const std::string& model, CallId call) {
  if (account_ && !Lets(*account_, now, call)) return &account_->outage;
  Entry* of_model = ModelEntry(model);
  return of_model != nullptr && !Lets(*of_model, now, call) ? &of_model->outage : nullptr;
}

bool AccountHealth::Lets(Entry& entry, BootTime now, CallId call) {
  if (!IsOut(entry) || entry.probe == call) return true;
  if (Blocks(entry, now)) return false;
  entry.probe = call;
  // A call that says nothing for so long makes room for another.
  entry.outage.next_probe = now + entry.pause;
  return true;
}

AccountHealth::Entry* AccountHealth::ModelEntry(const std::string& model) {
  const auto found = models_.find(model);
  return found == models_.end() ? nullptr : &found->second;
}

void AccountHealth::OnAccepted(const std::string& model, CallId call) {
  if (account_ && IsAccepted(*account_, call)) account_.reset();
  if (const Entry* entry = ModelEntry(model); entry != nullptr && IsAccepted(*entry, call)) models_.erase(model);
}

void AccountHealth::OnFailed(BootTime now, const std::string& model, const UpstreamFailure& failure, CallId call) {
  const bool refused = failure.cls == FailureClass::kAuthentication || failure.cls == FailureClass::kQuotaExhausted;
  if (refused && failure.scope == FailureScope::kAccount) {
    if (!account_) account_ = Entry{};
    Refused(now, *account_, failure, call);
  } else if (refused && failure.scope == FailureScope::kModel) {
    if (ModelEntry(model) == nullptr && models_.size() < kMostModels) models_[model].outage.model = model;
    if (Entry* entry = ModelEntry(model)) Refused(now, *entry, failure, call);
  } else if (TakesTheKey(failure.cls) && account_ && account_->outage.cls == FailureClass::kAuthentication &&
             IsAccepted(*account_, call)) {
    account_.reset();
  }
  OnGone(call);
}

void AccountHealth::Refused(BootTime now, Entry& entry, const UpstreamFailure& failure, CallId call) {
  // Those that were under way when it began are refused too; that is no news.
  if (IsOut(entry) && entry.probe != call) return;
  Outage& outage = entry.outage;
  outage.cls = failure.cls;
  outage.code = WordOf(failure.code);
  outage.reset.reset();
  if (++entry.refusals < options_.refusals) return;
  if (entry.refusals == options_.refusals) {
    outage.since = now;
    entry.pause = options_.first;
  }
  Duration pause = entry.pause;
  if (failure.cls == FailureClass::kQuotaExhausted && failure.hint.retry_after) {
    // Whoever names a moment and refuses again when it has come is believed less.
    const Duration least = entry.pause == options_.first ? Duration(std::chrono::seconds(1)) : options_.first;
    outage.reset = now + *failure.hint.retry_after;
    pause = std::min(std::max(*failure.hint.retry_after, least), pause);
  }
  outage.next_probe = now + pause;
  entry.pause = std::min(entry.pause * 2, options_.most);
  entry.probe.reset();
}

void AccountHealth::OnGone(CallId call) {
  const auto free = [call](Entry& entry) {
    if (entry.probe != call) return;
    entry.probe.reset();
    entry.outage.next_probe = BootTime::min();
  };
  if (account_) free(*account_);
  for (auto& [model, entry] : models_) free(entry);
}

std::vector<const Outage*> AccountHealth::models() const {
  std::vector<const Outage*> outages;
  for (const auto& [model, entry] : models_) {
    if (IsOut(entry)) outages.push_back(&entry.outage);
  }
  return outages;
}

}  // namespace holdfast::quota
