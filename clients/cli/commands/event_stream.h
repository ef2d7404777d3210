#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "common/base/clock.h"
#include "common/rpc/channel.h"

namespace holdfast::cli {

// One server-streaming call, read by a thread of its own into a bounded queue. Destroying it cancels the call.
template <typename Message>
class EventStream {
 public:
  enum class Next { kEvent, kNothingYet, kEnded };
  using Reader = std::unique_ptr<grpc::ClientReaderInterface<Message>>;

  // `open` starts the call; it runs on the reading thread, and what it refers to outlives the stream.
  EventStream(const std::string& token, std::function<Reader(grpc::ClientContext*)> open) {
    SetBearerToken(context_, token);
    reading_ = std::thread([this, open = std::move(open)] { Read(open(&context_)); });
  }
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;
  ~EventStream() {
    {
      const std::lock_guard lock(mutex_);
      abandoned_ = true;
      changed_.notify_all();
    }
    context_.TryCancel();
    reading_.join();
  }

  // Waits up to `patience` for the next message. kEnded comes after the last one; then status() says why.
  Next Pop(Duration patience, Message* message) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [this] { return ended_ || !queue_.empty(); });
    if (queue_.empty()) return ended_ ? Next::kEnded : Next::kNothingYet;
    *message = std::move(queue_.front());
    queue_.pop_front();
    changed_.notify_all();
    return Next::kEvent;
  }
  // Only after kEnded.
  const grpc::Status& status() const { return status_; }

 private:
  // A slow consumer (a tool that runs, a question nobody answers) leaves the rest to gRPC's flow control.
  static constexpr size_t kMaxQueued = 256;

  void Read(Reader reader) {
    Message message;
    while (reader->Read(&message)) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return queue_.size() < kMaxQueued || abandoned_; });
      if (abandoned_) break;
      queue_.push_back(std::move(message));
      changed_.notify_all();
    }
    grpc::Status status = reader->Finish();
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
    ended_ = true;
    changed_.notify_all();
  }

  grpc::ClientContext context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> queue_;
  bool ended_ = false;
  bool abandoned_ = false;
  grpc::Status status_;  // written before `ended_`
  std::thread reading_;
};

}  // namespace holdfast::cli
