#include "clients/cli/commands/agent_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/unary_call.h"
#include "common/rpc/channel.h"

namespace holdfast::cli {
namespace {

namespace pb = agent::v1;

// Of one attempt. A turn's acceptance waits for the server's disk, not for a model.
constexpr Duration kCallDeadline = std::chrono::seconds(10);
constexpr Duration kLeastDeadline = std::chrono::milliseconds(100);
constexpr Duration kCancelDeadline = std::chrono::seconds(3);
// Of a copy of a whole session.
constexpr Duration kTransferDeadline = std::chrono::minutes(10);
constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr int kPageSize = 100;

}  // namespace

AgentClient::AgentClient(const Services& services, Interrupts& interrupts)
    : peer_(AgentPeer(services.agent)),
      stub_(pb::AgentService::NewStub(MakeChannel(services.agent))),
      token_(services.token),
      interrupts_(interrupts) {}

template <typename Request, typename Response>
grpc::Status AgentClient::Attempt(Method<Request, Response> method, const Request& request, Response* response,
                                  Duration deadline, LinkObserver* observer) {
  return AwaitUnary(
      token_, deadline, &interrupts_,
      [observer] {
        if (observer != nullptr) observer->OnIdle();
      },
      [&](grpc::ClientContext* context, std::function<void(grpc::Status)> done) {
        (stub_->async()->*method)(context, &request, response, std::move(done));
      });
}

template <typename Request, typename Response>
grpc::Status AgentClient::Call(Method<Request, Response> method, const Request& request, Response* response,
                               Link* link) {
  const grpc::Status interrupted(grpc::StatusCode::CANCELLED, "interrupted");
  for (;;) {
    Duration deadline = kCallDeadline;
    if (link != nullptr) {
      deadline = std::clamp(link->outage().Left(BootClock::now()), kLeastDeadline, kCallDeadline);
    }
    grpc::Status status = Attempt(method, request, response, deadline, link != nullptr ? &link->observer() : nullptr);
    if (!status.ok() && interrupts_.pending()) return interrupted;
    if (link == nullptr) return status;
    if (status.ok() || !IsLinkFailure(status)) {
      link->Holds();
      return status;
    }
    if (!link->MayRetry(status)) return {grpc::StatusCode::UNAVAILABLE, status.error_message(), status.error_details()};
    if (interrupts_.WaitFor(link->outage().Pause())) return interrupted;
    link->observer().OnIdle();
  }
}

grpc::Status AgentClient::CreateSession(const pb::CreateSessionRequest& request, pb::Session* session, Link* link) {
  return Call<pb::CreateSessionRequest, pb::Session>(&Async::CreateSession, request, session, link);
}

grpc::Status AgentClient::SubmitTurn(const pb::SubmitTurnRequest& request, pb::SubmitTurnResponse* response,
                                     Link* link) {
  return Call<pb::SubmitTurnRequest, pb::SubmitTurnResponse>(&Async::SubmitTurn, request, response, link);
}

grpc::Status AgentClient::SubmitToolResult(const pb::SubmitToolResultRequest& request,
                                           pb::SubmitToolResultResponse* response, Link* link) {
  return Call<pb::SubmitToolResultRequest, pb::SubmitToolResultResponse>(&Async::SubmitToolResult, request, response,
                                                                         link);
}

template <typename Request, typename Response>
grpc::Status AgentClient::Once(Method<Request, Response> method, const Request& request, Response* response) {
  return AwaitUnary(token_, kCancelDeadline, nullptr, nullptr,
                    [&](grpc::ClientContext* context, std::function<void(grpc::Status)> done) {
                      (stub_->async()->*method)(context, &request, response, std::move(done));
                    });
}

grpc::Status AgentClient::CancelTurn(const pb::CancelTurnRequest& request, pb::CancelTurnResponse* response) {
  pb::CancelTurnResponse unread;
  if (response == nullptr) response = &unread;
  return Once<pb::CancelTurnRequest, pb::CancelTurnResponse>(&Async::CancelTurn, request, response);
}

grpc::Status AgentClient::AcquireLease(const pb::AcquireLeaseRequest& request, pb::Lease* lease, Link* link) {
  return link != nullptr ? Call<pb::AcquireLeaseRequest, pb::Lease>(&Async::AcquireLease, request, lease, link)
                         : Once<pb::AcquireLeaseRequest, pb::Lease>(&Async::AcquireLease, request, lease);
}

grpc::Status AgentClient::RenewLease(const pb::RenewLeaseRequest& request, pb::Lease* lease, Link* link) {
  return link != nullptr ? Call<pb::RenewLeaseRequest, pb::Lease>(&Async::RenewLease, request, lease, link)
                         : Once<pb::RenewLeaseRequest, pb::Lease>(&Async::RenewLease, request, lease);
}

grpc::Status AgentClient::ReleaseLease(const pb::ReleaseLeaseRequest& request) {
  pb::ReleaseLeaseResponse response;
  return Once<pb::ReleaseLeaseRequest, pb::ReleaseLeaseResponse>(&Async::ReleaseLease, request, &response);
}

grpc::Status AgentClient::RequestApproval(const pb::RequestApprovalRequest& request, pb::Approval* approval) {
  return Once<pb::RequestApprovalRequest, pb::Approval>(&Async::RequestApproval, request, approval);
}

grpc::Status AgentClient::DecideApproval(const pb::DecideApprovalRequest& request, pb::Approval* approval) {
  return Once<pb::DecideApprovalRequest, pb::Approval>(&Async::DecideApproval, request, approval);
}

std::unique_ptr<WatchStream> AgentClient::Watch(const std::string& session_id, int64_t after_sequence) {
  pb::WatchRequest request;
  request.set_session_id(session_id);
  request.set_after_sequence(after_sequence);
  request.set_accept_snapshot(true);
  return std::make_unique<WatchStream>(
      token_, [this, request](grpc::ClientContext* context) { return stub_->Watch(context, request); });
}

grpc::Status AgentClient::GetSession(const pb::GetSessionRequest& request, pb::GetSessionResponse* response,
                                     Link* link) {
  return Call<pb::GetSessionRequest, pb::GetSessionResponse>(&Async::GetSession, request, response, link);
}

grpc::Status AgentClient::DeleteSession(const std::string& session_id, Link* link) {
  pb::DeleteSessionRequest request;
  request.set_session_id(session_id);
  pb::DeleteSessionResponse response;
  return Call<pb::DeleteSessionRequest, pb::DeleteSessionResponse>(&Async::DeleteSession, request, &response, link);
}

grpc::Status AgentClient::VisitSessions(const std::function<bool(const pb::Session&)>& visit, Link* link) {
  pb::ListSessionsRequest request;
  request.set_page_size(kPageSize);
  for (;;) {
    pb::ListSessionsResponse response;
    const grpc::Status status =
        Call<pb::ListSessionsRequest, pb::ListSessionsResponse>(&Async::ListSessions, request, &response, link);
    if (!status.ok()) return status;
    for (const auto& session : response.sessions()) {
      if (!visit(session)) return grpc::Status::OK;
    }
    if (response.next_page_token().empty()) return grpc::Status::OK;
    request.set_page_token(response.next_page_token());
  }
}

grpc::Status AgentClient::SnapshotSession(const pb::SnapshotSessionRequest& request,
                                          pb::SnapshotSessionResponse* response) {
  return Call<pb::SnapshotSessionRequest, pb::SnapshotSessionResponse>(&Async::SnapshotSession, request, response,
                                                                       nullptr);
}

grpc::Status AgentClient::RestoreSession(const pb::RestoreSessionRequest& request,
                                         pb::RestoreSessionResponse* response) {
  return Call<pb::RestoreSessionRequest, pb::RestoreSessionResponse>(&Async::RestoreSession, request, response,
                                                                     nullptr);
}

grpc::Status AgentClient::ForkSession(const pb::ForkSessionRequest& request, pb::Session* session) {
  return Attempt<pb::ForkSessionRequest, pb::Session>(&Async::ForkSession, request, session, kTransferDeadline,
                                                      nullptr);
}

grpc::Status AgentClient::ExportSession(const std::string& session_id,
                                        const std::function<bool(const std::string&)>& take) {
  pb::ExportSessionRequest request;
  request.set_session_id(session_id);
  EventStream<pb::ExportChunk> stream(
      token_, [this, request](grpc::ClientContext* context) { return stub_->ExportSession(context, request); });
  pb::ExportChunk chunk;
  for (;;) {
    switch (stream.Pop(kTick, &chunk)) {
      case EventStream<pb::ExportChunk>::Next::kEnded:
        return stream.status();
      case EventStream<pb::ExportChunk>::Next::kEvent:
        if (!take(chunk.data())) return {grpc::StatusCode::CANCELLED, "cancelled"};
        break;
      case EventStream<pb::ExportChunk>::Next::kNothingYet:
        break;
    }
    if (interrupts_.pending()) return {grpc::StatusCode::CANCELLED, "interrupted"};
  }
}

grpc::Status AgentClient::ImportSession(const std::function<bool(std::string*)>& give, pb::Session* session) {
  grpc::ClientContext context;
  SetBearerToken(context, token_);
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(kTransferDeadline));
  const auto writer = stub_->ImportSession(&context, session);
  pb::ImportChunk chunk;
  chunk.set_client_key(RandomKey());
  while (give(chunk.mutable_data())) {
    if (interrupts_.pending()) context.TryCancel();
    // A refusal ends the stream before the file does; Finish says why.
    if (!writer->Write(chunk)) break;
    chunk.Clear();
  }
  writer->WritesDone();
  return writer->Finish();
}

std::string RandomKey() {
  std::random_device source;
  std::string key;
  for (int i = 0; i < 4; ++i) key += fmt::format("{:08x}", source());
  return key;
}

}  // namespace holdfast::cli
