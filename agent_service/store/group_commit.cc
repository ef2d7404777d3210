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

absl::StatusOr<std::unique_ptr<GroupCommit>> GroupCommit::Create(sqlite::Connection& connection) {
  absl::StatusOr<sqlite::Statement> savepoint = connection.Prepare("SAVEPOINT one_write");
  if (!savepoint.ok()) return savepoint.status();
  absl::StatusOr<sqlite::Statement> release = connection.Prepare("RELEASE one_write");
  if (!release.ok()) return release.status();
  absl::StatusOr<sqlite::Statement> undo = connection.Prepare("ROLLBACK TO one_write");
  if (!undo.ok()) return undo.status();
  return std::unique_ptr<GroupCommit>(
      new GroupCommit(connection, *std::move(savepoint), *std::move(release), *std::move(undo)));
}

GroupCommit::GroupCommit(sqlite::Connection& connection, sqlite::Statement savepoint, sqlite::Statement release,
                         sqlite::Statement undo)
    : connection_(connection),
      savepoint_(std::move(savepoint)),
      release_(std::move(release)),
      undo_(std::move(undo)),
      thread_([this] { Run(); }) {}

GroupCommit::~GroupCommit() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void GroupCommit::Submit(Write write) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(write));
  }
  changed_.notify_one();
}

void GroupCommit::Run() {
  while (true) {
    std::vector<Write> group = TakeGroup();
    if (group.empty()) return;
    CommitGroup(std::move(group));
  }
}

std::vector<GroupCommit::Write> GroupCommit::TakeGroup() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  std::vector<Write> group;
  size_t bytes = 0;
  while (!queue_.empty() && group.size() < kMaxWrites) {
    if (!group.empty() && bytes + queue_.front().bytes > kMaxBytes) break;
    bytes += queue_.front().bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
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
  }
  for (size_t i = 0; i < group.size(); ++i) std::move(group[i].done)(whole.ok() ? std::move(outcomes[i]) : whole);
}

absl::Status GroupCommit::ApplyAndCommit(std::vector<Write>& group, std::vector<absl::Status>& outcomes) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  const auto keep_trying = [this, give_up] { return !stopping_ && std::chrono::steady_clock::now() < give_up; };
  if (absl::Status status = connection_.Rollback(); !status.ok()) return status;
  if (absl::Status status = connection_.BeginImmediate(keep_trying); !status.ok()) return status;
  for (size_t i = 0; i < group.size(); ++i) {
    if (absl::Status status = ApplyOne(group[i], outcomes[i]); !status.ok()) return status;
  }
  return connection_.Commit(keep_trying);
}

absl::Status GroupCommit::ApplyOne(Write& write, absl::Status& outcome) {
  if (absl::Status status = savepoint_.Run(); !status.ok()) return status;
  outcome = std::move(write.apply)();
  if (!outcome.ok()) {
    if (EndsGroup(outcome) || !connection_.InTransaction()) return outcome;
    if (absl::Status status = undo_.Run(); !status.ok()) return status;
  }
  return release_.Run();
}

}  // namespace holdfast::agent
