#include "bench/sessions/held_quota.h"

namespace holdfast::bench {
namespace {

class Held final : public grpc::ServerWriteReactor<quota::v1::GenerateEvent> {
 public:
  explicit Held(std::atomic<int>& calls) : calls_(calls) { ++calls_; }
  ~Held() override { --calls_; }

  void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  std::atomic<int>& calls_;
};

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace

grpc::ServerWriteReactor<quota::v1::GenerateEvent>* HeldQuota::Generate(grpc::CallbackServerContext*,
                                                                        const quota::v1::GenerateRequest*) {
  if (on_call) on_call();
  return new Held(calls_);
}

grpc::ServerUnaryReactor* HeldQuota::CancelCall(grpc::CallbackServerContext* context,
                                                const quota::v1::CancelCallRequest*, quota::v1::CancelCallResponse*) {
  return Finished(context);
}

grpc::ServerUnaryReactor* HeldQuota::GetModel(grpc::CallbackServerContext* context,
                                              const quota::v1::GetModelRequest* request,
                                              quota::v1::GetModelResponse* response) {
  response->set_model(request->model());
  response->set_context_window(200'000);
  response->set_largest_admissible_tokens(200'000);
  return Finished(context);
}

grpc::ServerUnaryReactor* HeldQuota::WhoAmI(grpc::CallbackServerContext* context, const quota::v1::WhoAmIRequest*,
                                            quota::v1::WhoAmIResponse* response) {
  response->set_tenant("team");
  return Finished(context);
}

}  // namespace holdfast::bench
