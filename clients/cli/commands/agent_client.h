#pragma once

#include <functional>
#include <memory>
#include <string>

#include "clients/cli/commands/command_line.h"
#include "clients/cli/commands/event_stream.h"
#include "clients/cli/commands/link.h"
#include "clients/cli/commands/peer.h"
#include "clients/cli/terminal/interrupts.h"
#include "holdfast/agent/v1/agent.grpc.pb.h"

namespace holdfast::cli {

using WatchStream = EventStream<agent::v1::WatchEvent>;

// agent_service as the commands see it. With a Link a call is sent again, with the same keys, until it gets through,
// the link's bound is reached (UNAVAILABLE) or an interrupt is pending (CANCELLED); without one it is made once. One
// thread.
class AgentClient {
 public:
  // `interrupts` outlives the client.
  AgentClient(const Services& services, Interrupts& interrupts);

  // What came of a call, for people.
  std::string Explain(const grpc::Status& status) const { return cli::Explain(peer_, status); }

  grpc::Status CreateSession(const agent::v1::CreateSessionRequest& request, agent::v1::Session* session, Link* link);
  grpc::Status SubmitTurn(const agent::v1::SubmitTurnRequest& request, agent::v1::SubmitTurnResponse* response,
                          Link* link);
  grpc::Status SubmitToolResult(const agent::v1::SubmitToolResultRequest& request,
                                agent::v1::SubmitToolResultResponse* response, Link* link);
  // Goes out although an interrupt is pending: it is what interrupts are for. Made once. `response` may be null.
  grpc::Status CancelTurn(const agent::v1::CancelTurnRequest& request,
                          agent::v1::CancelTurnResponse* response = nullptr);
  // Leases and approvals. Without a link they go out although an interrupt is pending, and are made once; any thread.
  grpc::Status AcquireLease(const agent::v1::AcquireLeaseRequest& request, agent::v1::Lease* lease, Link* link);
  grpc::Status RenewLease(const agent::v1::RenewLeaseRequest& request, agent::v1::Lease* lease, Link* link);
  grpc::Status ReleaseLease(const agent::v1::ReleaseLeaseRequest& request);
  grpc::Status RequestApproval(const agent::v1::RequestApprovalRequest& request, agent::v1::Approval* approval);
  grpc::Status DecideApproval(const agent::v1::DecideApprovalRequest& request, agent::v1::Approval* approval);
  std::unique_ptr<WatchStream> Watch(const std::string& session_id, int64_t after_sequence);

  grpc::Status GetSession(const agent::v1::GetSessionRequest& request, agent::v1::GetSessionResponse* response,
                          Link* link);
  grpc::Status DeleteSession(const std::string& session_id, Link* link);
  grpc::Status SnapshotSession(const agent::v1::SnapshotSessionRequest& request,
                               agent::v1::SnapshotSessionResponse* response);
  grpc::Status RestoreSession(const agent::v1::RestoreSessionRequest& request,
                              agent::v1::RestoreSessionResponse* response);
  grpc::Status ForkSession(const agent::v1::ForkSessionRequest& request, agent::v1::Session* session);
  // `take` gets the file piece by piece, until it returns false.
  grpc::Status ExportSession(const std::string& session_id, const std::function<bool(const std::string&)>& take);
  // `give` fills in the next piece of the file; false: that was all of it.
  grpc::Status ImportSession(const std::function<bool(std::string*)>& give, agent::v1::Session* session);
  // Page after page, the last used first, until `visit` returns false.
  grpc::Status VisitSessions(const std::function<bool(const agent::v1::Session&)>& visit, Link* link);

 private:
  using Async = agent::v1::AgentService::StubInterface::async_interface;
  template <typename Request, typename Response>
  using Method = void (Async::*)(grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>);

  template <typename Request, typename Response>
  grpc::Status Attempt(Method<Request, Response> method, const Request& request, Response* response, Duration deadline,
                       LinkObserver* observer);
  template <typename Request, typename Response>
  grpc::Status Once(Method<Request, Response> method, const Request& request, Response* response);
  template <typename Request, typename Response>
  grpc::Status Call(Method<Request, Response> method, const Request& request, Response* response, Link* link);

  Peer peer_;
  std::unique_ptr<agent::v1::AgentService::StubInterface> stub_;
  std::string token_;
  Interrupts& interrupts_;
};

// A key that makes a command idempotent: 128 random bits as hexadecimal digits.
std::string RandomKey();

}  // namespace holdfast::cli
