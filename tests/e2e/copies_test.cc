// A session that was restored, forked, or exported and imported, goes on as the original would have: the upstream gets
// the same bytes.
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <fstream>
#include <sstream>

#include "tests/e2e/pair.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;

class Copies : public testing::Test {
 protected:
  Copies() {
    pair_.simulator().SetScript(json::serialize(
        json::value{{"answers",
                     {{{"when", {{"last_user_contains", "look"}, {"step", 0}}},
                       {"tool_calls", {{{"name", "shell"}, {"arguments", {{"command", "echo ran >> ran.txt"}}}}}}},
                      {{"when", {{"last_user_contains", "look"}, {"step", 1}}}, {"text", "Looked."}}}}}));
  }

  std::string Run(const std::vector<std::string>& arguments, int code = 0) {
    auto cli = pair_.Cli(arguments);
    EXPECT_EQ(cli->WaitForExit(), code) << cli->err();
    return code == 0 ? cli->out() : cli->err();
  }

  std::string FirstTurn() {
    auto exec = pair_.Exec("look around", {"--json"});
    EXPECT_EQ(exec->WaitForExit(), 0) << exec->err();
    return std::string(FirstOfType(JsonLines(exec->out()), "thread.started").at("thread_id").as_string());
  }

  // The hash of the body that the upstream gets for this turn.
  std::string BodyOfNextTurn(const std::string& session_id) {
    auto exec = pair_.Exec("go on", {"--session", session_id});
    EXPECT_EQ(exec->WaitForExit(), 0) << exec->err();
    return std::string(pair_.simulator().Requests().back().at("body_sha256").as_string());
  }

  static std::string Trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

  std::string CommandsRun() const {
    std::ostringstream text;
    text << std::ifstream(pair_.workspace() / "ran.txt").rdbuf();
    return text.str();
  }

  Pair pair_;
};

TEST_F(Copies, GoOnWithTheRequestThatTheOriginalSends) {
  const std::string id = FirstTurn();
  Run({"sessions", "snapshot", id, "base"});
  const auto file = pair_.workspace() / "session.jsonl";
  Run({"sessions", "export", id, file.string()});
  const std::string fork = Trimmed(Run({"sessions", "fork", id}));
  const std::string original = BodyOfNextTurn(id);

  EXPECT_EQ(BodyOfNextTurn(fork), original) << "forked";
  pair_.KillAgent();
  pair_.StartAgent();
  Run({"sessions", "restore", id, "base"});
  EXPECT_EQ(BodyOfNextTurn(id), original) << "restored";
  const std::string imported = Trimmed(Run({"sessions", "import", file.string()}));
  EXPECT_EQ(BodyOfNextTurn(imported), original) << "imported";
  EXPECT_EQ(CommandsRun(), "ran\n") << "a command ran again";

  // What was left can be restored in turn.
  const std::string words = Run({"sessions", "restore", id, "base", "--json"});
  const auto left_at = static_cast<int64_t>(Number(JsonLines(words).at(0), "left_at"));
  Run({"sessions", "restore", id, "--at", std::to_string(left_at)});
  EXPECT_NE(BodyOfNextTurn(id), original);
}

TEST_F(Copies, AFileThatWasChangedIsRefusedAndNothingIsMade) {
  const std::string id = FirstTurn();
  const std::string before = Run({"sessions", "list", "--json"});
  std::string text = Run({"sessions", "export", id, "-"});
  text.replace(text.find("Looked."), 7, "Broken.");
  const auto file = pair_.workspace() / "changed.jsonl";
  std::ofstream(file) << text;
  EXPECT_NE(Run({"sessions", "import", file.string()}, 1).find("does not match its check"), std::string::npos);
  EXPECT_EQ(Run({"sessions", "list", "--json"}), before);
}

TEST_F(Copies, AnExportReplacesAFileOnlyByForceAndNothingElse) {
  const std::string id = FirstTurn();
  const auto file = pair_.workspace() / "session.jsonl";
  std::ofstream(file) << "mine";
  EXPECT_NE(Run({"sessions", "export", id, file.string()}, 1).find("replace it with --force"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(file), 4u);
  Run({"sessions", "export", id, file.string(), "--force"});
  EXPECT_GT(std::filesystem::file_size(file), 1000u);
  const auto link = pair_.workspace() / "link";
  std::filesystem::create_symlink(file, link);
  EXPECT_NE(Run({"sessions", "export", id, link.string(), "--force"}, 1).find("is no file"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
}

TEST_F(Copies, WhatCannotBeWrittenIsSaidAndLeavesNoFile) {
  const std::string id = FirstTurn();
  const auto file = pair_.workspace() / "none" / "session.jsonl";
  EXPECT_NE(Run({"sessions", "export", id, file.string()}, 1).find("cannot make"), std::string::npos);
  const auto unknown = pair_.workspace() / "unknown.jsonl";
  EXPECT_NE(Run({"sessions", "export", "nosuchsession", unknown.string()}, 1).find("no session"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(unknown));
  for (const auto& entry : std::filesystem::directory_iterator(pair_.workspace()))
    EXPECT_EQ(entry.path().extension(), ".txt") << entry.path();
  EXPECT_NE(Run({"sessions", "restore", id}, 2).find("name a snapshot"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::test
