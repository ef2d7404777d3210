#pragma once

#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast::agent {

// quota_service as agent_service sees it. Interface; GrpcQuotaClient is the real one. Everything on the loop, callbacks
// too.
class QuotaClient {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void OnEvent(quota::v1::GenerateEvent event) = 0;
    // Last. OK only after a `completed` event.
    virtual void OnEnd(const grpc::Status& status) = 0;
  };
  // A reader of a call. Destroying it detaches: no callback afterwards, and the call goes on.
  class Stream {
   public:
    virtual ~Stream() = default;
  };
  template <typename Response>
  using Callback = absl::AnyInvocable<void(const grpc::Status&, const Response&)>;

  virtual ~QuotaClient() = default;

  virtual std::unique_ptr<Stream> Generate(quota::v1::GenerateRequest request, Listener* listener) = 0;
  virtual void CancelCall(const std::string& tenant, const std::string& call_id) = 0;
  virtual void GetModel(const std::string& model, Callback<quota::v1::GetModelResponse> done) = 0;
  // With the token of the one who asks, not our own.
  virtual void WhoAmI(const std::string& token, Callback<quota::v1::WhoAmIResponse> done) = 0;
};

// The link to quota_service failed, or the process at its other end, not the call: attaching again is right.
bool IsBrokenLink(const grpc::Status& status);

// What a call says whose token is agent_service's own: a refused token is the operator's to mend, and none that the
// user has. Any other status stays as it is.
grpc::Status OfOwnCredential(const grpc::Status& status);

}  // namespace holdfast::agent
