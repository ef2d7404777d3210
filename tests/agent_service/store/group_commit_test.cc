#include "agent_service/store/group_commit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "common/sqlite/database_files.h"
#include "common/sqlite/task_thread.h"
#include "tests/agent_service/store/store_calls.h"
#include "tests/agent_service/store/temporary_directory.h"

namespace holdfast::agent {
namespace {

using Outcome = Awaited<absl::Status>;

class GroupCommitTest : public ::testing::Test {
 protected:
  GroupCommitTest() {
    EXPECT_TRUE(MakeDatabaseFile(path_).ok());
    connection_.emplace(Connect());
    EXPECT_TRUE(
        connection_
            ->Execute(
                "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; CREATE TABLE parent(id INTEGER PRIMARY KEY);"
                "CREATE TABLE t(a INTEGER, p INTEGER REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)")
            .ok());
    commits_ = *GroupCommit::Create(*connection_, [this](TaskThread::Task task) { loop_.Post(std::move(task)); });
  }

  sqlite::Connection Connect() {
    return *sqlite::Connection::Open(path_, sqlite::Connection::Mode::kReadWrite, std::chrono::milliseconds(1));
  }

  void Submit(Outcome& outcome, absl::AnyInvocable<absl::Status()> apply, size_t bytes = 1) {
    commits_->Submit({.bytes = bytes, .apply = std::move(apply), .done = outcome.Callback()});
  }
  void SubmitSql(Outcome& outcome, const std::string& sql, size_t bytes = 1) {
    Submit(
        outcome, [this, sql] { return connection_->Execute(sql); }, bytes);
  }

  // Occupies the writer with a group of one, so that all that is submitted until Resume gathers into the next.
  void Pause() {
    std::promise<void> begun;
    Submit(first_, [&begun, resume = resume_.get_future().share()] {
      begun.set_value();
      resume.wait();
      return absl::OkStatus();
    });
    begun.get_future().wait();
  }
  void Resume() {
    resume_.set_value();
    EXPECT_TRUE(first_.Get().ok());
  }

  std::vector<int64_t> Rows() {
    sqlite::Connection reader = Connect();
    auto statement = *reader.Prepare("SELECT a FROM t ORDER BY rowid");
    std::vector<int64_t> rows;
    while (*statement.Step()) rows.push_back(statement.Int(0));
    return rows;
  }

