#include "quota_service/frontdoor/responses/response_memory.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/fakes/simulated_loop.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::quota {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

class ResponseMemoryTest : public testing::Test {
 protected:
  std::unique_ptr<ResponseMemory> Open(ResponseIndex::Bounds bounds = {}) {
    return std::make_unique<ResponseMemory>(loop_, directory_, bounds);
  }
  KnownResponse Made(int64_t tokens) { return {"acme", "gpt", tokens, loop_.WallNow()}; }
  static int64_t TokensOf(const ResponseMemory& memory, const std::string& id) {
    const auto found = memory.Find(id, "web");
    return found.own == nullptr ? -1 : found.own->tokens;
  }

  SimulatedLoop loop_;
  test::TemporaryFolder folder_;
  const std::string directory_ = folder_.path("state") + "/holdfast";
  const std::string path_ = directory_ + "/responses.db";
};

TEST_F(ResponseMemoryTest, WhatIsKnownIsKnownAfterARestart) {
  Open()->Remember({"resp_1", "web"}, Made(5));
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const auto again = Open();
  ASSERT_NE(again->Find("resp_1", "web").own, nullptr);
  EXPECT_EQ(again->Find("resp_1", "web").own->account, "acme");
  EXPECT_EQ(again->Find("resp_1", "web").own->model, "gpt");
  EXPECT_EQ(TokensOf(*again, "resp_1"), 5);
  EXPECT_TRUE(again->Find("resp_1", "other").of_others);
}

TEST_F(ResponseMemoryTest, WritesWhatCameMeanwhileTogether) {
  {
    const auto memory = Open();
    for (int i = 0; i < 100; ++i) memory->Remember({fmt::format("resp_{}", i), "web"}, Made(i));
    loop_.Advance(std::chrono::seconds(1));
    for (int i = 50; i < 150; ++i) memory->Remember({fmt::format("resp_{}", i), "web"}, Made(1000 + i));
  }
  const auto again = Open();
  EXPECT_EQ(TokensOf(*again, "resp_49"), 49);
  EXPECT_EQ(TokensOf(*again, "resp_50"), 1050);
  EXPECT_EQ(TokensOf(*again, "resp_149"), 1149);
}

TEST_F(ResponseMemoryTest, TheFileIsBoundedAsTheIndexIs) {
  {
    const auto memory = Open({.responses = 3});
    for (int i = 0; i < 10; ++i) memory->Remember({fmt::format("resp_{}", i), "web"}, Made(i));
  }
  {
    const auto again = Open();
    EXPECT_EQ(TokensOf(*again, "resp_6"), -1);
    EXPECT_EQ(TokensOf(*again, "resp_7"), 7);
  }
  EXPECT_EQ(TokensOf(*Open({.responses = 1}), "resp_9"), 9) << "a smaller bound";
  EXPECT_EQ(TokensOf(*Open(), "resp_8"), -1) << "holds for the file, too";
}

TEST_F(ResponseMemoryTest, WhatIsTooOldIsNotReadAgain) {
  Open()->Remember({"resp_1", "web"}, Made(5));
  loop_.Advance(hours(24 * 30));
  EXPECT_EQ(TokensOf(*Open(), "resp_1"), -1);
}

TEST_F(ResponseMemoryTest, ADamagedFileIsSetAsideAndBegunAnew) {
  Open()->Remember({"resp_1", "web"}, Made(5));
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << std::string(8192, 'x');
  {
    const auto memory = Open();
    EXPECT_TRUE(memory->is_kept());
    EXPECT_EQ(TokensOf(*memory, "resp_1"), -1);
    memory->Remember({"resp_2", "web"}, Made(6));
  }
  EXPECT_TRUE(fs::exists(path_ + ".damaged"));
  EXPECT_EQ(TokensOf(*Open(), "resp_2"), 6);
}

TEST_F(ResponseMemoryTest, WorksWithoutAFileWhereThereCanBeNone) {
  const auto first = Open();
  const auto second = Open();
  EXPECT_FALSE(second->is_kept()) << "another process has the lock";
  second->Remember({"resp_1", "web"}, Made(5));
  loop_.Advance(std::chrono::seconds(10));
  EXPECT_EQ(TokensOf(*second, "resp_1"), 5);
  EXPECT_FALSE(ResponseMemory(loop_, "").is_kept());
}

}  // namespace
}  // namespace holdfast::quota
