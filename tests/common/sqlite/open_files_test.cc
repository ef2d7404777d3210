#include "common/sqlite/open_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_folder.h"

namespace holdfast::sqlite {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class OpenFilesTest : public ::testing::Test {
 protected:
  OpenFilesTest() {
    fs::create_directory(folder_.path("store"));
    Make(path_);
    Make(log_);
  }
  static void Make(const std::string& path) { std::ofstream(path) << "x"; }
  void ExpectRefusal(OpenFiles& files, const std::string& path, const std::string& what) {
    const absl::Status status = files.Look();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path + " " + what));
    EXPECT_THAT(std::string(status.message()), HasSubstr("put the file back"));
    EXPECT_EQ(files.LastSeen(), status);
  }

  test::TemporaryFolder folder_;
  const std::string path_ = folder_.path("store/a.db");
  const std::string log_ = path_ + "-wal";
};

TEST_F(OpenFilesTest, AreInPlaceWhatIsWrittenThere) {
  OpenFiles files(path_);
  std::ofstream(path_, std::ios::app) << "more";
  EXPECT_TRUE(files.Look().ok());
}

TEST_F(OpenFilesTest, NameTheFileThatIsGone) {
  OpenFiles files(path_);
  fs::remove(log_);
  EXPECT_TRUE(files.LastSeen().ok()) << "nobody has looked";
  ExpectRefusal(files, log_, "was deleted or moved away");
  fs::remove(path_);
  ExpectRefusal(files, path_, "was deleted or moved away");
}

TEST_F(OpenFilesTest, NameAFolderThatIsGoneByTheFile) {
  OpenFiles files(path_);
  fs::remove_all(folder_.path("store"));
  ExpectRefusal(files, path_, "was deleted or moved away");
}

TEST_F(OpenFilesTest, KnowAnotherFileOfTheSameName) {
  OpenFiles files(path_);
  Make(folder_.path("store/restored.db"));
  fs::rename(folder_.path("store/restored.db"), path_);
  ExpectRefusal(files, path_, "was replaced by another file");
}

TEST_F(OpenFilesTest, AreInPlaceAgainWhenTheyArePutBack) {
  OpenFiles files(path_);
  fs::rename(folder_.path("store"), folder_.path("away"));
  ExpectRefusal(files, path_, "was deleted or moved away");
  fs::rename(folder_.path("away"), folder_.path("store"));
  EXPECT_TRUE(files.Look().ok());
  EXPECT_TRUE(files.LastSeen().ok());
}

TEST_F(OpenFilesTest, DoNotMissALogThatWasNotThere) {
  fs::remove(log_);
  OpenFiles files(path_);
  EXPECT_TRUE(files.Look().ok());
}

}  // namespace
}  // namespace holdfast::sqlite
