#include "agent_service/service/agent_service.h"

#include <utility>

#include "agent_service/host/log_row.h"
#include "agent_service/host/store_refusal.h"
#include "agent_service/service/validate.h"
#include "common/rpc/server.h"
#include "common/rpc/server_reader.h"
#include "common/rpc/status.h"
#include "common/rpc/unary.h"

namespace holdfast::agent {
namespace {

constexpr int kDefaultPage = 100;

template <typename Response>
auto FinishWith(Response* response, std::function<void(grpc::Status)> finish) {
  return [response, finish = std::move(finish)](absl::StatusOr<Response> result) {
    if (!result.ok()) return finish(ToGrpc(result.status()));
    *response = *std::move(result);
    finish(grpc::Status::OK);
  };
}

// A file that comes in; the one who reads it and the one who is asked for more.
struct Incoming {
  std::string tenant;
  std::string client_key;
  ImportLines lines;
  bool first = true;
  bool gone = false;
};

void ReadOn(SessionHost& host, ServerReader<v1::ImportChunk>* stream, std::shared_ptr<Incoming> incoming,
            v1::Session* response) {
  stream->Read([&host, stream, incoming, response](const v1::ImportChunk* chunk) {
    if (chunk != nullptr) {
      if (std::exchange(incoming->first, false)) incoming->client_key = chunk->client_key();
      absl::Status status = ValidateClientKey(incoming->client_key);
      if (status.ok()) status = incoming->lines.Feed(chunk->data());
      if (!status.ok()) return stream->Finish(ToGrpc(status));
      return ReadOn(host, stream, incoming, response);
    }
    absl::StatusOr<ImportedLog> log = incoming->lines.Finish();
    if (!log.ok()) return stream->Finish(ToGrpc(log.status()));
    v1::CreateSessionRequest create;
    create.set_model(log->header.model);
    create.set_workspace(log->header.workspace);
    if (absl::Status status = Validate(create); !status.ok()) return stream->Finish(ToGrpc(status));
    host.copies().Import(incoming->tenant, incoming->client_key, *std::move(log),
                         [stream, incoming, response](absl::StatusOr<v1::Session> session) {
                           if (incoming->gone) return;
                           if (!session.ok()) return stream->Finish(ToGrpc(session.status()));
                           *response = *std::move(session);
                           stream->Finish(grpc::Status::OK);
                         });
  });
}

}  // namespace

AgentServiceImpl::AgentServiceImpl(Loop& loop, SessionHost& host, Store& store, Identity& identity,
                                   std::string default_model)
    : loop_(loop), host_(host), store_(store), identity_(identity), default_model_(std::move(default_model)) {}

grpc::ServerUnaryReactor* AgentServiceImpl::ForTenant(grpc::CallbackServerContext* context,
                                                      std::function<void(const std::string&, Finish)> handle) {
  return AnswerOnLoop(loop_, context, [this, token = BearerToken(*context), handle = std::move(handle)](Finish finish) {
    identity_.Resolve(token, [handle, finish](absl::StatusOr<std::string> tenant) {
      if (!tenant.ok()) return finish(ToGrpc(tenant.status()));
      handle(*tenant, finish);
    });
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::ForSession(grpc::CallbackServerContext* context,
                                                       const std::string& session_id,
                                                       std::function<void(ActiveSession&, Finish)> handle) {
  return ForTenant(context, [this, session_id, handle = std::move(handle)](const std::string& tenant, Finish finish) {
    if (absl::Status status = ValidateSessionId(session_id); !status.ok()) return finish(ToGrpc(status));
    host_.With(tenant, session_id, [handle, finish](absl::StatusOr<std::shared_ptr<ActiveSession>> session) {
      if (!session.ok()) return finish(ToGrpc(session.status()));
      handle(**session, finish);
    });
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::CreateSession(grpc::CallbackServerContext* context,
                                                          const v1::CreateSessionRequest* request,
                                                          v1::Session* response) {
  return ForTenant(context, [this, request, response](const std::string& tenant, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    if (request->model().empty() && default_model_.empty())
      return finish(
          {grpc::StatusCode::INVALID_ARGUMENT, "model: is required, agent_service has no default (defaults.model)"});
    host_.Create(tenant, *request, default_model_, FinishWith(response, finish));
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::GetSession(grpc::CallbackServerContext* context,
                                                       const v1::GetSessionRequest* request,
                                                       v1::GetSessionResponse* response) {
  return ForTenant(context, [this, request, response](const std::string& tenant, Finish finish) {
    absl::Status status = ValidateSessionId(request->session_id());
    if (status.ok()) status = ValidateCursor(request->after_sequence());
    if (status.ok()) status = ValidatePageSize(request->page_size());
    if (!status.ok()) return finish(ToGrpc(status));
    store_.GetSession(
        tenant, request->session_id(), [this, tenant, request, response, finish](absl::StatusOr<SessionRow> row) {
          if (!row.ok()) return finish(ToGrpc(StoreRefusal(row.status())));
          if (!response->mutable_session()->ParseFromString(row->summary)) {
            return finish({grpc::StatusCode::DATA_LOSS, "the session's summary is damaged"});
          }
          const int page = request->page_size() == 0 ? kDefaultPage : request->page_size();
          store_.Read(tenant, request->session_id(), request->after_sequence(), page,
                      [response, finish, last = row->last_sequence](absl::StatusOr<std::vector<LogRow>> rows) {
                        if (!rows.ok()) return finish(ToGrpc(StoreRefusal(rows.status())));
                        for (const LogRow& event_row : *rows) {
                          auto event = EventOfRow(event_row);
                          if (!event.ok()) return finish(ToGrpc(event.status()));
                          *response->add_events() = *std::move(event);
                        }
                        response->set_more(!rows->empty() && rows->back().sequence < last);
                        finish(grpc::Status::OK);
                      });
        });
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::ListSessions(grpc::CallbackServerContext* context,
                                                         const v1::ListSessionsRequest* request,
                                                         v1::ListSessionsResponse* response) {
  return ForTenant(context, [this, request, response](const std::string& tenant, Finish finish) {
    if (absl::Status status = ValidatePageSize(request->page_size()); !status.ok()) return finish(ToGrpc(status));
    const int page = request->page_size() == 0 ? kDefaultPage : request->page_size();
    store_.ListSessions(tenant, page, request->page_token(), [response, finish](absl::StatusOr<SessionPage> sessions) {
      if (!sessions.ok()) return finish(ToGrpc(StoreRefusal(sessions.status())));
      for (const SessionRow& row : sessions->sessions) {
        if (!response->add_sessions()->ParseFromString(row.summary)) {
          return finish({grpc::StatusCode::DATA_LOSS, "the summary of session " + row.session_id + " is damaged"});
        }
      }
      response->set_next_page_token(sessions->next_page_token);
      finish(grpc::Status::OK);
    });
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::DeleteSession(grpc::CallbackServerContext* context,
                                                          const v1::DeleteSessionRequest* request,
                                                          v1::DeleteSessionResponse*) {
  return ForTenant(context, [this, request](const std::string& tenant, Finish finish) {
    if (absl::Status status = ValidateSessionId(request->session_id()); !status.ok()) return finish(ToGrpc(status));
    host_.Delete(tenant, request->session_id(), [finish](absl::Status status) { finish(ToGrpc(status)); });
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::SubmitTurn(grpc::CallbackServerContext* context,
                                                       const v1::SubmitTurnRequest* request,
                                                       v1::SubmitTurnResponse* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.SubmitTurn(*request, FinishWith(response, finish));
  });
}

grpc::ServerWriteReactor<v1::WatchEvent>* AgentServiceImpl::Watch(grpc::CallbackServerContext* context,
                                                                  const v1::WatchRequest* request) {
  using Stream = ServerStream<v1::WatchEvent>;
  return Stream::Open(loop_, [this, token = BearerToken(*context), request = *request](Stream* stream) {
    if (absl::Status status = ValidateSessionId(request.session_id()); !status.ok())
      return stream->Finish(ToGrpc(status));
    if (absl::Status status = ValidateCursor(request.after_sequence()); !status.ok())
      return stream->Finish(ToGrpc(status));
    // The client may go while its token or its session is looked up.
    auto gone = std::make_shared<bool>(false);
    stream->set_on_closed([gone] { *gone = true; });
    identity_.Resolve(token, [this, stream, request, gone](absl::StatusOr<std::string> tenant) {
      if (*gone) return;
      if (!tenant.ok()) return stream->Finish(ToGrpc(tenant.status()));
      host_.With(*tenant, request.session_id(),
                 [stream, request, gone](absl::StatusOr<std::shared_ptr<ActiveSession>> session) {
                   if (*gone) return;
                   if (!session.ok()) return stream->Finish(ToGrpc(session.status()));
                   (*session)->Watch(stream, request.after_sequence(), request.accept_snapshot());
                 });
    });
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::SubmitToolResult(grpc::CallbackServerContext* context,
                                                             const v1::SubmitToolResultRequest* request,
                                                             v1::SubmitToolResultResponse* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.SubmitToolResult(*request, FinishWith(response, finish));
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::CancelTurn(grpc::CallbackServerContext* context,
                                                       const v1::CancelTurnRequest* request,
                                                       v1::CancelTurnResponse* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.CancelTurn(*request, FinishWith(response, finish));
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::SnapshotSession(grpc::CallbackServerContext* context,
                                                            const v1::SnapshotSessionRequest* request,
                                                            v1::SnapshotSessionResponse* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.Snapshot(*request, FinishWith(response, finish));
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::RestoreSession(grpc::CallbackServerContext* context,
                                                           const v1::RestoreSessionRequest* request,
                                                           v1::RestoreSessionResponse* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.Restore(*request, FinishWith(response, finish));
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::ForkSession(grpc::CallbackServerContext* context,
                                                        const v1::ForkSessionRequest* request, v1::Session* response) {
  return ForTenant(context, [this, request, response](const std::string& tenant, Finish finish) {
    absl::Status status = ValidateSessionId(request->session_id());
    if (status.ok()) status = Validate(*request);
    if (!status.ok()) return finish(ToGrpc(status));
    host_.copies().Fork(tenant, *request, FinishWith(response, finish));
  });
}

grpc::ServerWriteReactor<v1::ExportChunk>* AgentServiceImpl::ExportSession(grpc::CallbackServerContext* context,
                                                                           const v1::ExportSessionRequest* request) {
  using Stream = ServerStream<v1::ExportChunk>;
  return Stream::Open(loop_, [this, token = BearerToken(*context), id = request->session_id()](Stream* stream) {
    if (absl::Status status = ValidateSessionId(id); !status.ok()) return stream->Finish(ToGrpc(status));
    auto gone = std::make_shared<bool>(false);
    stream->set_on_closed([gone] { *gone = true; });
    identity_.Resolve(token, [this, stream, id, gone](absl::StatusOr<std::string> tenant) {
      if (*gone) return;
      if (!tenant.ok()) return stream->Finish(ToGrpc(tenant.status()));
      host_.copies().Export(*tenant, id, stream);
    });
  });
}

grpc::ServerReadReactor<v1::ImportChunk>* AgentServiceImpl::ImportSession(grpc::CallbackServerContext* context,
                                                                          v1::Session* response) {
  using Stream = ServerReader<v1::ImportChunk>;
  return Stream::Open(loop_, [this, token = BearerToken(*context), response](Stream* stream) {
    auto gone = std::make_shared<bool>(false);
    stream->set_on_closed([gone] { *gone = true; });
    identity_.Resolve(token, [this, stream, response, gone](absl::StatusOr<std::string> tenant) {
      if (*gone) return;
      if (!tenant.ok()) return stream->Finish(ToGrpc(tenant.status()));
      auto incoming = std::make_shared<Incoming>();
      incoming->tenant = *tenant;
      stream->set_on_closed([incoming] { incoming->gone = true; });
      ReadOn(host_, stream, std::move(incoming), response);
    });
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::AcquireLease(grpc::CallbackServerContext* context,
                                                         const v1::AcquireLeaseRequest* request, v1::Lease* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.AcquireLease(*request, FinishWith(response, finish));
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::RenewLease(grpc::CallbackServerContext* context,
                                                       const v1::RenewLeaseRequest* request, v1::Lease* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.RenewLease(*request, FinishWith(response, finish));
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::ReleaseLease(grpc::CallbackServerContext* context,
                                                         const v1::ReleaseLeaseRequest* request,
                                                         v1::ReleaseLeaseResponse* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.ReleaseLease(*request, FinishWith(response, finish));
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::RequestApproval(grpc::CallbackServerContext* context,
                                                            const v1::RequestApprovalRequest* request,
                                                            v1::Approval* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.RequestApproval(*request, FinishWith(response, finish));
  });
}

grpc::ServerUnaryReactor* AgentServiceImpl::DecideApproval(grpc::CallbackServerContext* context,
                                                           const v1::DecideApprovalRequest* request,
                                                           v1::Approval* response) {
  return ForSession(context, request->session_id(), [request, response](ActiveSession& session, Finish finish) {
    if (absl::Status status = Validate(*request); !status.ok()) return finish(ToGrpc(status));
    session.DecideApproval(*request, FinishWith(response, finish));
  });
}

}  // namespace holdfast::agent
