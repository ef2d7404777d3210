#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/loop.h"
#include "quota_service/provider/profile.h"
#include "quota_service/provider/tap.h"
#include "quota_service/retry/failure.h"
#include "quota_service/upstream/account.h"
#include "quota_service/upstream/sse_parser.h"
#include "quota_service/upstream/upstream_client.h"

namespace holdfast::quota {

struct AttemptResult {
  std::optional<UpstreamFailure> failure;  // absent: completed
  std::optional<TokenUsage> usage;
  bool cut = false;       // completed, but at an output cap
  bool answered = false;  // headers came
  bool arrived = false;   // it may count at the upstream: all of it went out, or it had all the time to get there
  bool output = false;    // the tap passed something on
  Duration ran{};         // from sending on, without what silence was longer than allowed: a machine may have slept
};

// One request to one upstream, from sending to its end: HTTP, event stream, tap, and the watch over silences. On the
// loop.
class Attempt final : private UpstreamListener {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void OnAttemptHeaders(int http_status, const RateLimitHeaders& headers) = 0;
    virtual void OnAttemptFirstOutput() = 0;
    // Once, last. The attempt may be destroyed in it.
    virtual void OnAttemptEnded(AttemptResult result) = 0;
  };

  // It may run for `run_left`, of all that the account grants to a call.
  Attempt(Loop& loop, UpstreamClient& client, const Account& account, Duration run_left, UpstreamRequest request,
          std::unique_ptr<Tap> tap, Listener* listener);

  // While it is paused the upstream is not read, and not expected to say anything. Also from inside the tap's methods.
  void SetPaused(bool paused);

  // Lets go of the connection; the listener hears nothing more. Also from inside the listener's or the tap's methods.
  void Abandon();

 private:
  enum class Mode { kAwaitingHeaders, kEvents, kWhole, kErrorBody, kDraining };

  void OnHeaders(int http_status, const HttpHeaders& headers) override;
  void OnBody(std::string_view bytes) override;
  void OnDone(absl::Status transport) override;

  void OnEvents(std::string_view bytes);
  void OnWhole(std::string_view bytes);
  // True: ended.
  bool Take(const Verdict& verdict);
  void WatchSilence();
  void Fail(UpstreamFailure failure);
  void FailAs(FailureClass cls, std::string_view message);
  void FailAsAnswered();
  void OnSilence();
  void OnRunEnded();

  Loop& loop_;
  Listener* listener_;
  std::unique_ptr<Tap> tap_;
  Duration stall_timeout_;
  Duration run_timeout_;
  BootTime sent_at_;
  BootTime last_event_;
  WallTime::duration server_ahead_{};  // of our wall clock, by the answer's date
  HintOrder hints_;
  std::string secret_;  // the account's key, which must not come back in an error
  Mode mode_ = Mode::kAwaitingHeaders;
  bool paused_ = false;
  int http_status_ = 0;
  HttpHeaders headers_;
  std::string body_;  // of an answer that is no stream
  SseParser parser_;
  AttemptResult result_;
  std::unique_ptr<Loop::Timer> silence_;
  std::unique_ptr<Loop::Timer> run_;
  std::unique_ptr<UpstreamExchange> exchange_;
};

}  // namespace holdfast::quota
