#pragma once

#include <functional>
#include <memory>
#include <string>

#include "holdfast/quota/v1/quota.pb.h"
#include "quota_service/call/exchange.h"
#include "quota_service/provider/dialect.h"
#include "quota_service/typed/event_history.h"

namespace holdfast::quota {

// How a typed call ended, as its reader is told.
struct CallEnd {
  bool completed = false;
  CallFailure failure;  // unless completed
};

// Someone who reads the events of a call. On the loop.
class EventReader {
 public:
  virtual ~EventReader() = default;
  // There may be events after the reader's cursor now, or the call has ended.
  virtual void OnProgress() = 0;
  // Another reader has taken its place, or the call is gone: the exchange is not to be used any more.
  virtual void OnReplaced() = 0;
};

// A call that came as protos: speaks a dialect to the upstream and keeps its events for readers.
class TypedExchange final : public Exchange {
 public:
  TypedExchange(v1::GenerateRequest request, const Dialect& dialect, std::string incarnation);

  // Replaces the reader that there was. Null: nobody reads.
  void SetReader(EventReader* reader);
  EventReader* reader() const { return reader_; }
  const EventHistory& history() const { return history_; }
  // Of the newest wait in the history.
  BootTime wait_ends() const { return wait_ends_; }
  // Null while it runs.
  const CallEnd* end() const { return end_.get(); }
  // Its events, and while it runs its request.
  size_t retained_bytes() const { return history_.bytes() + request_.ByteSizeLong(); }
  void set_on_finished(std::function<void(bool)> on_finished) { on_finished_ = std::move(on_finished); }

  absl::StatusOr<RequestBody> BuildBody(const Route& route) override;
  std::unique_ptr<Tap> NewTap(const Route& route) override;
  bool can_restart() const override { return true; }
  void OnWaiting(const WaitNotice& notice) override;
  void OnAdmitted(const Route& route, int attempt, Duration waited) override;
  void OnRestarted(const std::string& cause) override;
  void OnFinished(const CallOutcome& outcome) override;

 private:
  void Emit(v1::GenerateEvent event);

  v1::GenerateRequest request_;
  const Dialect& dialect_;
  EventHistory history_;
  EventReader* reader_ = nullptr;
  BootTime wait_ends_{};
  bool passed_on_ = false;  // deltas or items, by the attempt that runs or ran last
  std::unique_ptr<CallEnd> end_;
  // Held back until the call has settled, so that it can say how long it waited.
  std::unique_ptr<v1::GenerateEvent> completed_;
  std::function<void(bool)> on_finished_;
};

}  // namespace holdfast::quota
