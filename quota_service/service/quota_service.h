#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/loop.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "quota_service/budget/budget_gate.h"
#include "quota_service/ledger/ledger.h"
#include "quota_service/service/authenticator.h"
#include "quota_service/service/generate_stream.h"
#include "quota_service/service/router.h"

namespace holdfast::quota {

// The gRPC face. Each method only hops onto the loop; what happens there is in the functions of the same name with
// `On`.
class QuotaServiceImpl final : public v1::QuotaService::CallbackService {
 public:
  // All of them outlive the service, which outlives its gRPC server.
  QuotaServiceImpl(Loop& loop, BudgetGate& budgets, Ledger& ledger, CallRegistry& registry, AccountGates& gates,
                   const Router& router, const Authenticator& authenticator);
  ~QuotaServiceImpl() override;

  // What WatchStatus says of the checkpoint; empty: nothing. On the loop.
  void set_checkpoint_trouble(std::string trouble) { checkpoint_trouble_ = std::move(trouble); }

  // New calls are refused, waiting ones are left to their callers; running ones go on. On the loop.
  void BeginShutdown();

  grpc::ServerWriteReactor<v1::GenerateEvent>* Generate(grpc::CallbackServerContext* context,
                                                        const v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* CancelCall(grpc::CallbackServerContext* context, const v1::CancelCallRequest* request,
                                       v1::CancelCallResponse* response) override;
  grpc::ServerUnaryReactor* GetHeadroom(grpc::CallbackServerContext* context, const v1::GetHeadroomRequest* request,
                                        v1::GetHeadroomResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* context, const v1::WhoAmIRequest* request,
                                   v1::WhoAmIResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchStatusResponse>* WatchStatus(grpc::CallbackServerContext* context,
                                                                 const v1::WatchStatusRequest* request) override;

 private:
  using StatusStream = ServerStream<v1::WatchStatusResponse>;
  struct Watch {
    Caller caller;
    std::unique_ptr<Loop::Timer> timer;
    std::string last;  // what it was told, without the time
  };

  void OnGenerate(ServerStream<v1::GenerateEvent>* stream, const std::string& token, v1::GenerateRequest request);
  void SendStatus(StatusStream* stream);
  // The preferred route whose key is not refused; the preferred one where all are.
  const Route& Usable(const std::vector<Route>& routes) const;
  // The same, but a request whose reasoning only one account can read goes there.
  const Route& RouteFor(const v1::GenerateRequest& request, const std::vector<Route>& routes) const;
  void SendStatus(StatusStream* stream, const std::vector<GroupState>& groups, const std::vector<QueueState>& queues);
  absl::StatusOr<Envelope> MakeEnvelope(const std::string& token, const v1::GenerateRequest& request) const;

  Loop& loop_;
  BudgetGate& budgets_;
  Ledger& ledger_;
  CallRegistry& registry_;
  AccountGates& gates_;
  const Router& router_;
  const Authenticator& authenticator_;
  // Calls that are still there when the service goes hold it too.
  std::shared_ptr<Estimator> estimator_ = std::make_shared<Estimator>();
  std::string checkpoint_trouble_;
  bool shutting_down_ = false;
  std::map<GenerateStream*, std::unique_ptr<GenerateStream>> streams_;
  std::map<StatusStream*, Watch> watches_;
};

}  // namespace holdfast::quota
