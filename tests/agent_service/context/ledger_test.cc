#include "agent_service/context/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr size_t kMuch = 1 << 20;

TEST(Ledger, ReadsTheObjectHoweverTheModelWrapsIt) {
  for (
      const std::string& text :
      {std::string(
           R"({"goal":"g","done":["a"],"in_progress":["b"],"next":["c"],"files":[{"path":"p","note":"n"}],"rules":["r"]})"),
       std::string("Here it is:\n```json\n{\"goal\":\"g\",\"done\":[\"a\"],\"in_progress\":[\"b\"],\"next\":[\"c\"],"
                   "\"files\":[{\"path\":\"p\",\"note\":\"n\"}],\"rules\":[\"r\"]}\n```\n")}) {
    const LedgerAnswer answer = ParseLedgerAnswer(text);
    EXPECT_EQ(answer.ledger.goal(), "g");
    EXPECT_THAT(answer.ledger.done(), ElementsAre("a"));
    EXPECT_THAT(answer.ledger.in_progress(), ElementsAre("b"));
    EXPECT_THAT(answer.ledger.next(), ElementsAre("c"));
    EXPECT_EQ(answer.ledger.files(0).path(), "p");
    EXPECT_THAT(answer.quotes, ElementsAre("r"));
    EXPECT_THAT(answer.ledger.rules(), IsEmpty());
  }
}

TEST(Ledger, WhatIsNoObjectBecomesNotesAndLosesNothing) {
  v1::Ledger before;
  before.set_goal("g");
  before.add_done("a");
  before.add_rules("r");
  for (const std::string& text : {std::string("We did much."), std::string("{not json}"), std::string("[1,2]")}) {
    const v1::Ledger next = NextLedger(before, ParseLedgerAnswer(text), {}, kMuch);
    EXPECT_EQ(next.goal(), "g");
    EXPECT_THAT(next.done(), ElementsAre("a"));
    EXPECT_THAT(next.rules(), ElementsAre("r"));
    EXPECT_EQ(next.notes(), text);
  }
}

TEST(Ledger, WhatTheUserSaysShortlyStaysWordForWordWhateverTheModelMakesOfIt) {
  const LedgerAnswer answer = ParseLedgerAnswer(R"({"goal":"g","rules":["Use tabs, mostly."]})");
  const v1::Ledger next = NextLedger({}, answer, {"Use tabs.\nNever commit."}, kMuch);
  EXPECT_THAT(next.rules(), ElementsAre("Use tabs.\nNever commit."));
}

TEST(Ledger, OfALongTextThePassagesThatAreReallyThereStay) {
  const std::string text = std::string(3000, 'x') + " Never commit. " + std::string(3000, 'y');
  const LedgerAnswer answer = ParseLedgerAnswer(R"({"goal":"g","rules":["Never commit.","Always commit."]})");
  EXPECT_THAT(NextLedger({}, answer, {text}, kMuch).rules(), ElementsAre("Never commit."));
  // Without a quote its beginning does.
  EXPECT_THAT(NextLedger({}, ParseLedgerAnswer(R"({"goal":"g"})"), {text}, kMuch).rules(),
              ElementsAre(std::string(1000, 'x')));
}

TEST(Ledger, RulesAreKeptOnceAndInOrder) {
  v1::Ledger before;
  before.add_rules("one");
  const v1::Ledger next = NextLedger(before, ParseLedgerAnswer(R"({"goal":"g"})"), {"two", "one", "two"}, kMuch);
  EXPECT_THAT(next.rules(), ElementsAre("one", "two"));
}

TEST(Ledger, WhereRulesAreTooManyTheFirstAndTheNewestStayAndTheRestIsCounted) {
  std::vector<std::string> texts;
  for (int i = 0; i < 20; ++i) texts.push_back("rule number " + std::to_string(100 + i));
  const v1::Ledger next = NextLedger({}, ParseLedgerAnswer(R"({"goal":"g"})"), texts, 80);
  EXPECT_EQ(next.rules(0), texts.front());
  EXPECT_EQ(next.rules(next.rules_size() - 1), texts.back());
  EXPECT_EQ(next.rules_size() + next.rules_left_out(), 20);
  EXPECT_THAT(RenderLedger(next), HasSubstr("more were left out"));
}

TEST(Ledger, HostileAnswersAreBounded) {
  std::string many = R"({"goal":7,"done":[)";
  for (int i = 0; i < 5000; ++i) many += "\"" + std::string(2000, 'd') + "\",";
  many += R"({}],"next":"no list","files":[1,{"note":"x"}],"rules":[[[]]]})";
  const v1::Ledger next = NextLedger({}, ParseLedgerAnswer(many), {}, kMuch);
  EXPECT_LE(next.done_size(), 200);
  EXPECT_LE(RenderLedger(next).size(), 300'000u);
}

}  // namespace
}  // namespace holdfast::agent
