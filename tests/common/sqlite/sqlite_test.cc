#include "common/sqlite/sqlite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sqlite/database_files.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::sqlite {
namespace {

using ::testing::HasSubstr;

class Sqlite : public ::testing::Test {
 protected:
  Sqlite() { EXPECT_TRUE(MakeDatabaseFile(path_).ok()); }
  Connection Connect(Connection::Mode mode = Connection::Mode::kReadWrite) {
    return *Connection::Open(path_, mode, std::chrono::milliseconds(1));
  }
  static bool Never() { return false; }

  test::TemporaryFolder folder_;
  const std::string path_ = folder_.path("a.db");
};

TEST_F(Sqlite, TriesAgainForALockAsLongAsItIsTold) {
  Connection other = Connect();
  Connection connection = Connect();
  ASSERT_TRUE(other.BeginImmediate(Never).ok());
  int asked = 0;
  const absl::Status refused = connection.BeginImmediate([&asked] { return ++asked < 5; });
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("locked by another process"));
  EXPECT_EQ(asked, 5);

  const absl::Status begun = connection.BeginImmediate([&asked, &other] {
    if (++asked == 8) {
      EXPECT_TRUE(other.Rollback().ok());
    }
    return true;
  });
  EXPECT_TRUE(begun.ok()) << begun;
  EXPECT_EQ(asked, 8);
  EXPECT_TRUE(connection.InTransaction());
}

TEST_F(Sqlite, BindsWhatItIsGivenAndForgetsItAtReset) {
  Connection connection = Connect();
  Statement echo = *connection.Prepare("SELECT ?1, ?2, typeof(?2), ?3, typeof(?3)");
  const std::string bytes("\0\xff", 2);
  ASSERT_TRUE(*echo.Bind(1, int64_t{1} << 60).BindText(2, {}).BindBlob(3, bytes).Step());
  EXPECT_EQ(echo.Int(0), int64_t{1} << 60);
  EXPECT_EQ(echo.Bytes(2), "text");
  EXPECT_EQ(echo.Bytes(3), bytes);
  EXPECT_EQ(echo.Bytes(4), "blob");
  EXPECT_FALSE(*echo.Step());
  ASSERT_TRUE(*echo.Step());
  EXPECT_EQ(echo.Bytes(2), "null");
}

TEST_F(Sqlite, TellsABadParameterAtTheStep) {
  Connection connection = Connect();
  Statement statement = *connection.Prepare("SELECT ?1");
  EXPECT_FALSE(statement.Bind(2, 1).Step().ok());
  EXPECT_TRUE(statement.Bind(1, 1).Step().ok());
}

TEST_F(Sqlite, NamesThePathAndTheReasonInErrors) {
  Connection reader = Connect(Connection::Mode::kReadOnly);
  const absl::Status written = reader.Execute("CREATE TABLE t(a)");
  EXPECT_TRUE(absl::IsUnavailable(written)) << written;
  EXPECT_THAT(std::string(written.message()), HasSubstr(path_));
  EXPECT_THAT(std::string(written.message()), HasSubstr("readonly"));

  const auto missing = Connection::Open(path_ + ".none", Connection::Mode::kReadWrite, std::chrono::milliseconds(1));
  EXPECT_TRUE(absl::IsUnavailable(missing.status())) << missing.status();
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr(path_ + ".none"));

  EXPECT_TRUE(absl::IsInternal(reader.Execute("NOT SQL")));
}

TEST_F(Sqlite, CallsAFullDiskExhausted) {
  Connection connection = Connect();
  ASSERT_TRUE(connection.Execute("CREATE TABLE t(a); PRAGMA max_page_count = 3").ok());
  const absl::Status full = connection.Execute("INSERT INTO t VALUES(zeroblob(100000))");
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_THAT(std::string(full.message()), HasSubstr("no space left for " + path_));
}

}  // namespace
}  // namespace holdfast::sqlite
