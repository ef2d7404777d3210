#include "agent_service/host/session_host.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "agent_service/host/log_row.h"
#include "agent_service/host/session_id.h"
#include "agent_service/host/store_refusal.h"

namespace holdfast::agent {
namespace {

constexpr Duration kSweepInterval = std::chrono::seconds(1);

// The request may be the one that made the session. A default may have changed since.
bool Made(const v1::Session& session, const v1::CreateSessionRequest& request) {
  return (request.model().empty() || request.model() == session.model()) && request.workspace() == session.workspace();
}

// By value: the host may let go of it meanwhile.
void CloseDeleted(std::shared_ptr<ActiveSession> session) {  // NOLINT(performance-unnecessary-value-param)
  session->AbandonCall();
  session->Close({grpc::StatusCode::NOT_FOUND, "the session was deleted"});
}

std::string Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

}  // namespace

SessionHost::SessionHost(SessionServices services)
    : services_(services), began_(services.loop.Now()), sweep_(services.loop.NewTimer()) {
  Sweep();
}

void SessionHost::ResumeRunning(absl::AnyInvocable<void()> done) {
  resumed_ = std::move(done);
  ListRunning();
}

void SessionHost::ListRunning() {
  services_.store.ListRunning([this](absl::StatusOr<std::vector<SessionRow>> rows) {
    if (closed_) return;
    if (!rows.ok()) {
      spdlog::error("running turns cannot be listed, trying again: {}", Words(rows.status()));
      list_again_ = true;
      return;
    }
    if (!rows->empty()) spdlog::info("taking up {} running turns", rows->size());
    auto left = std::make_shared<size_t>(rows->size() + 1);
    const auto one_less = [this, left] {
      if (--*left == 0) std::exchange(resumed_, nullptr)();
    };
    for (const SessionRow& row : *rows) TakeUp({row.tenant, row.session_id}, one_less);
    one_less();
  });
}

void SessionHost::TakeUp(const Key& key, absl::AnyInvocable<void()> tried) {
  With(key.first, key.second,
       [this, key, tried = std::move(tried)](absl::StatusOr<std::shared_ptr<ActiveSession>> session) mutable {
         const bool again = !closed_ && !session.ok() && MayPass(session.status());
         if (again && unread_.insert(key).second) {
           spdlog::error("session {}: cannot be read, trying again: {}", key.second, Words(session.status()));
           services_.observer.OnStalled(true);
         } else if (!again && !session.ok()) {
           spdlog::error("session {}: cannot be taken up: {}", key.second, Words(session.status()));
         }
         if (!again && unread_.erase(key) > 0) services_.observer.OnStalled(false);
         tried();
       });
}

void SessionHost::With(const std::string& tenant, const std::string& session_id, Use use) {
  if (closed_) return use(absl::UnavailableError("shutting down"));
  const Key key{tenant, session_id};
  auto found = sessions_.find(key);
  if (found != sessions_.end() && found->second.loaded && found->second.session->closed()) {
    sessions_.erase(found);
    found = sessions_.end();
  }
  if (found != sessions_.end()) {
    if (found->second.loaded) return use(found->second.session);
    found->second.waiting.push_back(std::move(use));
    return;
  }
  Entry& entry = sessions_[key];
  entry.session = std::make_shared<ActiveSession>(services_, models_, tenant, session_id);
  entry.waiting.push_back(std::move(use));
  // Holders are not heard before the process serves, nor while the store cannot read their session.
  const bool lease_anew =
      resumed_ != nullptr || unread_.contains(key) || services_.loop.Now() < began_ + ActiveSession::kLeaseTime;
  entry.session->Load(lease_anew, [this, key](absl::Status status) {
    const auto loaded = sessions_.find(key);
    if (loaded == sessions_.end()) return;
    const std::shared_ptr<ActiveSession> session = loaded->second.session;
    std::vector<Use> waiting = std::move(loaded->second.waiting);
    if (status.ok()) {
      loaded->second.loaded = true;
    } else {
      sessions_.erase(loaded);
    }
    for (Use& one : waiting) {
      if (status.ok()) {
        one(session);
      } else {
        one(StoreRefusal(status));
      }
    }
  });
}

void SessionHost::LetIdleGo() {
  std::erase_if(sessions_, [](const auto& entry) { return entry.second.loaded && entry.second.session->idle(); });
}

void SessionHost::TryAgain() {
  if (std::exchange(list_again_, false)) ListRunning();
  // One that a client has loaded meanwhile answers at once, and is unread no more.
  for (const Key& key : std::set(unread_)) TakeUp(key, [] {});
}

void SessionHost::Sweep() {
  LetIdleGo();
  TryAgain();
  sweep_->ArmAt(services_.loop.Now() + kSweepInterval, [this] { Sweep(); });
}

void SessionHost::Create(const std::string& tenant, const v1::CreateSessionRequest& request,
                         const std::string& default_model, Reply<v1::Session> reply) {
  const std::string id = NewSessionId(tenant, "", request.client_key());
  const WallTime now = std::chrono::floor<std::chrono::microseconds>(services_.loop.WallNow());
  v1::SessionEvent event;
  event.mutable_session_created()->set_model(request.model().empty() ? default_model : request.model());
  event.mutable_session_created()->set_workspace(request.workspace());
  const LogRow row = RowOfEvent(event, now);

  LogRow numbered = row;
  numbered.sequence = 1;
  SessionState state;
  state.Apply(*EventOfRow(numbered));
  v1::Session session = state.Summary();
  session.set_session_id(id);

  AppendRequest append;
  append.session = RowOfSession(tenant, session, false);
  append.generation = services_.store.generation();
  append.events.push_back(row);
  services_.store.Append(std::move(append), [this, tenant, id, request, session, state = std::move(state),
                                             reply = std::move(reply)](absl::StatusOr<int64_t> last) mutable {
    services_.observer.OnWritten(last.status());
    if (last.ok()) {
      // Its first turn mostly comes at once.
      if (!closed_ && !sessions_.contains({tenant, id})) {
        Entry& entry = sessions_[{tenant, id}];
        entry.session = std::make_shared<ActiveSession>(services_, models_, tenant, id);
        entry.session->Begin(std::move(state));
        entry.loaded = true;
      }
      return reply(std::move(session));
    }
    if (last.status().code() != absl::StatusCode::kAborted) return reply(StoreRefusal(last.status()));
    // It is there already: made by the same key before.
    services_.store.GetSession(
        tenant, id, [request, reply = std::move(reply)](absl::StatusOr<SessionRow> made) mutable {
          v1::Session existing;
          if (!made.ok()) return reply(StoreRefusal(made.status()));
          if (!existing.ParseFromString(made->summary))
            return reply(absl::DataLossError("the session's summary is damaged"));
          if (!Made(existing, request)) {
            return reply(absl::AlreadyExistsError(fmt::format(
                "client_key: {} was used before, for session {} of model {} in workspace {}; send the same again, "
                "or use a new key",
                request.client_key(), existing.session_id(), existing.model(), existing.workspace())));
          }
          reply(std::move(existing));
        });
  });
}

void SessionHost::Delete(const std::string& tenant, const std::string& session_id,
                         absl::AnyInvocable<void(absl::Status)> done) {
  With(tenant, session_id,
       [this, tenant, session_id,
        done = std::move(done)](absl::StatusOr<std::shared_ptr<ActiveSession>> session) mutable {
         if (!session.ok()) return done(session.status());
         // Until the log is gone, nothing has changed.
         services_.store.DeleteSession(tenant, session_id,
                                       [this, key = Key(tenant, session_id), session = *session,
                                        done = std::move(done)](absl::Status status) mutable {
                                         if (status.ok()) {
                                           CloseDeleted(session);
                                           // It may have been let go meanwhile, and loaded anew.
                                           const auto found = sessions_.find(key);
                                           if (found != sessions_.end()) CloseDeleted(found->second.session);
                                         }
                                         done(StoreRefusal(status));
                                       });
       });
}

void SessionHost::Close() {
  closed_ = true;
  sweep_->Disarm();
  for (size_t i = 0; i < unread_.size(); ++i) services_.observer.OnStalled(false);
  unread_.clear();
  for (auto& [key, entry] : sessions_)
    entry.session->Close({grpc::StatusCode::UNAVAILABLE, "agent_service is shutting down; try again"});
}

}  // namespace holdfast::agent
