#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <functional>
#include <utility>

#include "common/base/loop.h"

namespace holdfast {

// The server's end of a server-streaming RPC, with everything decided on the loop: gRPC's reactions only post there, so
// neither this class nor its users need a lock. It owns itself: gRPC's OnDone deletes it, on the loop.
//
// The user keeps a plain pointer, from Open until `on_closed` ran or Finish was called, whichever is first.
//
// gRPC's rules that it keeps: one write in flight; Finish never with a write outstanding, exactly once, and also owed
// after a cancellation; no reaction blocks.
template <typename Message>
class ServerStream final : public grpc::ServerWriteReactor<Message> {
 public:
  // `on_open` runs on the loop, once, before anything else. `loop` outlives every stream.
  static ServerStream* Open(Loop& loop, std::function<void(ServerStream*)> on_open) {
    auto* stream = new ServerStream(loop);
    loop.Post([stream, on_open = std::move(on_open)] { on_open(stream); });
    return stream;
  }

  // The client went away. Not called after Finish.
  void set_on_closed(std::function<void()> on_closed) { on_closed_ = std::move(on_closed); }
  // Everything queued was handed to gRPC.
  void set_on_drained(std::function<void()> on_drained) { on_drained_ = std::move(on_drained); }

  void Write(Message message) {
    if (closed_ || finishing_) return;
    queued_bytes_ += message.ByteSizeLong();
    queue_.push_back(std::move(message));
    WriteNext();
  }

  // Bytes not yet handed to gRPC.
  size_t queued_bytes() const { return queued_bytes_; }

  // After what is queued.
  void Finish(grpc::Status status) {
    if (finishing_) return;
    finishing_ = true;
    final_ = std::move(status);
    on_closed_ = nullptr;
    on_drained_ = nullptr;
    if (closed_) queue_.clear();
    WriteNext();
  }

  // At once: what is queued is dropped.
  void FinishNow(grpc::Status status) {
    queue_.clear();
    queued_bytes_ = 0;
    Finish(std::move(status));
  }

 private:
  explicit ServerStream(Loop& loop) : loop_(loop) {}

  void OnWriteDone(bool ok) override {
    loop_.Post([this, ok] {
      writing_ = false;
      if (!ok) {
        Close();
      } else {
        WriteNext();
        // A copy is called: Finish, called in it, lets go of the original.
        if (const auto on_drained = on_drained_; !writing_ && on_drained) on_drained();
      }
    });
  }
  void OnCancel() override {
    loop_.Post([this] { Close(); });
  }
  void OnDone() override {
    loop_.Post([this] { delete this; });
  }

  void Close() {
    if (!closed_) {
      closed_ = true;
      queue_.clear();
      queued_bytes_ = 0;
      if (auto on_closed = std::exchange(on_closed_, nullptr)) on_closed();
      on_drained_ = nullptr;
      if (!finishing_) {
        finishing_ = true;
        final_ = grpc::Status::CANCELLED;
      }
    }
    WriteNext();
  }

  void WriteNext() {
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      current_ = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= current_.ByteSizeLong();
      writing_ = true;
      this->StartWrite(&current_);
    } else if (finishing_) {
      finished_ = true;
      grpc::ServerWriteReactor<Message>::Finish(final_);
    }
  }

  Loop& loop_;
  std::deque<Message> queue_;
  size_t queued_bytes_ = 0;
  Message current_;
  bool writing_ = false;
  bool closed_ = false;
  bool finishing_ = false;
  bool finished_ = false;
  grpc::Status final_;
  std::function<void()> on_closed_;
  std::function<void()> on_drained_;
};

}  // namespace holdfast
