#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent_service/quota_client/quota_client.h"
#include "common/base/loop.h"
#include "common/rpc/status.h"

namespace holdfast::agent {

// One model call of a turn, from here: attaches to it at quota_service, again after every broken link, until it has an
// answer or has failed for good. On the loop.
class ModelCall final : private QuotaClient::Listener {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnCallWaiting(const quota::v1::Wait& wait) = 0;
    // quota_service cannot be reached; before each attempt to, but for the first.
    virtual void OnCallCutOff(const quota::v1::Wait& wait) = 0;
    // quota_service says that the call runs: the first time, and again after each wait and each broken link.
    virtual void OnCallRuns() = 0;
    virtual void OnCallAdmitted(const quota::v1::Admitted& admitted) = 0;
    virtual void OnCallDelta(const quota::v1::Delta& delta) = 0;
    virtual void OnCallRestarted(const quota::v1::Restarted& restarted) = 0;
    // One of these two, once, last; the call may be destroyed in it.
    virtual void OnCallAnswered(std::vector<quota::v1::Item> items, const quota::v1::Completed& completed) = 0;
    virtual void OnCallFailed(const grpc::Status& status) = 0;
  };

  // `max_wait`: what is left of the turn's patience. Time without quota_service counts; a call that was running when
  // the link broke gets the minute that it lives without a reader on top.
  ModelCall(Loop& loop, QuotaClient& client, quota::v1::GenerateRequest request, Duration max_wait, Owner* owner);

  void Start();
  const std::string& call_id() const { return request_.call_id(); }
  // Nothing is called afterwards; at quota_service the call goes on.
  void Detach();
  // Detaches, and ends it there.
  void CancelAtQuotaService();

 private:
  void Attach();
  void OnEvent(quota::v1::GenerateEvent event) override;
  void OnEnd(const grpc::Status& status) override;
  void KeepTimes(const quota::v1::GenerateEvent& event);
  // Spent waiting, and without quota_service, so far.
  Duration Waited() const;

  Loop& loop_;
  QuotaClient& client_;
  quota::v1::GenerateRequest request_;
  Duration max_wait_;
  Owner* owner_;
  std::unique_ptr<QuotaClient::Stream> stream_;
  std::unique_ptr<Loop::Timer> retry_;
  std::vector<quota::v1::Item> items_;
  std::optional<quota::v1::Completed> completed_;
  Duration waited_{};                      // without the wait under way
  std::optional<BootTime> waiting_since_;  // absent: the call runs
  std::optional<BootTime> unreachable_since_;
  Duration waited_elsewhere_{};  // of waited_: before the incarnation that answers, which does not know of it
  int broken_in_a_row_ = 0;
  bool told_running_ = false;
};

}  // namespace holdfast::agent
