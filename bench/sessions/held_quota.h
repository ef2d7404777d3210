#pragma once

#include <atomic>
#include <functional>

#include "holdfast/quota/v1/quota.grpc.pb.h"

namespace holdfast::bench {

// A quota_service that knows everybody as tenant "team" and keeps every call waiting without a word.
class HeldQuota final : public quota::v1::QuotaService::CallbackService {
 public:
  // Told of each call that arrives, on a thread of gRPC's. Set while none does.
  std::function<void()> on_call;

  // That have arrived, and wait.
  int calls() const { return calls_; }

  grpc::ServerWriteReactor<quota::v1::GenerateEvent>* Generate(grpc::CallbackServerContext* context,
                                                               const quota::v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* CancelCall(grpc::CallbackServerContext* context,
                                       const quota::v1::CancelCallRequest* request,
                                       quota::v1::CancelCallResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const quota::v1::GetModelRequest* request,
                                     quota::v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* context, const quota::v1::WhoAmIRequest* request,
                                   quota::v1::WhoAmIResponse* response) override;

 private:
  std::atomic<int> calls_{0};
};

}  // namespace holdfast::bench
