#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/rpc/server_stream.h"
#include "quota_service/call/registry.h"
#include "quota_service/typed/typed_exchange.h"

namespace holdfast::quota {

using CallRegistry = Registry<TypedExchange>;

// One reader of one call: pulls events from the call's history into its stream, as fast as the client takes them, and
// ends the stream as the call ended. Owned by GenerateStreams. On the loop.
class GenerateStream final : public EventReader {
 public:
  // Where the reader is, in which incarnation of the call.
  struct Cursor {
    int64_t event = 0;
    std::string incarnation;
  };

  // `on_gone` is called last, once; the stream is destroyed later, not in it.
  GenerateStream(Loop& loop, ServerStream<v1::GenerateEvent>* stream, CallRegistry& registry, const Envelope& envelope,
                 std::shared_ptr<TypedExchange> exchange, Cursor cursor, std::function<void(GenerateStream*)> on_gone);
  ~GenerateStream() override;

  void Begin();
  // The process goes away: a call that still waits is left to its caller, who attaches to the next process.
  void OnShutdown();

  void OnProgress() override;
  void OnReplaced() override;

 private:
  void TellThatItRuns();
  void End(grpc::Status status);

  Loop& loop_;
  ServerStream<v1::GenerateEvent>* stream_;
  CallRegistry& registry_;
  std::string tenant_;
  std::string call_id_;
  std::string scope_;
  std::shared_ptr<TypedExchange> exchange_;
  Cursor cursor_;
  bool running_ = false;  // sent upstream, as far as the events say
  std::function<void(GenerateStream*)> on_gone_;
};

}  // namespace holdfast::quota
