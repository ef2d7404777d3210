#pragma once

#include <grpcpp/support/server_callback.h>

#include "common/base/loop.h"

namespace holdfast {

// Answers a unary RPC from the loop. `handler` runs there once with a `finish` that it, or something it started, calls
// exactly once from the loop; request and response live until then.
template <typename Handler>
grpc::ServerUnaryReactor* AnswerOnLoop(Loop& loop, grpc::CallbackServerContext* context, Handler handler) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  loop.Post([reactor, handler = std::move(handler)]() mutable {
    handler([reactor](grpc::Status status) { reactor->Finish(std::move(status)); });
  });
  return reactor;
}

}  // namespace holdfast
