#include "clients/cli/tools/approval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/clients/cli/tools/calls.h"

namespace holdfast::cli {
namespace {

using testing::HasSubstr;
using Kind = Decision::Kind;

ToolRequest Request(const quota::v1::ToolCall& call) { return *ParseToolCall(call); }

const ToolRequest& Read() {
  static const ToolRequest request = Request(Call("1", "read_file", {{"path", "a"}}));
  return request;
}
const ToolRequest& SafeCommand() {
  static const ToolRequest request = Request(ShellCall("1", "ls"));
  return request;
}
const ToolRequest& Command() {
  static const ToolRequest request = Request(ShellCall("1", "make"));
  return request;
}
const ToolRequest& PatchRequest() {
  static const ToolRequest request = Request(PatchCall("1", "*** Delete File: a\n"));
  return request;
}

struct Row {
  ApprovalMode mode;
  bool interactive;
  Kind read, safe, patch, command;
};

class ApprovalTable : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(
    All, ApprovalTable,
    testing::Values(Row{ApprovalMode::kReadOnly, true, Kind::kRun, Kind::kRun, Kind::kDeny, Kind::kDeny},
                    Row{ApprovalMode::kReadOnly, false, Kind::kRun, Kind::kRun, Kind::kDeny, Kind::kDeny},
                    Row{ApprovalMode::kAsk, true, Kind::kRun, Kind::kRun, Kind::kAsk, Kind::kAsk},
                    Row{ApprovalMode::kAsk, false, Kind::kRun, Kind::kRun, Kind::kDeny, Kind::kDeny},
                    Row{ApprovalMode::kAutoEdit, true, Kind::kRun, Kind::kRun, Kind::kRun, Kind::kAsk},
                    Row{ApprovalMode::kAutoEdit, false, Kind::kRun, Kind::kRun, Kind::kRun, Kind::kDeny},
                    Row{ApprovalMode::kFull, true, Kind::kRun, Kind::kRun, Kind::kRun, Kind::kRun},
                    Row{ApprovalMode::kFull, false, Kind::kRun, Kind::kRun, Kind::kRun, Kind::kRun}));

TEST_P(ApprovalTable, DecidesByModeEffectAndTerminal) {
  const Row& row = GetParam();
  const RememberedApprovals none;
  EXPECT_EQ(Decide(row.mode, Read(), row.interactive, none).kind, row.read);
  EXPECT_EQ(Decide(row.mode, SafeCommand(), row.interactive, none).kind, row.safe);
  EXPECT_EQ(Decide(row.mode, PatchRequest(), row.interactive, none).kind, row.patch);
  EXPECT_EQ(Decide(row.mode, Command(), row.interactive, none).kind, row.command);
}

TEST(Approval, TellsTheModelWhyItDenies) {
  EXPECT_THAT(Decide(ApprovalMode::kReadOnly, Command(), true, {}).reason, HasSubstr("read-only"));
  EXPECT_THAT(Decide(ApprovalMode::kAsk, PatchRequest(), false, {}).reason, HasSubstr("--approve auto-edit"));
  EXPECT_THAT(Decide(ApprovalMode::kAutoEdit, Command(), false, {}).reason, HasSubstr("--approve full"));
}

TEST(Approval, RemembersTheExactCommandAndPatchesAsSuch) {
  RememberedApprovals remembered;
  remembered.Remember(Command());
  EXPECT_EQ(Decide(ApprovalMode::kAsk, Command(), true, remembered).kind, Kind::kRun);
  EXPECT_EQ(Decide(ApprovalMode::kAsk, Request(ShellCall("2", "make install")), true, remembered).kind, Kind::kAsk);
  EXPECT_EQ(
      Decide(ApprovalMode::kAsk, Request(Call("2", "shell", {{"command", "make"}, {"cwd", "sub"}})), true, remembered)
          .kind,
      Kind::kAsk);
  EXPECT_EQ(Decide(ApprovalMode::kAsk, PatchRequest(), true, remembered).kind, Kind::kAsk);
  remembered.Remember(PatchRequest());
  EXPECT_EQ(Decide(ApprovalMode::kAsk, PatchRequest(), true, remembered).kind, Kind::kRun);
  EXPECT_EQ(Decide(ApprovalMode::kReadOnly, PatchRequest(), true, remembered).kind, Kind::kDeny);
}

TEST(Approval, AsksInTextThatIsSafeForATerminal) {
  const ApprovalQuestion question = MakeQuestion("id", Request(ShellCall("1", "echo \x1b[2K\nrm x")));
  EXPECT_EQ(question.command, "echo \\x1b[2K\nrm x");
  EXPECT_EQ(question.effect, Effect::kCommand);
  EXPECT_EQ(MakeQuestion("id", PatchRequest()).files, std::vector<std::string>{"a"});
}

TEST(Approval, ReadsModesByName) {
  for (const std::string name : {"read-only", "ask", "auto-edit", "full"})
    EXPECT_EQ(ToString(*ParseApprovalMode(name)), name);
  EXPECT_FALSE(ParseApprovalMode("Full").ok());
  EXPECT_FALSE(ParseApprovalMode("").ok());
}

}  // namespace
}  // namespace holdfast::cli
