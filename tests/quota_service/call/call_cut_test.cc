#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>

#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A provider that charges the output cap for good: ours is sent where the caller named none, and an answer that it cuts
// is not the last word.
class CallCut : public testing::Test {
 protected:
  std::shared_ptr<Appraisal> Sized(int64_t asked_cap = 0) {
    return std::make_shared<Appraisal>(
        estimator_, ProfileOf("moonshot"),
        Appraisal::Terms{.key = {.model = "acme/gpt"}, .prompt = {.characters = 400}, .asked_cap = asked_cap});
  }
  TestCall::Ask Asking(std::shared_ptr<Appraisal> appraisal) { return {.appraisal = std::move(appraisal)}; }

  static Script Answer(std::string_view text, std::string_view finish_reason, std::optional<int64_t> output) {
    std::string stream = fmt::format(
        "data: "
        "{{\"id\":\"r\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}},\"finish_reason\":null}}]}}\n\n"
        "data: {{\"id\":\"r\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{}\"}}]}}\n\n",
        text, finish_reason);
    if (output) {
      stream += fmt::format("data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":90,\"completion_tokens\":{}}}}}\n\n",
                            *output);
    }
    return Script::Stream().Body(stream + "data: [DONE]\n\n").End();
  }

  std::vector<std::string> BodiesWith(std::string_view field) const {
    std::vector<std::string> found;
    for (const auto& seen : rig_.upstream.seen()) {
      const size_t at = seen.request.body.find(field);
      found.push_back(at == std::string::npos ? ""
                                              : seen.request.body.substr(at, seen.request.body.find(',', at) - at));
    }
    return found;
  }

  std::shared_ptr<Estimator> estimator_ = std::make_shared<Estimator>();
  CallRig rig_;
};

TEST_F(CallCut, IsAskedForAgainWithALargerCap) {
  rig_.upstream.Push(Answer("hel", "length", 4096));
  rig_.upstream.Push(Answer("hello", "stop", 5000));
  TestCall test(rig_, Wire::kTypedChat, Asking(Sized()));
  test.Start();
  rig_.loop.Advance(minutes(10));
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(test.Text(), "hello") << "and nothing of what is void";
  EXPECT_THAT(test.spy->restarts, ElementsAre(HasSubstr("an output cap that its caller had not asked for")));
  EXPECT_THAT(BodiesWith("\"max_tokens\""), ElementsAre("\"max_tokens\":4096", "\"max_tokens\":16384"));
  EXPECT_EQ(test.spy->outcomes[0].attempts, 2);
  EXPECT_THAT(rig_.observer.wasted, SizeIs(1)) << "what was made in vain is counted";
  EXPECT_EQ(rig_.State().in_flight, 0u);
  EXPECT_THAT(estimator_->Answers({.model = "acme/gpt"}, 1).alike, ElementsAre(5000))
      << "the next call's cap is sized by it";
}

TEST_F(CallCut, IsTheAnswerAfterTwoRaises) {
  for (int i = 0; i < 4; ++i) rig_.upstream.Push(Answer("hel", "length", std::nullopt));
  TestCall test(rig_, Wire::kTypedChat, Asking(Sized()));
  test.Start();
  rig_.loop.Advance(minutes(10));
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(test.Text(), "hel");
  EXPECT_THAT(BodiesWith("\"max_tokens\""),
              ElementsAre("\"max_tokens\":4096", "\"max_tokens\":16384", "\"max_tokens\":32768"));
}

TEST_F(CallCut, IsTheAnswerWhereTheCallerNamedTheCap) {
  rig_.upstream.Push(Answer("hel", "length", 600));
  TestCall test(rig_, Wire::kTypedChat, Asking(Sized(600)));
  test.Start();
  rig_.loop.Advance(minutes(10));
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(test.Text(), "hel");
  EXPECT_THAT(rig_.upstream.seen(), SizeIs(1));
}

TEST_F(CallCut, IsTheAnswerWhereSomethingElseCutIt) {
  rig_.upstream.Push(Answer("hel", "length", 700));
  TestCall test(rig_, Wire::kTypedChat, Asking(Sized()));
  test.Start();
  rig_.loop.Advance(minutes(10));
  ASSERT_TRUE(test.completed());
  EXPECT_THAT(rig_.upstream.seen(), SizeIs(1));
}

TEST_F(CallCut, IsBetterThanNoneWhereALargerOneWouldWaitTooLong) {
  rig_.Learn(20'000, 20'000);
  rig_.upstream.Push(Answer("hel", "length", 4096));
  TestCall::Ask ask = Asking(Sized());
  ask.max_wait = milliseconds(500);
  TestCall test(rig_, Wire::kTypedChat, ask);
  test.Start();
  rig_.loop.Advance(minutes(10));
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(test.Text(), "hel");
  EXPECT_THAT(test.spy->restarts, IsEmpty());
  EXPECT_THAT(rig_.State().queued, 0u);
}

TEST_F(CallCut, IsBetterThanNoneWhereALargerOneCanNeverFit) {
  rig_.Learn(10'000, 10'000);
  rig_.upstream.Push(Answer("hel", "length", 4096));
  TestCall test(rig_, Wire::kTypedChat, Asking(Sized()));
  test.Start();
  rig_.loop.Advance(minutes(10));
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(test.Text(), "hel");
  EXPECT_THAT(rig_.upstream.seen(), SizeIs(2)) << "the teacher's and this one";
}

TEST_F(CallCut, IsNobodysWhenTheCallerCancels) {
  rig_.Learn(20'000, 20'000);
  rig_.upstream.Push(Answer("hel", "length", 4096));
  TestCall test(rig_, Wire::kTypedChat, Asking(Sized()));
  test.Start();
  rig_.loop.Advance(milliseconds(10));
  ASSERT_TRUE(test.call->waiting());
  test.call->Cancel("the user asked for it");
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kCancelled);
  EXPECT_THAT(rig_.State().queued, 0u);
}

}  // namespace
}  // namespace holdfast::quota
