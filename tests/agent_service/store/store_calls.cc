#include "tests/agent_service/store/store_calls.h"

namespace holdfast::agent {

absl::StatusOr<int64_t> StoreCalls::Append(AppendRequest request) {
  Awaited<absl::StatusOr<int64_t>> result;
  store_->Append(std::move(request), result.Callback());
  return result.Get();
}

absl::StatusOr<std::vector<LogRow>> StoreCalls::Read(const std::string& tenant, const std::string& id, int64_t after,
                                                     int limit) {
  Awaited<absl::StatusOr<std::vector<LogRow>>> result;
  store_->Read(tenant, id, after, limit, result.Callback());
  return result.Get();
}

absl::StatusOr<SessionRow> StoreCalls::Get(const std::string& tenant, const std::string& id) {
  Awaited<absl::StatusOr<SessionRow>> result;
  store_->GetSession(tenant, id, result.Callback());
  return result.Get();
}

absl::StatusOr<SessionPage> StoreCalls::List(const std::string& tenant, int page_size, const std::string& token) {
  Awaited<absl::StatusOr<SessionPage>> result;
  store_->ListSessions(tenant, page_size, token, result.Callback());
  return result.Get();
}

absl::StatusOr<std::vector<SessionRow>> StoreCalls::Running() {
  Awaited<absl::StatusOr<std::vector<SessionRow>>> result;
  store_->ListRunning(result.Callback());
  return result.Get();
}

absl::Status StoreCalls::Delete(const std::string& tenant, const std::string& id) {
  Awaited<absl::Status> result;
  store_->DeleteSession(tenant, id, result.Callback());
  return result.Get();
}

AppendRequest MakeAppend(const std::string& tenant, const std::string& id, int64_t expected, int count,
                         int64_t generation) {
  AppendRequest request;
  request.session.tenant = tenant;
  request.session.session_id = id;
  request.session.title = "title of " + id;
  request.session.model = "o4-mini";
  request.session.workspace = "/home/dev/" + id;
  request.session.created = TestTime(0);
  request.session.updated = TestTime(expected + count);
  request.session.summary = "summary of " + id;
  request.expected_sequence = expected;
  request.generation = generation;
  for (int64_t sequence = expected + 1; sequence <= expected + count; ++sequence) {
    LogRow event;
    event.time = TestTime(sequence);
    event.type = static_cast<int32_t>(10 + sequence % 7);
    event.schema_version = 3;
    event.bytes = EventBytes(id, sequence);
    request.events.push_back(std::move(event));
  }
  return request;
}

std::string EventBytes(const std::string& id, int64_t sequence) { return id + "#" + std::to_string(sequence); }

WallTime TestTime(int64_t seconds) {
  return WallTime(std::chrono::seconds(1'750'000'000 + seconds) + std::chrono::microseconds(123'456));
}

std::vector<std::string> Ids(const std::vector<SessionRow>& sessions) {
  std::vector<std::string> ids;
  for (const SessionRow& session : sessions) ids.push_back(session.session_id);
  return ids;
}

}  // namespace holdfast::agent
