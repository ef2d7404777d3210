#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "agent_service/quota_client/quota_client.h"
#include "agent_service/quota_client/rpcs_under_way.h"
#include "common/base/loop.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"

namespace holdfast::agent {

// quota_service over gRPC. gRPC's threads only post to the loop.
class GrpcQuotaClient final : public QuotaClient {
 public:
  // `credential`: our own bearer token; empty: none.
  GrpcQuotaClient(Loop& loop, std::shared_ptr<grpc::Channel> channel, std::string credential);
  // Cancels what is under way and waits until gRPC has let go of it: nothing is posted to the loop afterwards. The loop
  // need not run. On no thread of gRPC's.
  ~GrpcQuotaClient() override;

  std::unique_ptr<Stream> Generate(quota::v1::GenerateRequest request, Listener* listener) override;
  void CancelCall(const std::string& tenant, const std::string& call_id) override;
  void GetModel(const std::string& model, Callback<quota::v1::GetModelResponse> done) override;
  void WhoAmI(const std::string& token, Callback<quota::v1::WhoAmIResponse> done) override;

 private:
  Loop& loop_;
  const std::shared_ptr<RpcsUnderWay> under_way_ = std::make_shared<RpcsUnderWay>();
  std::unique_ptr<quota::v1::QuotaService::Stub> stub_;
  std::string credential_;
};

}  // namespace holdfast::agent
