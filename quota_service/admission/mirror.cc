#include "quota_service/admission/mirror.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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
    : kind_(kind), gauge_(MakeGauge(kind, limit, per)), source_(source) {}

void Mirror::Send(BootTime now, RequestId id, double amount) {
  double unconfirmed = 0;
  const double used = gauge_->limit() - gauge_->Level(now);
  for (auto& [other, sent] : sent_) {
    unconfirmed += sent.confirmed ? 0 : sent.amount;
    sent.least_used = std::min(sent.least_used, used);
  }
  gauge_->Charge(now, amount);
  charged_ += amount;
  sent_[id] = {now, amount, charged_, unconfirmed, std::numeric_limits<double>::infinity(), false, std::nullopt};
}

void Mirror::Return(BootTime now, RequestId id) {
  const auto found = sent_.find(id);
  if (found == sent_.end()) return;
  const Sent returned = found->second;
  for (auto& [other, sent] : sent_) {
    if (sent.charged_by_then > returned.charged_by_then) sent.charged_by_then -= returned.amount;
    sent.least_used -= returned.amount;
  }
  charged_ -= returned.amount;
  gauge_->Return(now, returned.at, std::clamp(returned.least_used, 0.0, returned.amount));
  sent_.erase(found);
}

void Mirror::Refused(BootTime now, RequestId id) {
  const auto found = sent_.find(id);
  if (found == sent_.end()) return;
  const std::optional<double> remaining = found->second.remaining;
  Return(now, id);
  // Headers of a refusal were compared with a level that it was part of.
  raises_in_a_row_ = 0;
  if (remaining) LowerTo(now, *remaining);
}

void Mirror::Forget(RequestId id) { sent_.erase(id); }

void Mirror::SetLimit(BootTime now, int64_t limit, LimitSource source) {
  if (limit <= 0 || static_cast<double>(limit) == gauge_->limit()) return;
  gauge_->SetLimit(now, static_cast<double>(limit));
  source_ = source;
  raises_in_a_row_ = 0;
}

void Mirror::Correct(BootTime now, double delta) {
  gauge_->Correct(now, delta);
  raises_in_a_row_ = 0;
}

void Mirror::LowerTo(BootTime now, double level) {
  // No gate lets more than its limit be owed; who says so is believed that far.
  const double least = std::max(level, -gauge_->limit());
  if (const double delta = least - gauge_->Level(now); delta < 0) Correct(now, delta);
}

void Mirror::OnHeaders(BootTime now, RequestId id, const DimensionHeaders& headers) {
  const auto found = sent_.find(id);
  if (found == sent_.end() || found->second.confirmed) return;
  if (headers.limit) SetLimit(now, *headers.limit, LimitSource::kHeaders);
  Sent& sent = found->second;
  sent.confirmed = true;
  if (!headers.remaining || *headers.remaining < 0) return;
  const auto remaining = static_cast<double>(*headers.remaining);
  if (remaining > gauge_->limit()) return;
  sent.remaining = remaining;

  const double difference = remaining - gauge_->Level(now);
  const double sent_meanwhile = charged_ - sent.charged_by_then;
  if (difference < 0) {
    Correct(now, difference);
  } else if (const double raise = difference - sent_meanwhile - sent.unconfirmed_before; raise > 0) {
    least_raise_ = raises_in_a_row_ == 0 ? raise : std::min(least_raise_, raise);
    if (++raises_in_a_row_ >= kRaisesBeforeBelieved) Correct(now, kRaiseGain * least_raise_);
  } else {
    raises_in_a_row_ = 0;
  }
}

void Mirror::OnRefusal(BootTime now, std::optional<int64_t> limit, std::optional<int64_t> used) {
  if (limit) SetLimit(now, *limit, LimitSource::kRefusal);
  if (used && *used >= 0) LowerTo(now, gauge_->limit() - static_cast<double>(*used));
}

void Mirror::CapSoThat(BootTime now, double amount, Duration wait) {
  if (kind_ != WindowKind::kContinuous) return;
  const double refill = gauge_->limit() / ToSeconds(gauge_->per()) * ToSeconds(wait);
  LowerTo(now, std::min(amount, gauge_->limit()) - refill);
}

std::optional<Duration> InferWindow(double part, Duration refill) {
  constexpr std::array<double, 5> kWindows = {1, 10, 60, 3600, 86400};
  // Resets are rounded to a millisecond or a second: of almost nothing, they say nothing.
  constexpr double kLeastPart = 1e-4;
  constexpr double kTolerance = 0.05;
  if (part < kLeastPart || refill <= Duration::zero()) return std::nullopt;
  const double implied = ToSeconds(refill) / part;
  for (const double window : kWindows) {
    if (std::abs(std::log(implied / window)) < kTolerance) return FromSeconds(window);
  }
  return std::nullopt;
}

std::optional<Duration> InferWindow(const DimensionHeaders& headers) {
  if (!headers.limit || !headers.remaining || !headers.reset || *headers.limit <= 0) return std::nullopt;
  const auto limit = static_cast<double>(*headers.limit);
  return InferWindow((limit - static_cast<double>(*headers.remaining)) / limit, *headers.reset);
}

}  // namespace holdfast::quota
