#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "quota_service/admission/foreign_use.h"
#include "quota_service/admission/gauge.h"
#include "quota_service/retry/rate_limit_headers.h"

namespace holdfast::quota {

enum class LimitSource { kConfigured, kHeaders, kRefusal, kProbe };
// "configured", "headers", "refusal", "probe".
const char* LimitSourceName(LimitSource source);

// One limit of the provider, mirrored here: charged as requests are sent, corrected by what the provider's answers say.
//
// A header's `remaining` was true at some moment between the sending of its request and the arrival of its headers.
// Taking the latest moment is safe: the mirror is then never above the provider's bucket, so that nothing is sent too
// early; it lags by at most the time that headers take, which costs no throughput while anybody waits.
//
//   remaining < level: corrected at once (somebody else used the key, or the limit fell)
//   remaining > level three times in a row, by more than what was sent meanwhile and what was still under way at the
//   sending: half of the least difference is given back
//
// Corrections are made to the level as it is, so that nothing is corrected twice. What others use is learnt from the
// same answers, and room is left for it (ForeignUse): a constant margin costs no throughput while anybody waits.
class Mirror {
 public:
  using RequestId = uint64_t;

  // `slack`: as of MakeGauge.
  Mirror(WindowKind kind, double limit, Duration per, LimitSource source, Duration slack = {});

  const Gauge& gauge() const { return *gauge_; }
  LimitSource source() const { return source_; }
  WindowKind kind() const { return kind_; }
  const ForeignUse& foreign() const { return foreign_; }

  // Before the first Send: so much was used at that moment, by whoever kept this limit before.
  void TakeOver(BootTime when, double used) { gauge_->Charge(when, used); }

  // What to keep free for a request that is charged `charge` on arrival and comes to `most` in the end; at most the
  // limit where the charge is.
  double Room(double charge, double most) const;
  // What to leave for others at that moment.
  double Margin(BootTime when) const;
  // The first moment, not before `now`, at which such a request may go if nothing else happens. BootTime::max(): it is
  // over the limit, or waits for what is under way to settle.
  BootTime WhenFits(BootTime now, double charge, double most) const;
  // Whether that is now.
  bool Fits(BootTime now, double charge, double most) const;

  // `id` goes upstream now.
  void Send(BootTime now, RequestId id, double charge, double most);
  // `id` took nothing: it never left.
  void Return(BootTime now, RequestId id);
  // `id` took nothing: the gate refused it. What its headers told was left without it.
  void Refused(BootTime now, RequestId id);
  // `id` has ended. Its charge stays, or becomes `actual`.
  void Settle(BootTime now, RequestId id, std::optional<double> actual);

  void OnHeaders(BootTime now, RequestId id, const DimensionHeaders& headers);
  // A refusal's own words, after Refused. `used` never raises the level.
  void OnRefusal(BootTime now, std::optional<int64_t> limit, std::optional<int64_t> used);
  // The provider says that `amount` fits in `wait` and not before: the level of a bucket is at most what makes that
  // true. Windows do not refill evenly; a wait says nothing about their level.
  void CapSoThat(BootTime now, double amount, Duration wait);
  // It is this large from now on, because another limit is.
  void Resize(BootTime now, double limit);
  // A request was taken that there was no room for: the limit is believed to be twice as large, until a refusal tells.
  void OnProbeTaken(BootTime now);
  // A refusal that names neither limit nor use: the limit is what it was before the latest probe was taken.
  void OnBareRefusal(BootTime now);

 private:
  // What such a request needs at `when`: its room, that of what is under way, and others' margin.
  double Needed(BootTime when, double room) const;

  struct Sent {
    RequestId id = 0;
    BootTime at{};
    double amount = 0;
    double reserved = 0;            // beyond `amount`, until it has ended
    double charged_by_then = 0;     // charged_, this one included
    double unconfirmed_before = 0;  // amounts under way whose headers had not come
    // The least that was used before any later charge, those given back since left out. Without this request the gauge
    // would have been full there and lost the refill beyond it, so no more than this comes back.
    double least_used = std::numeric_limits<double>::infinity();
    double believed = 0;                     // the level right after
    double expected = 0;                     // the same, as corrected since
    std::optional<Duration> unread;          // since the latest reading before it; absent: nothing had been read
    std::optional<ForeignUse::Serial> seen;  // what its headers told of others
    bool confirmed = false;
    std::optional<double> remaining;  // as its headers told
  };

  Sent* Find(RequestId id);
  void Erase(Sent* sent);
  void SetLimit(BootTime now, int64_t limit, LimitSource source);
  void Correct(BootTime now, double delta);
  void LowerTo(BootTime now, double level);
  // `left`: what the gate had, this request's own charge left out.
  void LearnForeign(Sent& sent, double left);

  WindowKind kind_;
  std::unique_ptr<Gauge> gauge_;
  LimitSource source_;
  std::vector<Sent> sent_;  // in no order
  double charged_ = 0;      // sum of all amounts sent and not returned
  double reserved_ = 0;     // of sent_
  int raises_in_a_row_ = 0;
  double least_raise_ = 0;
  ForeignUse foreign_;
  std::optional<BootTime> last_reading_;
  std::optional<int64_t> before_probe_;  // the limit; until a refusal tells
  std::optional<Sent> refused_;
};

// The window of a continuous bucket that refills `part` of its limit in `refill`: refill = part * per. A second, ten, a
// minute, an hour or a day; empty where it is none of these, as with the resets of fixed windows, or cannot be told.
std::optional<Duration> InferWindow(double part, Duration refill);
// By the `reset` of headers, in which all that is used comes back.
std::optional<Duration> InferWindow(const DimensionHeaders& headers);

}  // namespace holdfast::quota
