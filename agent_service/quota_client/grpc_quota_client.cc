#include "agent_service/quota_client/grpc_quota_client.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <utility>

#include "common/rpc/channel.h"

namespace holdfast::agent {
namespace {

constexpr std::chrono::seconds kUnaryDeadline(10);

// One attached reader. It is shared by gRPC (until OnDone) and by the Stream handle (until it is destroyed); which of
// the two ends first is decided on the loop.
class Reader final : public grpc::ClientReadReactor<quota::v1::GenerateEvent>,
                     public RpcsUnderWay::Rpc,
                     public std::enable_shared_from_this<Reader> {
 public:
  Reader(Loop& loop, std::shared_ptr<RpcsUnderWay> under_way, quota::v1::GenerateRequest request,
         QuotaClient::Listener* listener)
      : loop_(loop), under_way_(std::move(under_way)), request_(std::move(request)), listener_(listener) {}

  void Begin(quota::v1::QuotaService::Stub& stub, const std::string& credential) {
    self_ = shared_from_this();
    under_way_->Add(self_);
    SetBearerToken(context_, credential);
    stub.async()->Generate(&context_, &request_, this);
    StartRead(&event_);
    StartCall();
  }

  void Detach() {
    listener_ = nullptr;
    context_.TryCancel();
  }

  void Abort() override {
    context_.TryCancel();
    aborted_ = true;
    if (waits_for_loop_.exchange(false)) RemoveHold();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    // The next read starts when the loop has taken this one: a slow loop holds gRPC back, not memory.
    AddHold();
    waits_for_loop_ = true;
    loop_.Post([self = self_, event = std::move(event_)]() mutable {
      if (self->waits_for_loop_.exchange(false)) {
        self->StartRead(&self->event_);
        self->RemoveHold();
      }
      if (self->listener_ != nullptr) self->listener_->OnEvent(std::move(event));
    });
    // The loop may never come to it.
    if (aborted_ && waits_for_loop_.exchange(false)) RemoveHold();
  }

  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<RpcsUnderWay> under_way = under_way_;
    const RpcsUnderWay::Rpc* const key = this;
    loop_.Post([self = std::move(self_), status] {
      if (auto* listener = std::exchange(self->listener_, nullptr)) listener->OnEnd(OfOwnCredential(status));
    });
    under_way->Remove(key);
  }

 private:
  Loop& loop_;
  const std::shared_ptr<RpcsUnderWay> under_way_;
  std::atomic<bool> aborted_{false};
  std::atomic<bool> waits_for_loop_{false};  // with a hold, which whoever sets it to false removes
  grpc::ClientContext context_;
  quota::v1::GenerateRequest request_;
  quota::v1::GenerateEvent event_;
  QuotaClient::Listener* listener_;
  std::shared_ptr<Reader> self_;
};

class ReaderHandle final : public QuotaClient::Stream {
 public:
  explicit ReaderHandle(std::shared_ptr<Reader> reader) : reader_(std::move(reader)) {}
  ~ReaderHandle() override { reader_->Detach(); }

 private:
  std::shared_ptr<Reader> reader_;
};

template <typename Request, typename Response>
struct Unary final : RpcsUnderWay::Rpc {
  void Abort() override { context.TryCancel(); }

  grpc::ClientContext context;
  Request request;
  Response response;
};

template <typename Request, typename Response, typename Start>
void CallUnary(Loop& loop, const std::shared_ptr<RpcsUnderWay>& under_way, Request request, const std::string& token,
               QuotaClient::Callback<Response> done, Start start) {
  auto call = std::make_shared<Unary<Request, Response>>();
  call->request = std::move(request);
  call->context.set_deadline(std::chrono::system_clock::now() + kUnaryDeadline);
  SetBearerToken(call->context, token);
  auto shared_done = std::make_shared<QuotaClient::Callback<Response>>(std::move(done));
  under_way->Add(call);
  start(&call->context, &call->request, &call->response, [&loop, under_way, call, shared_done](grpc::Status status) {
    loop.Post([call, shared_done, status] { (*shared_done)(status, call->response); });
    under_way->Remove(call.get());
  });
}

}  // namespace

grpc::Status OfOwnCredential(const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::UNAUTHENTICATED) return status;
  return {grpc::StatusCode::FAILED_PRECONDITION,
          "quota_service refuses agent_service's own token (" + status.error_message() +
              "); the operator sets quota.credential of agent.yaml to the token of one of quota_service's services"};
}

bool IsBrokenLink(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    // Nobody but we may end our calls; what we end ourselves is not listened to any more.
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::ABORTED:
      return true;
    default:
      return false;
  }
}

GrpcQuotaClient::GrpcQuotaClient(Loop& loop, std::shared_ptr<grpc::Channel> channel, std::string credential)
    : loop_(loop), stub_(quota::v1::QuotaService::NewStub(std::move(channel))), credential_(std::move(credential)) {}

GrpcQuotaClient::~GrpcQuotaClient() { under_way_->AbortAllAndWait(); }

std::unique_ptr<QuotaClient::Stream> GrpcQuotaClient::Generate(quota::v1::GenerateRequest request, Listener* listener) {
  auto reader = std::make_shared<Reader>(loop_, under_way_, std::move(request), listener);
  reader->Begin(*stub_, credential_);
  return std::make_unique<ReaderHandle>(std::move(reader));
}

void GrpcQuotaClient::CancelCall(const std::string& tenant, const std::string& call_id) {
  quota::v1::CancelCallRequest request;
  request.set_tenant(tenant);
  request.set_call_id(call_id);
  // Without an answer the call ends by itself, 60 s after its reader left.
  CallUnary<quota::v1::CancelCallRequest, quota::v1::CancelCallResponse>(
      loop_, under_way_, std::move(request), credential_,
      [](const grpc::Status&, const quota::v1::CancelCallResponse&) {},
      [this](auto* context, const auto* in, auto* out, auto on_done) {
        stub_->async()->CancelCall(context, in, out, std::move(on_done));
      });
}

void GrpcQuotaClient::GetModel(const std::string& model, Callback<quota::v1::GetModelResponse> done) {
  quota::v1::GetModelRequest request;
  request.set_model(model);
  CallUnary<quota::v1::GetModelRequest, quota::v1::GetModelResponse>(
      loop_, under_way_, std::move(request), credential_,
      [done = std::move(done)](const grpc::Status& status, const quota::v1::GetModelResponse& response) mutable {
        done(OfOwnCredential(status), response);
      },
      [this](auto* context, const auto* in, auto* out, auto on_done) {
        stub_->async()->GetModel(context, in, out, std::move(on_done));
      });
}

void GrpcQuotaClient::WhoAmI(const std::string& token, Callback<quota::v1::WhoAmIResponse> done) {
  CallUnary<quota::v1::WhoAmIRequest, quota::v1::WhoAmIResponse>(
      loop_, under_way_, {}, token, std::move(done), [this](auto* context, const auto* in, auto* out, auto on_done) {
        stub_->async()->WhoAmI(context, in, out, std::move(on_done));
      });
}

}  // namespace holdfast::agent
