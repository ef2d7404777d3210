#include "tests/agent_service/store/memory_store.h"

#include <algorithm>
#include <optional>

#include "agent_service/store/page_token.h"

namespace holdfast::agent {
namespace {

WallTime WholeMicros(WallTime time) { return FromMicros(ToMicros(time)); }

// The list's order: last updated first, ties by session_id.
bool ListedBefore(const SessionRow& a, const SessionRow& b) {
  return a.updated != b.updated ? a.updated > b.updated : a.session_id < b.session_id;
}

}  // namespace

MemoryStore::MemoryStore(Executor executor, int64_t generation)
    : executor_(std::move(executor)), generation_(generation) {}

MemoryStore::~MemoryStore() { ReleaseAppends(); }

void MemoryStore::FailNextAppends(int count, absl::Status status) {
  std::lock_guard lock(mutex_);
  failures_left_ = count;
  failure_ = std::move(status);
}

void MemoryStore::HoldAppends() {
  std::lock_guard lock(mutex_);
  holding_ = true;
}

void MemoryStore::ReleaseAppends() {
  std::lock_guard lock(mutex_);
  holding_ = false;
  for (Write& write : held_) std::move(write)();
  held_.clear();
}

int MemoryStore::held() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(held_.size());
}

template <typename T>
void MemoryStore::Finish(Callback<T> done, absl::StatusOr<T> result) {
  executor_([done = std::move(done), result = std::move(result)]() mutable { std::move(done)(std::move(result)); });
}

void MemoryStore::WriteOrHold(Write write) {
  if (holding_) {
    held_.push_back(std::move(write));
  } else {
    std::move(write)();
  }
}

void MemoryStore::Append(AppendRequest request, Callback<int64_t> done) {
  std::lock_guard lock(mutex_);
  if (absl::Status status = CheckAppend(request); !status.ok()) return Finish<int64_t>(std::move(done), status);
  WriteOrHold([this, request = std::move(request), done = std::move(done)]() mutable {
    if (failures_left_ > 0) {
      --failures_left_;
      return Finish<int64_t>(std::move(done), failure_);
    }
    Finish<int64_t>(std::move(done), Apply(std::move(request)));
  });
}

absl::StatusOr<int64_t> MemoryStore::Apply(AppendRequest request) {
  const Key key(request.session.tenant, request.session.session_id);
  const auto found = sessions_.find(key);
  std::optional<SessionHead> head;
  if (found != sessions_.end()) {
    head = SessionHead{.last_sequence = found->second.row.last_sequence, .generation = found->second.generation};
  }
  if (absl::Status status = CheckHead(request, head); !status.ok()) return status;

  Session& session = sessions_[key];
  int64_t sequence = request.expected_sequence;
  for (LogRow& event : request.events) {
    event.sequence = ++sequence;
    event.time = WholeMicros(event.time);
    session.log.push_back(std::move(event));
  }
  session.row = std::move(request.session);
  session.row.created = WholeMicros(session.row.created);
  session.row.updated = WholeMicros(session.row.updated);
  session.row.last_sequence = sequence;
  session.generation = request.generation;
  return sequence;
}

void MemoryStore::Read(std::string tenant, std::string session_id, int64_t after_sequence, int limit,
                       Callback<std::vector<LogRow>> done) {
  std::lock_guard lock(mutex_);
  if (absl::Status status = CheckRead(tenant, session_id, limit); !status.ok()) {
    return Finish<std::vector<LogRow>>(std::move(done), status);
  }
  Finish<std::vector<LogRow>>(std::move(done), ReadLog({tenant, session_id}, after_sequence, limit));
}

absl::StatusOr<std::vector<LogRow>> MemoryStore::ReadLog(const Key& key, int64_t after_sequence, int limit) const {
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return NoSuchSession(key.second);
  std::vector<LogRow> events;
  size_t bytes = 0;
  for (const LogRow& event : found->second.log) {
    if (event.sequence <= after_sequence) continue;
    bytes += event.bytes.size();
    if (static_cast<int>(events.size()) == limit || (!events.empty() && bytes > kMaxReadBytes)) break;
    events.push_back(event);
  }
  return events;
}

void MemoryStore::GetSession(std::string tenant, std::string session_id, Callback<SessionRow> done) {
  std::lock_guard lock(mutex_);
  const auto found = sessions_.find({tenant, session_id});
  if (found == sessions_.end()) return Finish<SessionRow>(std::move(done), NoSuchSession(session_id));
  Finish<SessionRow>(std::move(done), found->second.row);
}

void MemoryStore::ListSessions(std::string tenant, int page_size, std::string page_token, Callback<SessionPage> done) {
  std::lock_guard lock(mutex_);
  if (absl::Status status = CheckList(tenant, page_size); !status.ok()) {
    return Finish<SessionPage>(std::move(done), status);
  }
  Finish<SessionPage>(std::move(done), Page(tenant, page_size, page_token));
}

absl::StatusOr<SessionPage> MemoryStore::Page(const std::string& tenant, int page_size,
                                              const std::string& page_token) const {
  std::optional<SessionRow> after;
  if (!page_token.empty()) {
    absl::StatusOr<PagePosition> position = DecodePageToken(tenant, page_token);
    if (!position.ok()) return position.status();
    after.emplace();
    after->updated = FromMicros(position->updated_us);
    after->session_id = std::move(position->session_id);
  }
  SessionPage page;
  for (const auto& [key, session] : sessions_) {
    if (key.first == tenant && (!after || ListedBefore(*after, session.row))) page.sessions.push_back(session.row);
  }
  std::sort(page.sessions.begin(), page.sessions.end(), ListedBefore);
  const auto size = static_cast<size_t>(std::min(page_size, kMaxPageSize));
  if (page.sessions.size() > size) {
    page.sessions.resize(size);
    const SessionRow& last = page.sessions.back();
    page.next_page_token =
        EncodePageToken(tenant, {.updated_us = ToMicros(last.updated), .session_id = last.session_id});
  }
  return page;
}

void MemoryStore::ListRunning(Callback<std::vector<SessionRow>> done) {
  std::lock_guard lock(mutex_);
  std::vector<SessionRow> running;
  for (const auto& [key, session] : sessions_) {
    if (session.row.running) running.push_back(session.row);
  }
  Finish<std::vector<SessionRow>>(std::move(done), std::move(running));
}

void MemoryStore::DeleteSession(std::string tenant, std::string session_id, Done done) {
  std::lock_guard lock(mutex_);
  WriteOrHold([this, tenant = std::move(tenant), session_id = std::move(session_id), done = std::move(done)]() mutable {
    absl::Status status = sessions_.erase({tenant, session_id}) == 1 ? absl::OkStatus() : NoSuchSession(session_id);
    executor_([done = std::move(done), status = std::move(status)]() mutable { std::move(done)(std::move(status)); });
  });
}

}  // namespace holdfast::agent
