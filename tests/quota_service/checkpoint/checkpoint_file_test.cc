#include "quota_service/checkpoint/checkpoint_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/quota_service/checkpoint/state_samples.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::quota {
namespace {

class CheckpointFileTest : public testing::Test {
 protected:
  CheckpointFile Open() {
    auto file = CheckpointFile::Open(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  CheckpointState Load(int skipped = 0) {
    int count = 0;
    auto state = Open().Load(&count);
    EXPECT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(count, skipped);
    return *std::move(state);
  }
  // As somebody with sqlite3 may.
  void Execute(const std::string& sql) {
    auto connection =
        sqlite::Connection::Open(path_, sqlite::Connection::Mode::kReadWrite, std::chrono::milliseconds(1));
    ASSERT_TRUE(connection.ok());
    ASSERT_TRUE(connection->Execute(sql).ok()) << sql;
  }

  test::TemporaryFolder folder_;
  const std::string path_ = folder_.path("quota.db");
};

TEST_F(CheckpointFileTest, ANewOneIsEmpty) {
  const CheckpointState state = Load();
  EXPECT_TRUE(state.Same({}));
  EXPECT_EQ(state.saved, WallTime());
}

TEST_F(CheckpointFileTest, GivesBackWhatWasSavedToTheLastBit) {
  ASSERT_TRUE(Open().Save(SomeState()).ok());
  const CheckpointState state = Load();
  EXPECT_TRUE(state.Same(SomeState()));
  EXPECT_EQ(state.saved, SomeState().saved);
}

TEST_F(CheckpointFileTest, ASaveReplacesTheOneBefore) {
  CheckpointFile file = Open();
  ASSERT_TRUE(file.Save(SomeState()).ok());
  CheckpointState less = SomeState(5);
  less.groups.clear();
  less.budgets.erase("a");
  ASSERT_TRUE(file.Save(less).ok());
  EXPECT_TRUE(Load().Same(less));
}

TEST_F(CheckpointFileTest, ASaveThatFailsLeavesTheOneBefore) {
  CheckpointFile file = Open();
  ASSERT_TRUE(file.Save(SomeState()).ok());
  auto other = sqlite::Connection::Open(path_, sqlite::Connection::Mode::kReadWrite, std::chrono::milliseconds(1));
  ASSERT_TRUE(other->BeginImmediate([] { return false; }).ok());
  EXPECT_TRUE(absl::IsUnavailable(file.Save(SomeState(77)))) << "it is locked";
  ASSERT_TRUE(other->Rollback().ok());
  EXPECT_TRUE(Load().Same(SomeState()));
  EXPECT_TRUE(file.Save(SomeState(77)).ok()) << "and it goes on when it can";
}

TEST_F(CheckpointFileTest, RowsThatMakeNoSenseAreLeftOutAndCounted) {
  const char* const spoilt[] = {
      "UPDATE budgets SET spent = -1 WHERE tenant = 'a'",
      "UPDATE budgets SET day = 9223372036854775807 WHERE tenant = 'a'",
      "UPDATE limits SET dimension = 9 WHERE position = 1",
      "UPDATE limits SET kind = -1 WHERE position = 1",
      "UPDATE limits SET source = 17 WHERE position = 1",
      "UPDATE limits SET per_ns = 0 WHERE position = 1",
      "UPDATE limits SET size_bits = -1 WHERE position = 1",                    // NaN
      "UPDATE limits SET size_bits = 9218868437227405312 WHERE position = 1",   // infinite
      "UPDATE limits SET level_bits = 4890909195324358656 WHERE position = 1",  // more than the limit
      "INSERT INTO limits SELECT 'nobody', 0, dimension, kind, size_bits, per_ns, source, level_bits FROM limits "
      "WHERE position = 0",
      "INSERT INTO limit_groups VALUES('x', -5, 0, 1)",
  };
  for (const char* sql : spoilt) {
    ASSERT_TRUE(Open().Save(SomeState()).ok());
    Execute(sql);
    const CheckpointState state = Load(/*skipped=*/1);
    EXPECT_EQ(state.budgets.at("web-team").spent, 900) << sql;
    ASSERT_EQ(state.groups.size(), 1u) << sql;
    EXPECT_GE(state.groups[0].limits.size(), 1u) << sql;
  }
}

TEST_F(CheckpointFileTest, RefusesADatabaseThatIsNotItsOwnAndOneOfANewerRelease) {
  Open();
  Execute("PRAGMA user_version = 99");
  const absl::Status newer = CheckpointFile::Open(path_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(newer));
  EXPECT_THAT(std::string(newer.message()), testing::HasSubstr("quota_service"));
  Execute("PRAGMA user_version = 1; PRAGMA application_id = 5");
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckpointFile::Open(path_).status()));
}

}  // namespace
}  // namespace holdfast::quota
