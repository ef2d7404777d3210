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

absl::StatusOr<std::unique_ptr<GroupCommit>> GroupCommit::Create(sqlite::Connection& connection, Executor executor,
                                                                 Verify verify) {
  absl::StatusOr<sqlite::Statement> savepoint = connection.Prepare("SAVEPOINT one_write");
  if (!savepoint.ok()) return savepoint.status();
  absl::StatusOr<sqlite::Statement> release = connection.Prepare("RELEASE one_write");
  if (!release.ok()) return release.status();
  absl::StatusOr<sqlite::Statement> undo = connection.Prepare("ROLLBACK TO one_write");
  if (!undo.ok()) return undo.status();
  return std::unique_ptr<GroupCommit>(new GroupCommit(connection, std::move(executor), std::move(verify),
                                                      *std::move(savepoint), *std::move(release), *std::move(undo)));
}

GroupCommit::GroupCommit(sqlite::Connection& connection, Executor executor, Verify verify, sqlite::Statement savepoint,
                         sqlite::Statement release, sqlite::Statement undo)
    : connection_(connection),
      executor_(std::move(executor)),
      verify_(std::move(verify)),
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
  while (true) {
    std::vector<Write> group = TakeGroup();
    if (group.empty()) return;
    CommitGroup(std::move(group));
  }
}

std::vector<GroupCommit::Write> GroupCommit::TakeGroup() {
  Queue& queue = *queue_;
  std::unique_lock lock(queue.mutex);
  queue.changed.wait(lock, [&] { return queue.stopping || (!queue.writes.empty() && queue.acknowledging == 0); });
  std::vector<Write> group;
  size_t bytes = 0;
  while (!queue.writes.empty() && group.size() < kMaxWrites) {
    if (!group.empty() && bytes + queue.writes.front().bytes > kMaxBytes) break;
    bytes += queue.writes.front().bytes;
    group.push_back(std::move(queue.writes.front()));
    queue.writes.pop_front();
  }
  return group;
}

void GroupCommit::CommitGroup(std::vector<Write> group) {
  std::vector<absl::Status> outcomes(group.size());
  const absl::Status whole = ApplyAndCommit(group, outcomes);
  if (whole.ok()) {
    commits_.fetch_add(1, std::memory_order_relaxed);
  } else {
    connection_.Rollback().IgnoreError();  // the next group tries again
    outcomes.assign(group.size(), whole);
  }
  Acknowledge(std::move(group), std::move(outcomes));
}

void GroupCommit::Acknowledge(std::vector<Write> group, std::vector<absl::Status> outcomes) {
  executor_([queue = queue_, group = std::move(group), outcomes = std::move(outcomes)]() mutable {
    {
      std::lock_guard lock(queue->mutex);
      ++queue->acknowledging;
    }
    for (size_t i = 0; i < group.size(); ++i) std::move(group[i].done)(std::move(outcomes[i]));
    {
      std::lock_guard lock(queue->mutex);
      --queue->acknowledging;
    }
    queue->changed.notify_one();
  });
}

absl::Status GroupCommit::ApplyAndCommit(std::vector<Write>& group, std::vector<absl::Status>& outcomes) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  const auto keep_trying = [this, give_up] { return !stopping_ && std::chrono::steady_clock::now() < give_up; };
  if (absl::Status status = connection_.Rollback(); !status.ok()) return status;
  if (absl::Status status = connection_.BeginImmediate(keep_trying); !status.ok()) return status;
  const absl::StatusOr<bool> whole = ApplyTogether(group, outcomes);
  if (!whole.ok()) return whole.status();
  if (!*whole) {
    if (absl::Status status = connection_.Rollback(); !status.ok()) return status;
    if (absl::Status status = connection_.BeginImmediate(keep_trying); !status.ok()) return status;
    for (size_t i = 0; i < group.size(); ++i) {
      if (absl::Status status = ApplyApart(group[i], outcomes[i]); !status.ok()) return status;
    }
  }
  if (absl::Status status = connection_.Commit(keep_trying); !status.ok()) return status;
  return verify_();
}

absl::StatusOr<bool> GroupCommit::ApplyTogether(std::vector<Write>& group, std::vector<absl::Status>& outcomes) {
  for (size_t i = 0; i < group.size(); ++i) {
    const int64_t before = connection_.ChangedRows();
    outcomes[i] = group[i].apply();
    if (outcomes[i].ok()) continue;
    if (EndsGroup(outcomes[i]) || !connection_.InTransaction()) return outcomes[i];
    if (connection_.ChangedRows() != before) return false;
  }
  return true;
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
