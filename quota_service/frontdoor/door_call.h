#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/http_message.h"
#include "quota_service/call/call.h"
#include "quota_service/frontdoor/answer/door_error.h"
#include "quota_service/frontdoor/answer/pass_tap.h"
#include "quota_service/frontdoor/request/request_scan.h"

namespace holdfast::quota {

// A request that came by HTTP, read and routed.
struct DoorRequest {
  Api api = Api::kOther;
  bool streaming = false;
  Envelope envelope;                     // the call's, once there is one
  RequestBody body;                      // as it came, except for
  std::vector<Splice> splices;           // what is replaced in it,
  std::vector<BodyField<int64_t>> caps;  // and of its output caps those that the route lowers
  bool stored = true;                    // its answer may be gone on from
};

// One request of the front door on its way through a call: held while it waits, its answer passed on as it comes. A
// client that goes away cancels it. On the loop.
class DoorCall final : public Exchange, private PassSink {
 public:
  // `on_ended` is the last thing that happens, and does not destroy the call at once. `on_response`, where the answer
  // is one of Responses that may be gone on from: with its id and the tokens of it and its prompt, as told or else as
  // charged. Services outlive it.
  struct Events {
    std::function<void(DoorCall*)> on_ended;
    std::function<void(const Envelope&, const std::string& response_id, const TokenUsage&)> on_response;
  };

  DoorCall(const CallServices& services, DoorRequest request, std::shared_ptr<HttpReply> reply, Events events);
  ~DoorCall() override;

  void Start();
  // It waits, and this process goes away.
  void CancelWaiting();

 private:
  absl::StatusOr<RequestBody> BuildBody(const Route& route) override;
  std::unique_ptr<Tap> NewTap(const Route& route) override;
  // What nobody has seen may be asked for again.
  bool can_restart() const override { return request_.api != Api::kOther && !request_.streaming && !begun_; }
  void OnWaiting(const WaitNotice&) override {}
  void OnAdmitted(const Route& route, int attempt, Duration waited) override;
  void OnRestarted(const std::string&) override { whole_.clear(); }
  void OnFinished(const CallOutcome& outcome) override;

  void OnAnswerHeaders(int http_status, const HttpHeaders& headers) override;
  void OnPassed(std::string event) override;
  void OnFailedEvent(std::string event) override { failed_event_ = std::move(event); }
  void OnComplete(std::string_view body, const std::string& response_id) override;

  void AskForLevels();
  // The status line goes out; what comes after it is an event.
  void BeginStream();
  HttpHeaderList AnswerHeaders(const std::string& default_type) const;
  void Write(std::string event);
  // The client is too far behind, or has caught up.
  void SetPaused(bool paused);
  void OnQuiet();
  void SendError(const DoorError& error);
  std::string WithoutSecret(std::string text) const;

  CallServices services_;
  DoorRequest request_;
  std::shared_ptr<HttpReply> reply_;
  Events events_;
  Call call_;
  std::unique_ptr<Loop::Timer> commit_;  // until the status line must go out
  std::unique_ptr<Loop::Timer> quiet_;   // since the last bytes to the client
  std::unique_ptr<Loop::Timer> behind_;  // while the client is too far behind
  BootTime last_write_{};
  BootTime started_{};
  Duration waited_{};
  bool begun_ = false;   // the status line of a stream is out
  bool output_ = false;  // the upstream's events are
  bool gone_ = false;
  bool paused_ = false;
  std::vector<LimitGroup::Level> levels_;
  std::optional<BudgetStanding> budget_;
  int upstream_status_ = 200;
  HttpHeaders upstream_headers_;
  std::string content_type_;
  std::string whole_;  // the answer that is no stream
  std::string response_id_;
  std::string failed_event_;
  // What was asked of the ledger outlives the call in its queue, and finds it gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::quota
