#include "clients/cli/commands/put_in_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace holdfast::cli {
namespace {

using testing::HasSubstr;

class PutInPlaceTest : public testing::Test {
 protected:
  PutInPlaceTest() {
    std::string pattern = testing::TempDir() + "holdfast-place-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Write("partial", "new");
  }
  ~PutInPlaceTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(Path(name)) << text; }
  std::string Text(const std::string& name) const {
    std::ifstream file(Path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool IsThere(const std::string& name) const { return std::filesystem::exists(Path(name)); }

  std::filesystem::path folder_;
};

TEST_F(PutInPlaceTest, GivesTheFileItsName) {
  EXPECT_EQ(PutInPlace(Path("partial"), Path("file"), /*force=*/false), absl::OkStatus());
  EXPECT_EQ(Text("file"), "new");
  EXPECT_FALSE(IsThere("partial"));
}

TEST_F(PutInPlaceTest, ReplacesByForceAlone) {
  Write("file", "old");
  const absl::Status status = PutInPlace(Path("partial"), Path("file"), /*force=*/false);
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("replace it with --force"));
  EXPECT_EQ(Text("file"), "old");
  EXPECT_EQ(PutInPlace(Path("partial"), Path("file"), /*force=*/true), absl::OkStatus());
  EXPECT_EQ(Text("file"), "new");
  EXPECT_FALSE(IsThere("partial"));
}

TEST_F(PutInPlaceTest, ByASecondNameNothingIsReplacedEither) {
  Write("file", "old");
  const absl::Status status = LinkInPlace(Path("partial"), Path("file"));
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_EQ(Text("file"), "old");
  EXPECT_EQ(Text("partial"), "new");
  EXPECT_EQ(LinkInPlace(Path("partial"), Path("other")), absl::OkStatus());
  EXPECT_EQ(Text("other"), "new");
  EXPECT_FALSE(IsThere("partial"));
}

TEST_F(PutInPlaceTest, AFolderThatIsNotThereIsNamed) {
  const absl::Status status = PutInPlace(Path("partial"), Path("none/file"), /*force=*/false);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none/file: No such file"));
}

}  // namespace
}  // namespace holdfast::cli
