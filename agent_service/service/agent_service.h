#pragma once

#include <string>

#include "agent_service/host/session_host.h"
#include "agent_service/service/identity.h"
#include "common/base/loop.h"
#include "holdfast/agent/v1/agent.grpc.pb.h"

namespace holdfast::agent {

// The gRPC face: who asks, is the request well-formed, and on to the session. Everything else happens there.
class AgentServiceImpl final : public v1::AgentService::CallbackService {
 public:
  // All of them outlive the service, which outlives its gRPC server. `default_model`: for sessions that name none; may
  // be empty.
  AgentServiceImpl(Loop& loop, SessionHost& host, Store& store, Identity& identity, std::string default_model);

  grpc::ServerUnaryReactor* CreateSession(grpc::CallbackServerContext* context, const v1::CreateSessionRequest* request,
                                          v1::Session* response) override;
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context, const v1::GetSessionRequest* request,
                                       v1::GetSessionResponse* response) override;
  grpc::ServerUnaryReactor* ListSessions(grpc::CallbackServerContext* context, const v1::ListSessionsRequest* request,
                                         v1::ListSessionsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteSession(grpc::CallbackServerContext* context, const v1::DeleteSessionRequest* request,
                                          v1::DeleteSessionResponse* response) override;
  grpc::ServerUnaryReactor* SubmitTurn(grpc::CallbackServerContext* context, const v1::SubmitTurnRequest* request,
                                       v1::SubmitTurnResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchEvent>* Watch(grpc::CallbackServerContext* context,
                                                  const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* SubmitToolResult(grpc::CallbackServerContext* context,
                                             const v1::SubmitToolResultRequest* request,
                                             v1::SubmitToolResultResponse* response) override;
  grpc::ServerUnaryReactor* CancelTurn(grpc::CallbackServerContext* context, const v1::CancelTurnRequest* request,
                                       v1::CancelTurnResponse* response) override;
  grpc::ServerUnaryReactor* SnapshotSession(grpc::CallbackServerContext* context,
                                            const v1::SnapshotSessionRequest* request,
                                            v1::SnapshotSessionResponse* response) override;
  grpc::ServerUnaryReactor* RestoreSession(grpc::CallbackServerContext* context,
                                           const v1::RestoreSessionRequest* request,
                                           v1::RestoreSessionResponse* response) override;
  grpc::ServerUnaryReactor* ForkSession(grpc::CallbackServerContext* context, const v1::ForkSessionRequest* request,
                                        v1::Session* response) override;
  grpc::ServerWriteReactor<v1::ExportChunk>* ExportSession(grpc::CallbackServerContext* context,
                                                           const v1::ExportSessionRequest* request) override;
  grpc::ServerReadReactor<v1::ImportChunk>* ImportSession(grpc::CallbackServerContext* context,
                                                          v1::Session* response) override;
  grpc::ServerUnaryReactor* AcquireLease(grpc::CallbackServerContext* context, const v1::AcquireLeaseRequest* request,
                                         v1::Lease* response) override;
  grpc::ServerUnaryReactor* RenewLease(grpc::CallbackServerContext* context, const v1::RenewLeaseRequest* request,
                                       v1::Lease* response) override;
  grpc::ServerUnaryReactor* ReleaseLease(grpc::CallbackServerContext* context, const v1::ReleaseLeaseRequest* request,
                                         v1::ReleaseLeaseResponse* response) override;
  grpc::ServerUnaryReactor* RequestApproval(grpc::CallbackServerContext* context,
                                            const v1::RequestApprovalRequest* request, v1::Approval* response) override;
  grpc::ServerUnaryReactor* DecideApproval(grpc::CallbackServerContext* context,
                                           const v1::DecideApprovalRequest* request, v1::Approval* response) override;

 private:
  using Finish = std::function<void(grpc::Status)>;

  // Hops onto the loop, resolves the caller, and gives `handle` the tenant.
  grpc::ServerUnaryReactor* ForTenant(grpc::CallbackServerContext* context,
                                      std::function<void(const std::string& tenant, Finish)> handle);
  // The same, with the session that the request names.
  grpc::ServerUnaryReactor* ForSession(grpc::CallbackServerContext* context, const std::string& session_id,
                                       std::function<void(ActiveSession&, Finish)> handle);

  Loop& loop_;
  SessionHost& host_;
  Store& store_;
  Identity& identity_;
  std::string default_model_;
};

}  // namespace holdfast::agent