  TemporaryDirectory directory_;
  TaskThread loop_;
  const std::string path_ = (directory_.path() / "group.db").string();
  std::optional<sqlite::Connection> connection_;
  Outcome first_;
  std::promise<void> resume_;
  std::unique_ptr<GroupCommit> commits_;
};

TEST_F(GroupCommitTest, CommitsWhatGatheredInOneTransactionInOrder) {
  std::vector<Outcome> outcomes(100);
  std::vector<int64_t> wanted;
  Pause();
  for (size_t i = 0; i < outcomes.size(); ++i) {
    SubmitSql(outcomes[i], "INSERT INTO t(a) VALUES(" + std::to_string(i) + ")");
    wanted.push_back(static_cast<int64_t>(i));
  }
  Resume();
  for (Outcome& outcome : outcomes) EXPECT_TRUE(outcome.Get().ok());
  EXPECT_EQ(commits_->commits(), 2);
  EXPECT_EQ(Rows(), wanted);
}

TEST_F(GroupCommitTest, SaysDoneOnlyWhenOthersCanSeeTheWrite) {
  std::promise<std::vector<int64_t>> seen;
  commits_->Submit({.bytes = 1,
                    .apply = [this] { return connection_->Execute("INSERT INTO t(a) VALUES(1)"); },
                    .done = [this, &seen](const absl::Status&) { seen.set_value(Rows()); }});
  EXPECT_THAT(seen.get_future().get(), ::testing::ElementsAre(1));
}

TEST_F(GroupCommitTest, UndoesARefusedWriteAlone) {
  std::vector<Outcome> outcomes(3);
  Pause();
  SubmitSql(outcomes[0], "INSERT INTO t(a) VALUES(1)");
  Submit(outcomes[1], [this] {
    EXPECT_TRUE(connection_->Execute("INSERT INTO t(a) VALUES(2)").ok());
    return absl::AbortedError("stale");
  });
  SubmitSql(outcomes[2], "INSERT INTO t(a) VALUES(3)");
  Resume();
  EXPECT_TRUE(outcomes[0].Get().ok());
  EXPECT_TRUE(absl::IsAborted(outcomes[1].Get()));
  EXPECT_TRUE(outcomes[2].Get().ok());
  EXPECT_THAT(Rows(), ::testing::ElementsAre(1, 3));
}

TEST_F(GroupCommitTest, ARefusalThatChangedNothingLeavesTheOthersAsTheyAre) {
  std::vector<Outcome> outcomes(2);
  int applied = 0;
  Pause();
  Submit(outcomes[0], [&, this] {
    ++applied;
    return connection_->Execute("INSERT INTO t(a) VALUES(1)");
  });
  Submit(outcomes[1], [] { return absl::AbortedError("stale"); });
  Resume();
  EXPECT_TRUE(outcomes[0].Get().ok());
  EXPECT_TRUE(absl::IsAborted(outcomes[1].Get()));
  EXPECT_EQ(applied, 1);
  EXPECT_THAT(Rows(), ::testing::ElementsAre(1));
}

TEST_F(GroupCommitTest, WhatTheAcknowledgementsOfAGroupSubmitGoesTogether) {
  std::vector<Outcome> outcomes(200);
  Pause();
  for (Outcome& outcome : outcomes) {
    commits_->Submit(
        {.bytes = 1,
         .apply = [] { return absl::OkStatus(); },
         .done = [this, &outcome](const absl::Status&) { Submit(outcome, [] { return absl::OkStatus(); }); }});
  }
  Resume();
  for (Outcome& outcome : outcomes) EXPECT_TRUE(outcome.Get().ok());
  EXPECT_EQ(commits_->commits(), 3);  // the first, all, and all that followed
}

TEST_F(GroupCommitTest, UndoesTheWholeGroupWhenTheDiskFailsAndGoesOn) {
  std::vector<Outcome> outcomes(3);
  Outcome after;
  Pause();
  SubmitSql(outcomes[0], "INSERT INTO t(a) VALUES(1)");
  Submit(outcomes[1], [] { return absl::ResourceExhaustedError("disk full"); });
  SubmitSql(outcomes[2], "INSERT INTO t(a) VALUES(3)");
  Resume();
  for (Outcome& outcome : outcomes) EXPECT_TRUE(absl::IsResourceExhausted(outcome.Get()));
  EXPECT_THAT(Rows(), ::testing::IsEmpty());

  SubmitSql(after, "INSERT INTO t(a) VALUES(4)");
  EXPECT_TRUE(after.Get().ok());
  EXPECT_THAT(Rows(), ::testing::ElementsAre(4));
}

TEST_F(GroupCommitTest, UndoesTheWholeGroupWhenTheCommitFailsAndGoesOn) {
  std::vector<Outcome> outcomes(2);
  Outcome after;
  Pause();
  SubmitSql(outcomes[0], "INSERT INTO t(a) VALUES(1)");
  SubmitSql(outcomes[1], "INSERT INTO t(a, p) VALUES(2, 77)");  // no such parent: found out at the COMMIT
  Resume();
  const absl::Status failure = outcomes[0].Get();
  EXPECT_FALSE(failure.ok());
  EXPECT_EQ(outcomes[1].Get(), failure);
  EXPECT_THAT(Rows(), ::testing::IsEmpty());

  SubmitSql(after, "INSERT INTO t(a) VALUES(4)");
  EXPECT_TRUE(after.Get().ok());
  EXPECT_THAT(Rows(), ::testing::ElementsAre(4));
}

TEST_F(GroupCommitTest, AcknowledgesNothingThatIsNotVerifiedOnceCommitted) {
  absl::Status found = absl::UnavailableError("moved away");
  size_t seen = 0;
  commits_ = *GroupCommit::Create(
      *connection_, [this](TaskThread::Task task) { loop_.Post(std::move(task)); },
      [&] {
        seen = Rows().size();
        return found;
      });
  std::vector<Outcome> outcomes(2);
  SubmitSql(outcomes[0], "INSERT INTO t(a) VALUES(1)");
  EXPECT_EQ(outcomes[0].Get(), absl::UnavailableError("moved away"));
  EXPECT_EQ(seen, 1U) << "asked before the commit";
  found = absl::OkStatus();
  SubmitSql(outcomes[1], "INSERT INTO t(a) VALUES(2)");
  EXPECT_TRUE(outcomes[1].Get().ok());
  commits_.reset();
}

TEST_F(GroupCommitTest, BoundsAGroupByCountAndByBytes) {
  std::vector<Outcome> many(GroupCommit::kMaxWrites + 1);
  std::vector<Outcome> large(3);
  Pause();
  for (Outcome& outcome : many) Submit(outcome, [] { return absl::OkStatus(); });
  for (Outcome& outcome : large)
    Submit(
        outcome, [] { return absl::OkStatus(); }, GroupCommit::kMaxBytes);
  Resume();
  for (Outcome& outcome : many) EXPECT_TRUE(outcome.Get().ok());
  for (Outcome& outcome : large) EXPECT_TRUE(outcome.Get().ok());
  // The first alone, then 512, then one, then each large one by itself.
  EXPECT_EQ(commits_->commits(), 6);
}

TEST_F(GroupCommitTest, DoesNotWaitForALockForeverOnceItIsToEnd) {
  sqlite::Connection backup = Connect();
  ASSERT_TRUE(backup.BeginImmediate([] { return true; }).ok());
  Outcome outcome;
  SubmitSql(outcome, "INSERT INTO t(a) VALUES(1)");
  commits_.reset();
  EXPECT_TRUE(absl::IsUnavailable(outcome.Get()));
}

}  // namespace
}  // namespace holdfast::agent
