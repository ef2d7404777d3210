#include "clients/cli/commands/instructions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class WorkspaceRules : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "holdfast-rules-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    std::filesystem::create_directory(root_ / "workspace");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string workspace() const { return (root_ / "workspace").string(); }
  void Write(const std::filesystem::path& path, const std::string& text) { std::ofstream(root_ / path) << text; }

  std::filesystem::path root_;
};

TEST_F(WorkspaceRules, AreRead) {
  Write("workspace/AGENTS.md", "Use tabs.\n");
  EXPECT_EQ(ReadWorkspaceRules(workspace()), "Use tabs.\n");
}

TEST_F(WorkspaceRules, MayBeAbsent) { EXPECT_EQ(ReadWorkspaceRules(workspace()), std::nullopt); }

TEST_F(WorkspaceRules, AreCutAtTheirBound) {
  Write("workspace/AGENTS.md", "a" + std::string(kMaxWorkspaceRules, 'x') + "tail");
  EXPECT_EQ(ReadWorkspaceRules(workspace())->size(), kMaxWorkspaceRules);
}

TEST_F(WorkspaceRules, AreRepairedAndStayWithinTheirBound) {
  Write("workspace/AGENTS.md", std::string(kMaxWorkspaceRules, '\xff'));
  const auto rules = ReadWorkspaceRules(workspace());
  EXPECT_TRUE(IsValidUtf8(*rules));
  EXPECT_LE(rules->size(), kMaxWorkspaceRules);
}

TEST_F(WorkspaceRules, ALinkThatLeadsOutIsNotFollowed) {
  Write("secret", "key");
  std::filesystem::create_symlink(root_ / "secret", root_ / "workspace/AGENTS.md");
  EXPECT_EQ(ReadWorkspaceRules(workspace()), std::nullopt);
}

TEST_F(WorkspaceRules, ALinkInsideTheWorkspaceIsFollowed) {
  Write("workspace/CLAUDE.md", "Rules.");
  std::filesystem::create_symlink("CLAUDE.md", root_ / "workspace/AGENTS.md");
  EXPECT_EQ(ReadWorkspaceRules(workspace()), "Rules.");
}

TEST_F(WorkspaceRules, APipeDoesNotHang) {
  ASSERT_EQ(mkfifo((root_ / "workspace/AGENTS.md").c_str(), 0600), 0);
  EXPECT_EQ(ReadWorkspaceRules(workspace()), std::nullopt);
}

TEST(Instructions, SayWhereTheAgentIsAndWhatIsApproved) {
  const std::string text = BuildInstructions("auto-edit", "Use tabs.", "/src/app", "Linux x86_64");
  EXPECT_THAT(text, HasSubstr("working directory: /src/app"));
  EXPECT_THAT(text, HasSubstr("operating system: Linux x86_64"));
  EXPECT_THAT(text, HasSubstr("Use tabs."));
  EXPECT_THAT(text, HasSubstr("Auto-edit:"));
  EXPECT_THAT(text, HasSubstr("*** Begin Patch"));
}

TEST(Instructions, TheSameArgumentsGiveTheSameBytes) {
  EXPECT_EQ(BuildInstructions("ask", std::nullopt, "/w", "L"), BuildInstructions("ask", std::nullopt, "/w", "L"));
  EXPECT_THAT(BuildInstructions("ask", std::nullopt, "/w", "L"), Not(HasSubstr("AGENTS.md)")));
}

TEST(Instructions, AreValidUtf8WhateverThePathIs) {
  EXPECT_TRUE(IsValidUtf8(BuildInstructions("full", std::nullopt, "/w/\xff", "L")));
}

}  // namespace
}  // namespace holdfast::cli
