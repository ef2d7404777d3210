#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "quota_service/admission/gauge.h"
#include "quota_service/retry/rate_limit_headers.h"

namespace holdfast::quota {

enum class LimitSource { kConfigured, kHeaders, kRefusal };
// "configured", "headers", "refusal".
const char* LimitSourceName(LimitSource source);

// One limit of the provider, mirrored here: charged as requests are sent, corrected by what the provider's answers say.
//
// A header's `remaining` was true at some moment between the sending of its request and the arrival of its headers.
// Taking the latest moment is safe: the mirror is then never above the provider's bucket, so that nothing is sent too
// early; it lags by at most the time that headers take, which costs no throughput while anybody waits.
//
//   lo = remaining - (mirror at the arrival of the headers, without what was charged after the request)
//   lo < 0, beyond what requests sent meanwhile explain: corrected at once (somebody else used the key, or the limit
//   fell) lo > 0 three times in a row, beyond what was still under way at the sending: half of the least of them is
//   given back
//
// Corrections made since the sending are part of the mirror, so that nothing is corrected twice.
class Mirror {
 public:
  using RequestId = uint64_t;

  Mirror(WindowKind kind, double limit, Duration per, LimitSource source);

  const Gauge& gauge() const { return *gauge_; }
  LimitSource source() const { return source_; }

  // `id` goes upstream now and takes `amount`.
  void Send(BootTime now, RequestId id, double amount);
  // `id` took nothing: it was refused, or never left.
  void Return(BootTime now, RequestId id);
  // `id` has ended; its amount stays charged.
  void Forget(RequestId id);

  void OnHeaders(BootTime now, RequestId id, const DimensionHeaders& headers);
  // A refusal's own words, after Return. Never raises the level.
  void OnRefusal(BootTime now, std::optional<int64_t> limit, std::optional<int64_t> used);
  // The provider says that `amount` fits in `wait` and not before: the level is at most what makes that true.
  void CapSoThat(BootTime now, double amount, Duration wait);

 private:
  struct Sent {
    BootTime at;
    double amount;
    double level_after;         // of the gauge, when this had been charged
    double corrections_before;  // corrections_ at that moment
    double charged_by_then;     // charged_, this one included
    double unconfirmed_before;  // amounts under way whose headers had not come
    bool confirmed = false;
  };

  void SetLimit(BootTime now, int64_t limit, LimitSource source);
  void Correct(BootTime now, double delta);

  std::unique_ptr<Gauge> gauge_;
  LimitSource source_;
  std::map<RequestId, Sent> sent_;
  double charged_ = 0;      // sum of all amounts sent and not returned
  double corrections_ = 0;  // sum of all corrections
  int raises_in_a_row_ = 0;
  double least_raise_ = 0;
};

// The window that the `reset` of a continuous bucket implies: reset = used / limit * per. Rounded to a second, ten, a
// minute, an hour or a day; a minute where nothing can be told.
Duration InferWindow(const DimensionHeaders& headers);

}  // namespace holdfast::quota
