#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "clients/cli/terminal/interrupts.h"
#include "common/base/clock.h"
#include "common/rpc/channel.h"

namespace holdfast::cli {

// Makes one unary call and waits for its end, `on_idle` being called every 100 ms. An interrupt cancels it: CANCELLED.
// `start` gets context and completion, and starts the call: stub->async()->Method(context, request, response, done).
inline grpc::Status AwaitUnary(
    const std::string& token, Duration deadline, const Interrupts* interrupts, const std::function<void()>& on_idle,
    const std::function<void(grpc::ClientContext*, std::function<void(grpc::Status)>)>& start) {
  constexpr auto kTick = std::chrono::milliseconds(100);
  grpc::ClientContext context;
  SetBearerToken(context, token);
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline));
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
  grpc::Status result;
  start(&context, [&](grpc::Status status) {
    const std::lock_guard lock(mutex);
    result = std::move(status);
    ended = true;
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  while (!changed.wait_for(lock, kTick, [&] { return ended; })) {
    if (interrupts != nullptr && interrupts->pending()) {
      context.TryCancel();
    } else if (on_idle) {
      lock.unlock();
      on_idle();
      lock.lock();
    }
  }
  return result;
}

}  // namespace holdfast::cli
