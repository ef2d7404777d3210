#include "quota_service/admission/mirror.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace holdfast::quota {
namespace {

constexpr int kRaisesBeforeBelieved = 3;
constexpr double kRaiseGain = 0.5;
// Of the limit: what is kept for a request beyond its charge, and what one may take in all where its charge is less.
constexpr double kMostReserve = 0.05;
constexpr double kMostRoom = 0.97;
// Of the limit, to leave for others on the same key.
constexpr double kMostMargin = 0.25;
constexpr int64_t kMostProbed = 1'000'000'000'000;

}  // namespace

const char* LimitSourceName(LimitSource source) {
  switch (source) {
    case LimitSource::kConfigured:
      return "configured";
    case LimitSource::kHeaders:
      return "headers";
    case LimitSource::kRefusal:
      return "refusal";
    case LimitSource::kProbe:
      return "probe";
  }
  return "";
}

Mirror::Mirror(WindowKind kind, double limit, Duration per, LimitSource source, Duration slack)
    : kind_(kind), gauge_(MakeGauge(kind, limit, per, slack)), source_(source) {}

Mirror::Sent* Mirror::Find(RequestId id) {
  const auto found = std::find_if(sent_.begin(), sent_.end(), [id](const Sent& sent) { return sent.id == id; });
  return found == sent_.end() ? nullptr : &*found;
}

void Mirror::Erase(Sent* sent) {
  reserved_ -= sent->reserved;
  *sent = sent_.back();
  sent_.pop_back();
  if (sent_.empty()) reserved_ = 0;
}

double Mirror::Room(double charge, double most) const {
  // The estimate may be far off; a part of the limit bounds what it can keep idle. (docs/admission.md)
  const double limit = gauge_->limit();
  const double wanted = std::max(charge, std::min(most, charge + kMostReserve * limit));
  return std::min(wanted, std::max(charge, kMostRoom * limit));
}

double Mirror::Margin(BootTime when) const {
  if (!last_reading_) return 0;
  // In a whole window everything comes back.
  const double margin = foreign_.Margin(std::min<Duration>(when - *last_reading_, gauge_->per()));
  return std::min(margin, kMostMargin * gauge_->limit());
}

double Mirror::Needed(BootTime when, double room) const {
  return room + std::clamp(Margin(when), 0.0, std::max(0.0, gauge_->limit() - room));
}

bool Mirror::Fits(BootTime now, double charge, double most) const {
  return gauge_->Fits(now, Needed(now, Room(charge, most) + reserved_));
}

BootTime Mirror::WhenFits(BootTime now, double charge, double most) const {
  const double limit = gauge_->limit();
  const double room = Room(charge, most) + reserved_;
  const auto fits = [&](BootTime when) { return gauge_->WhenFits(now, Needed(when, room)); };
  BootTime when = fits(now);
  if (when <= now || when == BootTime::max() || foreign_.rate() <= 0) return when;
  // The margin grows while nothing is read, at most to its bound.
  constexpr int kMostSteps = 8;
  constexpr Duration kExactly = std::chrono::milliseconds(1);
  for (int step = 0; step < kMostSteps; ++step) {
    const BootTime later = fits(when);
    if (later <= when + kExactly) return std::max(when, later) + kExactly;
    when = later;
  }
  const double bound = std::min(kMostMargin * limit, std::max(0.0, limit - room));
  return std::max(when, gauge_->WhenFits(now, room + bound));
}

void Mirror::Send(BootTime now, RequestId id, double charge, double most) {
  double unconfirmed = 0;
  const double used = gauge_->limit() - gauge_->Level(now);
  for (Sent& sent : sent_) {
    unconfirmed += sent.confirmed ? 0 : sent.amount;
    sent.least_used = std::min(sent.least_used, used);
  }
  const double reserved = Room(charge, most) - charge;
  gauge_->Charge(now, charge);
  charged_ += charge;
  reserved_ += reserved;
  Sent& sent = sent_.emplace_back();
  sent.id = id;
  sent.at = now;
  sent.amount = charge;
  sent.reserved = reserved;
  sent.charged_by_then = charged_;
  sent.unconfirmed_before = unconfirmed;
  sent.believed = sent.expected = gauge_->Level(now);
  if (last_reading_) sent.unread = std::min<Duration>(now - *last_reading_, gauge_->per());
}

void Mirror::Return(BootTime now, RequestId id) {
  Sent* found = Find(id);
  if (found == nullptr) return;
  const Sent returned = *found;
  Erase(found);
  for (Sent& sent : sent_) {
    if (sent.charged_by_then > returned.charged_by_then) {
      sent.charged_by_then -= returned.amount;
      sent.expected += returned.amount;
    }
    sent.least_used -= returned.amount;
  }
  charged_ -= returned.amount;
  gauge_->Return(now, returned.at, std::clamp(returned.least_used, 0.0, returned.amount));
}

