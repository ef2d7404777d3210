#include "quota_service/appraisal/appraisal.h"

#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

class AppraisalTest : public testing::Test {
 protected:
  Appraisal Of(std::string_view profile, int64_t asked_cap = 0, bool may_lower = false) {
    Appraisal::Terms terms{.key = {"up/m", "web/alice", false}, .asked_cap = asked_cap, .may_lower_cap = may_lower};
    terms.prompt.characters = 40'000;
    terms.prompt.shape.text = 9'000;
    terms.prompt.shape.images = images_;
    terms.prompt.shape.images_most = images_;
    terms.prompt.shape.images_guessed = images_guessed_;
    terms.context_window = window_;
    return Appraisal(estimator_, ProfileOf(profile), terms);
  }
  void LearnOutputs(int64_t output) {
    for (int i = 0; i < 40; ++i) Of("moonshot").Learn({.input = 9'000, .output = output}, false);
  }

  std::shared_ptr<Estimator> estimator_ = std::make_shared<Estimator>();
  int64_t images_ = 0;
  int64_t images_guessed_ = 0;
  int64_t window_ = 0;
};

TEST_F(AppraisalTest, AGateThatCountsCharactersTakesWhatItsRuleSays) {
  const Appraisal openai = Of("openai", 500);
  EXPECT_EQ(openai.charge(), 10'002);
  EXPECT_EQ(openai.output_cap(), 500);
  EXPECT_EQ(Of("openai").output_cap(), 0);
  EXPECT_EQ(Of("azure").output_cap(), 0);
}

TEST_F(AppraisalTest, ImagesAreChargedAsImages) {
  images_ = 765;
  EXPECT_EQ(Of("openai").charge(), 10'767);
  EXPECT_EQ(Of("zhipu").charge(), 0);
}

TEST_F(AppraisalTest, WhatImagesMayNotTakeIsSaidToBeAGuess) {
  images_ = 765;
  EXPECT_EQ(Of("openai").need().guessed, 0);
  images_guessed_ = 680;
  EXPECT_EQ(Of("openai").guessed(), 680);
  EXPECT_EQ(Of("openai").need().guessed, 680);
  EXPECT_EQ(Of("openai", 10'500).guessed(), 267) << "the cap is charged where that is more";
  EXPECT_EQ(Of("anthropic").need().guessed, 680);
  EXPECT_EQ(Of("moonshot").need().guessed, 680);
  EXPECT_EQ(Of("zhipu").need().guessed, 0);
}

TEST_F(AppraisalTest, AGateThatSettlesTakesTheExpectedInput) {
  const Appraisal anthropic = Of("anthropic", 1'000);
  EXPECT_EQ(anthropic.charge(), 9'000);
  EXPECT_EQ(anthropic.estimate().input_most, 10'800);
  EXPECT_EQ(anthropic.estimate().output_q90, 1'000);
}

TEST_F(AppraisalTest, WhereTheCapIsChargedForGoodAndNoneIsNamedOursIsSent) {
  EXPECT_EQ(Of("moonshot").output_cap(), 4'096);
  EXPECT_EQ(Of("moonshot").charge(), 9'000 + 4'096);
  LearnOutputs(2'000);
  EXPECT_EQ(Of("moonshot").output_cap(), 2'253);
  EXPECT_EQ(Of("moonshot").charge(), 9'000 + 2'253);
}

TEST_F(AppraisalTest, ACapThatTheCallerNamedIsLoweredOnlyWhereTheOperatorSaysSo) {
  LearnOutputs(2'000);
  EXPECT_EQ(Of("moonshot", 32'000).output_cap(), 32'000);
  EXPECT_EQ(Of("moonshot", 32'000, true).output_cap(), 2'253);
  EXPECT_EQ(Of("moonshot", 600, true).output_cap(), 600);
  EXPECT_EQ(Of("openai", 32'000, true).output_cap(), 10'002);  // free up to the input's charge
  EXPECT_EQ(Of("openai", 32'000, true).charge(), 10'002);
  EXPECT_EQ(Of("anthropic", 32'000, true).output_cap(), 32'000);  // charged by nobody
}

TEST_F(AppraisalTest, AnAnswerThatOurCapCutIsWorthMoreTwiceAtMost) {
  LearnOutputs(2'000);
  Appraisal call = Of("moonshot");
  const TokenUsage cut{.input = 9'000, .output = 2'253};
  EXPECT_TRUE(call.Raise(cut));
  EXPECT_EQ(call.output_cap(), 9'012);
  EXPECT_EQ(call.charge(), 9'000 + 9'012);
  EXPECT_FALSE(call.Raise(cut));  // it ended for another reason, such as the window
  EXPECT_TRUE(call.Raise(std::nullopt));
  EXPECT_EQ(call.output_cap(), 32'768);
  EXPECT_FALSE(call.Raise(std::nullopt));
}

TEST_F(AppraisalTest, WhereACutAnswerIsTheLastTheCapIsLoweredWithCare) {
  const auto passed_on = [&](int64_t asked_cap) {
    return Appraisal(estimator_, ProfileOf("moonshot"),
                     {.key = {"up/m"},
                      .prompt = {.characters = 40'000, .shape = {.text = 9'000}},
                      .asked_cap = asked_cap,
                      .may_lower_cap = true,
                      .may_name_cap = false,
                      .may_ask_again = false});
  };
  EXPECT_EQ(passed_on(0).output_cap(), 0) << "a cap that is not there is not named";
  for (int i = 0; i < 98; ++i) passed_on(32'000).Learn({.input = 9'000, .output = 900}, false);
  EXPECT_EQ(passed_on(32'000).output_cap(), 32'000);
  passed_on(32'000).Learn({.input = 9'000, .output = 900}, false);
  EXPECT_EQ(passed_on(32'000).output_cap(), 1'800);
  EXPECT_EQ(passed_on(32'000).charge(), 9'000 + 1'800);
  EXPECT_EQ(passed_on(600).output_cap(), 600);
  passed_on(32'000).Learn({.input = 9'000, .output = 1'800}, true);
  EXPECT_EQ(passed_on(32'000).output_cap(), 3'600) << "one that it has cut was longer";
}

TEST_F(AppraisalTest, TheCallersOwnCapIsNotRaised) {
  EXPECT_FALSE(Of("moonshot", 600).Raise(std::nullopt));
  EXPECT_FALSE(Of("openai").Raise(std::nullopt));
  Appraisal lowered = Of("moonshot", 5'000, true);
  EXPECT_TRUE(lowered.Raise(std::nullopt));
  EXPECT_EQ(lowered.output_cap(), 5'000);
  EXPECT_FALSE(lowered.Raise(std::nullopt));
}

TEST_F(AppraisalTest, OurCapLeavesThePromptItsRoomInTheWindow) {
  window_ = 12'000;
  EXPECT_EQ(Of("moonshot").output_cap(), 1'200);
}

TEST_F(AppraisalTest, WhatOurCapHasCutTeachesInputAlone) {
  Of("moonshot").Learn({.input = 9'900, .output = 4'096}, true);
  EXPECT_EQ(estimator_->For(RequestShape{.text = 1'000}, {"up/m", "web/alice", false}).input, 1'100);
  EXPECT_TRUE(estimator_->Answers({"up/m", "web/alice", false}, 1).own.empty());
  EXPECT_TRUE(estimator_->Answers({"up/m", "web/alice", false}, 1).alike.empty());
  Of("moonshot").Learn({.input = 9'900, .output = 700}, false);
  EXPECT_EQ(estimator_->Answers({"up/m", "web/alice", false}, 1).own.size(), 1U);
}

TEST_F(AppraisalTest, AGateThatCountsInputAndCapTakesWhatTheInputIsLearntToBe) {
  for (int i = 0; i < 40; ++i) Of("moonshot").Learn({.input = 12'000, .output = 100}, false);
  const Appraisal moonshot = Of("moonshot", 500);
  EXPECT_EQ(moonshot.charge(), 12'000 + 500);
  EXPECT_EQ(moonshot.need().charge, (Tokens{12'500, 12'500, 0}));
  EXPECT_EQ(moonshot.need().most.input, moonshot.estimate().input_most + 500);
  EXPECT_EQ(moonshot.need().most.output, 0);
  EXPECT_EQ(Of("azure", 500).charge(), 10'002 + 500) << "that one counts characters";
}

TEST_F(AppraisalTest, TheInputOfSuchAGateIsCorrectedByTheAnswersCountAndItsCapStays) {
  const Appraisal moonshot = Of("moonshot", 500);
  EXPECT_EQ(moonshot.Settled({.input = 9'700, .cached_input = 9'000, .output = 20}), (Tokens{10'200, 10'200, 0}));
  EXPECT_EQ(moonshot.Settled({.output = 20}), std::nullopt) << "the answer does not tell";
  EXPECT_EQ(Of("azure", 500).Settled({.input = 9'700, .output = 20}), std::nullopt);
}

TEST(AppraisalNeed, StaysTheChargeWhereTheGateDoesNotSettle) {
  Appraisal::Terms terms;
  terms.prompt.characters = 4000;
  const Appraisal appraisal(std::make_shared<Estimator>(), ProfileOf("openai"), terms);
  EXPECT_EQ(appraisal.need().charge.total, 1002);
  EXPECT_EQ(appraisal.need().most, appraisal.need().charge);
  EXPECT_EQ(appraisal.Settled({.input = 10, .output = 5}), std::nullopt);
}

TEST(AppraisalNeed, HasRoomForTheAnswerWhereItDoesAndSettlesToWhatWasNotCached) {
  Appraisal::Terms terms;
  terms.prompt.characters = 4000;
  terms.prompt.shape.text = 1000;
  const Appraisal appraisal(std::make_shared<Estimator>(), ProfileOf("anthropic"), terms);
  const Need need = appraisal.need();
  EXPECT_EQ(need.charge.output, 0);
  EXPECT_GT(need.most.output, 0);
  EXPECT_GE(need.most.input, need.charge.input);
  EXPECT_EQ(appraisal.Settled({.input = 1000, .cached_input = 900, .output = 50}), (Tokens{150, 100, 50}));
}

}  // namespace
}  // namespace holdfast::quota
