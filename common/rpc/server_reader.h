#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <utility>

#include "common/base/loop.h"

namespace holdfast {

// The server's end of a client-streaming RPC, with everything decided on the loop, as ServerStream has it: gRPC's
// reactions only post there. It owns itself: gRPC's OnDone deletes it, on the loop.
//
// The user keeps a plain pointer, from Open until `on_closed` ran or Finish was called, whichever is first. The RPC's
// response is filled in before Finish.
template <typename Message>
class ServerReader final : public grpc::ServerReadReactor<Message> {
 public:
  // `on_open` runs on the loop, once, before anything else. `loop` outlives every reader.
  static ServerReader* Open(Loop& loop, std::function<void(ServerReader*)> on_open) {
    auto* reader = new ServerReader(loop);
    loop.Post([reader, on_open = std::move(on_open)] { on_open(reader); });
    return reader;
  }

  // The client went away. Not called after Finish.
  void set_on_closed(std::function<void()> on_closed) { on_closed_ = std::move(on_closed); }

  // Reads one message; one at a time. `on_message` gets it, or null where the client has sent its last.
  void Read(std::function<void(const Message*)> on_message) {
    if (closed_ || finished_) return;
    on_message_ = std::move(on_message);
    this->StartRead(&message_);
  }

  void Finish(grpc::Status status) {
    if (finished_) return;
    finished_ = true;
    on_closed_ = nullptr;
    on_message_ = nullptr;
    grpc::ServerReadReactor<Message>::Finish(std::move(status));
  }

 private:
  explicit ServerReader(Loop& loop) : loop_(loop) {}

  void OnReadDone(bool ok) override {
    loop_.Post([this, ok] {
      if (auto on_message = std::exchange(on_message_, nullptr); on_message && !closed_)
        on_message(ok ? &message_ : nullptr);
    });
  }
  // gRPC fails the read that is outstanding, and says only here that the client did not just end its stream.
  void OnCancel() override {
    loop_.Post([this] {
      if (closed_ || finished_) return;
      closed_ = true;
      if (auto on_closed = std::exchange(on_closed_, nullptr)) on_closed();
      Finish(grpc::Status::CANCELLED);
    });
  }
  void OnDone() override {
    loop_.Post([this] { delete this; });
  }

  Loop& loop_;
  Message message_;
  bool closed_ = false;
  bool finished_ = false;
  std::function<void()> on_closed_;
  std::function<void(const Message*)> on_message_;
};

}  // namespace holdfast
