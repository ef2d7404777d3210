#include "quota_service/admission/mirror.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace holdfast::quota {
namespace {

constexpr int kRaisesBeforeBelieved = 3;
constexpr double kRaiseGain = 0.5;

}  // namespace

const char* LimitSourceName(LimitSource source) {
  switch (source) {
    case LimitSource::kConfigured:
      return "configured";
    case LimitSource::kHeaders:
      return "headers";
    case LimitSource::kRefusal:
      return "refusal";
  }
  return "";
}

Mirror::Mirror(WindowKind kind, double limit, Duration per, LimitSource source)
    : gauge_(MakeGauge(kind, limit, per)), source_(source) {}

void Mirror::Send(BootTime now, RequestId id, double amount) {
  double unconfirmed = 0;
  for (const auto& [other, sent] : sent_) unconfirmed += sent.confirmed ? 0 : sent.amount;
  gauge_->Charge(now, amount);
  charged_ += amount;
  sent_[id] = {now, amount, gauge_->Level(now), corrections_, charged_, unconfirmed};
}

void Mirror::Return(BootTime now, RequestId id) {
  const auto found = sent_.find(id);
  if (found == sent_.end()) return;
  const Sent returned = found->second;
  // Those sent later were measured with this one charged.
  for (auto& [other, sent] : sent_) {
    if (sent.charged_by_then <= returned.charged_by_then) continue;
    sent.level_after += returned.amount;
    sent.charged_by_then -= returned.amount;
  }
  charged_ -= returned.amount;
  gauge_->Correct(now, returned.amount);
  sent_.erase(found);
}

void Mirror::Forget(RequestId id) { sent_.erase(id); }

void Mirror::SetLimit(BootTime now, int64_t limit, LimitSource source) {
  if (limit <= 0 || static_cast<double>(limit) == gauge_->limit()) return;
  const double delta = static_cast<double>(limit) - gauge_->limit();
  gauge_->SetLimit(now, static_cast<double>(limit));
  for (auto& [id, sent] : sent_) sent.level_after += delta;
  source_ = source;
  raises_in_a_row_ = 0;
}

void Mirror::Correct(BootTime now, double delta) {
  gauge_->Correct(now, delta);
  corrections_ += delta;
  raises_in_a_row_ = 0;
}

void Mirror::OnHeaders(BootTime now, RequestId id, const DimensionHeaders& headers) {
  const auto found = sent_.find(id);
  if (found == sent_.end() || found->second.confirmed) return;
  if (headers.limit) SetLimit(now, *headers.limit, LimitSource::kHeaders);
  Sent& sent = found->second;
  sent.confirmed = true;
  if (!headers.remaining || static_cast<double>(*headers.remaining) > gauge_->limit()) return;

  const double refill = gauge_->limit() / ToSeconds(gauge_->per()) * ToSeconds(now - sent.at);
  const double mirror_then = sent.level_after + (corrections_ - sent.corrections_before);
  const double mirror_now = std::min(gauge_->limit(), mirror_then + refill);
  const double lo = static_cast<double>(*headers.remaining) - mirror_now;
  const double sent_meanwhile = charged_ - sent.charged_by_then;

  if (lo + sent_meanwhile < 0) {
    Correct(now, lo + sent_meanwhile);
  } else if (const double raise = lo - sent.unconfirmed_before; raise > 0) {
    least_raise_ = raises_in_a_row_ == 0 ? raise : std::min(least_raise_, raise);
    if (++raises_in_a_row_ >= kRaisesBeforeBelieved) Correct(now, kRaiseGain * least_raise_);
  } else {
    raises_in_a_row_ = 0;
  }
}

void Mirror::OnRefusal(BootTime now, std::optional<int64_t> limit, std::optional<int64_t> used) {
  if (limit) SetLimit(now, *limit, LimitSource::kRefusal);
  if (!used || *used < 0) return;
  const double level = gauge_->limit() - static_cast<double>(*used);
  if (const double delta = level - gauge_->Level(now); delta < 0) Correct(now, delta);
}

void Mirror::CapSoThat(BootTime now, double amount, Duration wait) {
  const double refill = gauge_->limit() / ToSeconds(gauge_->per()) * ToSeconds(wait);
  const double most = std::max(std::min(amount, gauge_->limit()) - refill, -gauge_->limit());
  if (const double delta = most - gauge_->Level(now); delta < 0) Correct(now, delta);
}

Duration InferWindow(const DimensionHeaders& headers) {
  constexpr std::array<double, 5> kWindows = {1, 10, 60, 3600, 86400};
  constexpr Duration kMinute = std::chrono::minutes(1);
  if (!headers.limit || !headers.remaining || !headers.reset) return kMinute;
  const double used = static_cast<double>(*headers.limit - *headers.remaining);
  if (used <= 0 || *headers.limit <= 0 || *headers.reset <= Duration::zero()) return kMinute;
  const double implied = ToSeconds(*headers.reset) * static_cast<double>(*headers.limit) / used;
  // A reset rounded up to a millisecond or a second says nothing when almost nothing is used.
  if (used / static_cast<double>(*headers.limit) < 1e-4) return kMinute;
  const auto distance = [&](double window) { return std::abs(std::log(implied / window)); };
  const double best = *std::min_element(kWindows.begin(), kWindows.end(),
                                        [&](double a, double b) { return distance(a) < distance(b); });
  // Only what really looks like that window; servers also send resets of fixed windows here.
  return distance(best) < 0.2 ? FromSeconds(best) : kMinute;
}

}  // namespace holdfast::quota
