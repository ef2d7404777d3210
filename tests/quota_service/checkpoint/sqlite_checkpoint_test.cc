#include "quota_service/checkpoint/sqlite_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/fakes/simulated_loop.h"
#include "tests/quota_service/checkpoint/state_samples.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::quota {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SqliteCheckpointTest : public testing::Test {
 protected:
  SqliteCheckpoint::Opened Open() {
    auto opened = SqliteCheckpoint::Open(loop_, directory_);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  // Saves, and is gone again.
  void Keep(const CheckpointState& state) {
    Open().store->Save(state, [](const absl::Status&) {});
  }

  SimulatedLoop loop_;
  test::TemporaryFolder folder_;
  const std::string directory_ = folder_.path("state") + "/holdfast";
  const std::string path_ = directory_ + "/quota.db";
};

TEST_F(SqliteCheckpointTest, MakesItsFolderAndKeepsWhatItWasGiven) {
  Keep(SomeState());
  EXPECT_EQ(fs::status(directory_).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const SqliteCheckpoint::Opened again = Open();
  EXPECT_TRUE(again.state.Same(SomeState()));
  EXPECT_EQ(again.trouble, "");
}

TEST_F(SqliteCheckpointTest, SaysOnTheLoopHowASaveEnded) {
  std::vector<absl::Status> ended;
  {
    const SqliteCheckpoint::Opened opened = Open();
    opened.store->Save(SomeState(), [&](const absl::Status& status) { ended.push_back(status); });
    EXPECT_TRUE(ended.empty());
  }  // the thread has ended, and what it posted is there
  loop_.RunUntilIdle();
  EXPECT_THAT(ended, testing::ElementsAre(absl::OkStatus()));
}

TEST_F(SqliteCheckpointTest, ADamagedFileIsSetAsideNamedAndBegunAnew) {
  Keep(SomeState());
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << std::string(8192, 'x');
  {
    const SqliteCheckpoint::Opened opened = Open();
    EXPECT_TRUE(opened.state.Same({}));
    EXPECT_THAT(opened.trouble, testing::AllOf(HasSubstr("damaged"), HasSubstr(path_), HasSubstr("began anew")));
    EXPECT_EQ(fs::file_size(path_ + ".damaged"), 8192u);
  }
  Keep(SomeState());
  EXPECT_TRUE(Open().state.Same(SomeState()));
}

TEST_F(SqliteCheckpointTest, APageThatIsDamagedCountsAsDamageToo) {
  Keep(SomeState());
  {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4096);
    file << std::string(fs::file_size(path_) - 4096, '\xff');
  }
  EXPECT_THAT(Open().trouble, HasSubstr("damaged"));
}

TEST_F(SqliteCheckpointTest, WhatMakesNoSenseIsNamed) {
  Keep(SomeState());
  {
    auto connection =
        sqlite::Connection::Open(path_, sqlite::Connection::Mode::kReadWrite, std::chrono::milliseconds(1));
    ASSERT_TRUE(connection->Execute("UPDATE budgets SET spent = -1").ok());
  }
  EXPECT_THAT(Open().trouble, HasSubstr("2 rows"));
}

TEST_F(SqliteCheckpointTest, TwoServicesDoNotShareOne) {
  const SqliteCheckpoint::Opened first = Open();
  const absl::Status second = SqliteCheckpoint::Open(loop_, directory_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second));
  EXPECT_THAT(std::string(second.message()), HasSubstr("another quota_service"));
}

TEST_F(SqliteCheckpointTest, AFolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  const std::string file = folder_.Write("file", "");
  const absl::Status status = SqliteCheckpoint::Open(loop_, file + "/below").status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(file));
}

}  // namespace
}  // namespace holdfast::quota