void Mirror::Refused(BootTime now, RequestId id) {
  refused_.reset();
  const Sent* found = Find(id);
  if (found == nullptr) return;
  refused_ = *found;
  Return(now, id);
  refused_->charged_by_then -= refused_->amount;
  // Headers of a refusal were compared with a level that it was part of.
  raises_in_a_row_ = 0;
  if (!refused_->remaining) return;
  LearnForeign(*refused_, *refused_->remaining - refused_->amount);
  LowerTo(now, *refused_->remaining);
}

void Mirror::Settle(BootTime now, RequestId id, std::optional<double> actual) {
  Sent* found = Find(id);
  if (found == nullptr) return;
  const Sent ended = *found;
  Erase(found);
  if (!actual || *actual < 0) return;
  const double back = ended.amount - *actual;
  if (back >= 0) {
    gauge_->Return(now, ended.at, back);
  } else {
    gauge_->Charge(now, -back);
  }
  charged_ -= back;
  for (Sent& sent : sent_) {
    sent.charged_by_then -= back;
    // Whether its headers have this already cannot be told: what is less than both is missing.
    if (back < 0) sent.expected += back;
  }
}

void Mirror::SetLimit(BootTime now, int64_t limit, LimitSource source) {
  const auto size = static_cast<double>(limit);
  if (limit <= 0 || size == gauge_->limit()) return;
  for (Sent& sent : sent_) {
    const double fallen = std::min(0.0, size - gauge_->limit());
    sent.expected += fallen;
    sent.believed += fallen;
  }
  gauge_->SetLimit(now, size);
  source_ = source;
  raises_in_a_row_ = 0;
}

void Mirror::Correct(BootTime now, double delta) {
  gauge_->Correct(now, delta);
  for (Sent& sent : sent_) sent.expected += delta;
  raises_in_a_row_ = 0;
}

void Mirror::LowerTo(BootTime now, double level) {
  // No gate lets more than its limit be owed; who says so is believed that far.
  const double least = std::max(level, -gauge_->limit());
  if (const double delta = least - gauge_->Level(now); delta < 0) Correct(now, delta);
}

void Mirror::LearnForeign(Sent& sent, double left) {
  // Room that is left in a window that ends or slides is lost with it, and its edges are where the gate's clock has
  // them.
  if (!sent.unread || kind_ != WindowKind::kContinuous) return;
  // Counts in headers are cut to whole units, twice.
  constexpr double kNoise = 2;
  const double sent_meanwhile = std::max(0.0, charged_ - sent.charged_by_then);
  const double likely = std::clamp(sent.expected - left, -gauge_->limit(), gauge_->limit());
  const double for_sure = likely - sent_meanwhile;
  // Whoever takes that much at once, or has had the limit changed, is no stream of bursts that a margin could cover.
  if (for_sure > kMostMargin * gauge_->limit()) return;
  const double met = std::clamp(sent.believed - left, -gauge_->limit(), gauge_->limit());
  const ForeignUse::Missing missing{for_sure > kNoise ? for_sure : 0, likely, met, left < -kNoise};
  if (sent.seen) {
    foreign_.Amend(*sent.seen, missing);
  } else {
    sent.seen = foreign_.Observe(*sent.unread, missing);
  }
}

void Mirror::OnHeaders(BootTime now, RequestId id, const DimensionHeaders& headers) {
  const Sent* known = Find(id);
  if (known == nullptr || known->confirmed) return;
  if (headers.limit) SetLimit(now, *headers.limit, LimitSource::kHeaders);
  Sent& sent = *Find(id);
  sent.confirmed = true;
  if (!headers.remaining || *headers.remaining < 0) return;
  const auto remaining = static_cast<double>(*headers.remaining);
  if (remaining > gauge_->limit()) return;
  sent.remaining = remaining;
  if (kind_ == WindowKind::kFixed && headers.reset && remaining < gauge_->limit()) {
    gauge_->EndWindowAt(now, now + std::min(*headers.reset, gauge_->per()));
  }
  LearnForeign(sent, remaining);
  last_reading_ = now;

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
  if (limit) {
    SetLimit(now, *limit, LimitSource::kRefusal);
    before_probe_.reset();
  }
  if (!used || *used < 0) return;
  const double left = gauge_->limit() - static_cast<double>(*used);
  if (refused_) LearnForeign(*refused_, left - refused_->amount);
  refused_.reset();
  last_reading_ = now;
  LowerTo(now, left);
}

void Mirror::Resize(BootTime now, double limit) {
  if (limit > 0 && limit != gauge_->limit()) gauge_->SetLimit(now, limit);
}

void Mirror::OnProbeTaken(BootTime now) {
  const auto limit = static_cast<int64_t>(gauge_->limit());
  if (!before_probe_) before_probe_ = limit;
  SetLimit(now, std::min(2 * limit, kMostProbed), LimitSource::kProbe);
}

void Mirror::OnBareRefusal(BootTime now) {
  if (!before_probe_) return;
  SetLimit(now, *before_probe_, LimitSource::kProbe);
  before_probe_.reset();
  LowerTo(now, 0);
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
