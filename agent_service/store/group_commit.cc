#include "agent_service/store/group_commit.h"

#include <utility>

namespace holdfast::agent {
namespace {

// After these SQLite may have rolled the transaction back by itself (https://sqlite.org/lang_transaction.html,
// "Response To Errors Within A Transaction").
bool EndsGroup(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsUnavailable(status) || absl::IsInternal(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GroupCommit>> GroupCommit::Create(sqlite::Connection& connection, Executor executor) {
  absl::StatusOr<sqlite::Statement> savepoint = connection.Prepare("SAVEPOINT one_write");
  if (!savepoint.ok()) return savepoint.status();
  absl::StatusOr<sqlite::Statement> release = connection.Prepare("RELEASE one_write");
  if (!release.ok()) return release.status();
  absl::StatusOr<sqlite::Statement> undo = connection.Prepare("ROLLBACK TO one_write");
  if (!undo.ok()) return undo.status();
  return std::unique_ptr<GroupCommit>(
      new GroupCommit(connection, std::move(executor), *std::move(savepoint), *std::move(release), *std::move(undo)));
}

GroupCommit::GroupCommit(sqlite::Connection& connection, Executor executor, sqlite::Statement savepoint,
                         sqlite::Statement release, sqlite::Statement undo)
    : connection_(connection),
      executor_(std::move(executor)),
      savepoint_(std::move(savepoint)),
      release_(std::move(release)),
      undo_(std::move(undo)),
      thread_([this] { Run(); }) {}

GroupCommit::~GroupCommit() {
  stopping_ = true;
  {
    std::lock_guard lock(queue_->mutex);
    queue_->stopping = true;
  }
  queue_->changed.notify_one();
  thread_.join();
}

void GroupCommit::Submit(Write write) {
  bool taken_now = false;
  {
    std::lock_guard lock(queue_->mutex);
    queue_->writes.push_back(std::move(write));
    taken_now = queue_->acknowledging == 0;
  }
  if (taken_now) queue_->changed.notify_one();
}

void GroupCommit::Run() {
  for (Group group; Open(group); group = {}) CommitGroup(std::move(group));
}

bool GroupCommit::Open(Group& group) {
  std::unique_lock lock(queue_->mutex);
  queue_->changed.wait(lock, [this] { return queue_->stopping || !queue_->writes.empty(); });
  Take(*queue_, group);
  return !group.writes.empty();
}

bool GroupCommit::Extend(Group& group) {
  std::unique_lock lock(queue_->mutex);
  queue_->changed.wait(lock,
                       [this] { return queue_->stopping || !queue_->writes.empty() || queue_->acknowledging == 0; });
  const size_t before = group.writes.size();
  Take(*queue_, group);
  return group.writes.size() > before;
}

void GroupCommit::Take(Queue& queue, Group& group) {
  while (!queue.writes.empty() && group.writes.size() < kMaxWrites) {
    const size_t bytes = queue.writes.front().bytes;
    if (!group.writes.empty() && group.bytes + bytes > kMaxBytes) break;
    group.bytes += bytes;
    group.writes.push_back(std::move(queue.writes.front()));
    queue.writes.pop_front();
  }
}

void GroupCommit::CommitGroup(Group group) {
  const absl::Status whole = ApplyAndCommit(group);
  if (whole.ok()) {
    commits_.fetch_add(1, std::memory_order_relaxed);
  } else {
    connection_.Rollback().IgnoreError();  // the next group tries again
    group.outcomes.assign(group.writes.size(), whole);
  }
  Acknowledge(std::move(group));
}

void GroupCommit::Acknowledge(Group group) {
  executor_([queue = queue_, group = std::move(group)]() mutable {
    {
      std::lock_guard lock(queue->mutex);
      ++queue->acknowledging;
    }
    for (size_t i = 0; i < group.writes.size(); ++i) std::move(group.writes[i].done)(std::move(group.outcomes[i]));
    {
      std::lock_guard lock(queue->mutex);
      --queue->acknowledging;
    }
    queue->changed.notify_one();
  });
}

absl::Status GroupCommit::ApplyAndCommit(Group& group) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  const auto keep_trying = [this, give_up] { return !stopping_ && std::chrono::steady_clock::now() < give_up; };
  if (absl::Status status = connection_.Rollback(); !status.ok()) return status;
  if (absl::Status status = connection_.BeginImmediate(keep_trying); !status.ok()) return status;
  const absl::StatusOr<bool> whole = ApplyTogether(group);
  if (!whole.ok()) return whole.status();
  if (!*whole) {
    if (absl::Status status = connection_.Rollback(); !status.ok()) return status;
    if (absl::Status status = connection_.BeginImmediate(keep_trying); !status.ok()) return status;
    if (absl::Status status = ApplyApart(group); !status.ok()) return status;
  }
  return connection_.Commit(keep_trying);
}

absl::StatusOr<bool> GroupCommit::ApplyTogether(Group& group) {
  do {
    while (group.outcomes.size() < group.writes.size()) {
      const int64_t before = connection_.ChangedRows();
      absl::Status outcome = group.writes[group.outcomes.size()].apply();
      if (!outcome.ok()) {
        if (EndsGroup(outcome) || !connection_.InTransaction()) return outcome;
        if (connection_.ChangedRows() != before) return false;
      }
      group.outcomes.push_back(std::move(outcome));
    }
  } while (Extend(group));
  return true;
}

absl::Status GroupCommit::ApplyApart(Group& group) {
  group.outcomes.clear();
  for (Write& write : group.writes) {
    if (absl::Status status = ApplyApart(write, group.outcomes.emplace_back()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status GroupCommit::ApplyApart(Write& write, absl::Status& outcome) {
  if (absl::Status status = savepoint_.Run(); !status.ok()) return status;
  outcome = write.apply();
  if (!outcome.ok()) {
    if (EndsGroup(outcome) || !connection_.InTransaction()) return outcome;
    if (absl::Status status = undo_.Run(); !status.ok()) return status;
  }
  return release_.Run();
}

}  // namespace holdfast::agent
