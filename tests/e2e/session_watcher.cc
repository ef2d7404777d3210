#include "tests/e2e/session_watcher.h"

#include <utility>

#include "common/base/clock.h"

namespace holdfast::test {

using agent::v1::SessionEvent;
using agent::v1::WatchEvent;

SessionWatcher::SessionWatcher(std::shared_ptr<agent::v1::AgentService::StubInterface> stub, std::string session_id)
    : stub_(std::move(stub)), session_id_(std::move(session_id)), reading_([this] { Watch(); }) {}

SessionWatcher::~SessionWatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (open_ != nullptr) open_->TryCancel();
  }
  reading_.join();
}

SessionWatcher::Place SessionWatcher::place() const {
  const std::lock_guard lock(mutex_);
  return place_;
}

std::map<int64_t, std::string> SessionWatcher::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

void SessionWatcher::Watch() {
  constexpr auto kPause = std::chrono::milliseconds(20);
  for (;;) {
    grpc::ClientContext context;
    agent::v1::WatchRequest request;
    request.set_session_id(session_id_);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      open_ = &context;
      if (!acknowledged_.empty()) request.set_after_sequence(acknowledged_.rbegin()->first);
      // What an attempt streamed is void when nobody is told how it goes on.
      place_.waiting = place_.streaming = false;
    }
    const auto stream = stub_->Watch(&context, request);
    WatchEvent event;
    while (stream->Read(&event)) Take(event);
    stream->Finish();
    {
      const std::lock_guard lock(mutex_);
      open_ = nullptr;
    }
    std::this_thread::sleep_for(kPause);
  }
}

void SessionWatcher::Take(const WatchEvent& event) {
  const std::lock_guard lock(mutex_);
  switch (event.kind_case()) {
    case WatchEvent::kEvent:
      if (acknowledged_.emplace(event.event().sequence(), event.event().SerializeAsString()).second)
        place_.events += event.event().has_wait_noted() ? 0 : 1;
      if (event.event().has_turn_started()) ++place_.turn;
      // A wait that is noted is history; what is waited for now has been told.
      if (!event.event().has_wait_noted()) place_.waiting = place_.streaming = false;
      break;
    case WatchEvent::kWait:
      place_.waiting = true;
      place_.streaming = false;
      break;
    case WatchEvent::kDelta:
      place_.waiting = false;
      place_.streaming = true;
      break;
    case WatchEvent::kAdmitted:
    case WatchEvent::kRestarted:
      place_.waiting = place_.streaming = false;
      break;
    default:
      break;
  }
}

}  // namespace holdfast::test
