#include "clients/cli/commands/approval_prompt.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

using Kind = ApprovalAnswer::Kind;

TEST(ApprovalAnswer, TakesLettersAndWords) {
  EXPECT_EQ(ParseApprovalAnswer("y")->kind, Kind::kOnce);
  EXPECT_EQ(ParseApprovalAnswer(" yes ")->kind, Kind::kOnce);
  EXPECT_EQ(ParseApprovalAnswer("a")->kind, Kind::kForSession);
  EXPECT_EQ(ParseApprovalAnswer("always")->kind, Kind::kForSession);
  EXPECT_EQ(ParseApprovalAnswer("n")->kind, Kind::kDeny);
}

TEST(ApprovalAnswer, ARefusalMayGiveItsReason) {
  EXPECT_EQ(ParseApprovalAnswer("n: use the linter")->reason, "use the linter");
  EXPECT_EQ(ParseApprovalAnswer("no use the linter")->reason, "use the linter");
  EXPECT_EQ(ParseApprovalAnswer("n")->reason, "");
}

TEST(ApprovalAnswer, NothingElseIsAnAnswer) {
  for (const char* line : {"", "maybe", "yes but not that", "yn", "ab", "\n"}) {
    EXPECT_FALSE(ParseApprovalAnswer(line)) << line;
  }
}

TEST(ApprovalQuestion, ShowsTheCommandAndItsFolder) {
  ApprovalQuestion question;
  question.tool = "shell";
  question.command = "make test";
  question.folder = "src";
  EXPECT_EQ(QuestionText(question), "The agent wants to run, in src:\n  make test");
}

TEST(ApprovalQuestion, ShowsThePatch) {
  ApprovalQuestion question;
  question.effect = Effect::kPatch;
  question.files = {"a.cc", "b.cc"};
  question.diff = "-old\n+new";
  EXPECT_EQ(QuestionText(question), "The agent wants to change a.cc, b.cc:\n-old\n+new");
}

}  // namespace
}  // namespace holdfast::cli
