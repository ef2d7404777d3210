#include "quota_service/call/registry.h"

#include <gmock/gmock.h>

#include <chrono>

#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using CallRegistry = Registry<TypedExchange>;

// What a test of the registry asks for.
struct Wanted {
  std::string call_id = "call-1";
  std::string digest = "digest";
  std::string tenant = "default";
  size_t request_bytes = 0;
};

// Reads a call as a stream does: holds the exchange while it is attached.
class Reader final : public EventReader {
 public:
  Reader(CallRegistry& registry, Wanted wanted, std::shared_ptr<TypedExchange> attached)
      : exchange(std::move(attached)), registry_(registry), wanted_(std::move(wanted)) {
    exchange->SetReader(this);
  }
  ~Reader() override {
    if (exchange->reader() == this) exchange->SetReader(nullptr);
    registry_.Detach(wanted_.tenant, wanted_.call_id, exchange.get());
  }
  void OnProgress() override {
    ++progress;
    if (on_progress) on_progress();
  }
  void OnReplaced() override { replaced = true; }

  std::vector<v1::GenerateEvent> Events() const {
    std::vector<v1::GenerateEvent> events;
    int64_t cursor = 0;
    while (const v1::GenerateEvent* event = exchange->history().After(cursor)) {
      events.push_back(*event);
      cursor = event->event();
    }
    return events;
  }
  bool completed() const { return exchange->end() != nullptr && exchange->end()->completed; }
  bool failed() const { return exchange->end() != nullptr && !exchange->end()->completed; }

  std::shared_ptr<TypedExchange> exchange;
  int progress = 0;
  bool replaced = false;
  std::function<void()> on_progress;

 private:
  CallRegistry& registry_;
  Wanted wanted_;
};

class RegistryTest : public testing::Test {
 protected:
  explicit RegistryTest(RegistryBounds bounds = {})
      : registry_(std::make_unique<CallRegistry>(rig_.services(), bounds)) {}

  absl::StatusOr<std::shared_ptr<TypedExchange>> TryAttach(const Wanted& wanted) {
    Envelope envelope = MakeEnvelope(rig_.account, {.call_id = wanted.call_id});
    envelope.tenant = wanted.tenant;
    envelope.digest = wanted.digest;
    return registry_->Attach(std::move(envelope), [&] {
      v1::GenerateRequest request = MakeRequest();
      request.set_instructions(std::string(wanted.request_bytes, 'x'));
      return std::make_shared<TypedExchange>(std::move(request), *FindDialect("responses"),
                                             "incarnation-" + std::to_string(++made_));
    });
  }
  std::unique_ptr<Reader> Attach(const Wanted& wanted = {}) {
    return std::make_unique<Reader>(*registry_, wanted, *TryAttach(wanted));
  }
  // Runs it to its end and lets go of it.
  void Complete(const Wanted& wanted, const std::string& text = "hello") {
    rig_.upstream.Push(Script::Stream().Body(stream_.Answer(text)).End());
    const auto reader = Attach(wanted);
    rig_.loop.Advance(seconds(0));
    ASSERT_TRUE(reader->completed());
  }
  size_t requests() const { return rig_.upstream.seen().size(); }

  StreamText stream_{Wire::kTypedResponses};
  CallRig rig_;
  int made_ = 0;
  std::unique_ptr<CallRegistry> registry_;
};

TEST_F(RegistryTest, StartsACallOnceHoweverManyAttach) {
  rig_.upstream.Push(Script::Stream().After(seconds(5)).Body(stream_.Answer("hello")).End());
  const auto first = Attach();
  rig_.loop.Advance(seconds(1));
  const auto second = Attach();
  EXPECT_EQ(first->exchange, second->exchange);
  EXPECT_TRUE(first->replaced);
  EXPECT_FALSE(second->replaced);
  EXPECT_EQ(registry_->running(), 1u);
  rig_.loop.Advance(seconds(5));
  EXPECT_TRUE(second->completed());
  EXPECT_EQ(requests(), 1u);
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(registry_->running(), 0u);
}

TEST_F(RegistryTest, RefusesAnotherRequestUnderTheSameKey) {
  rig_.upstream.Push(Script());
  const auto first = Attach();
  const auto refused = TryAttach({.digest = "another"});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("call-1"));
  EXPECT_FALSE(first->replaced);
}

TEST_F(RegistryTest, RefusesAnotherRequestUnderTheKeyOfACompletedCallToo) {
  Complete({});
  EXPECT_EQ(TryAttach({.digest = "another"}).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(RegistryTest, KeepsTheCallsOfTenantsApart) {
  rig_.Learn(200'000, 200'000);
  rig_.upstream.set_otherwise([this] { return Script::Stream().Body(stream_.Answer("hello")).End(); });
  const auto mine = Attach({.digest = "mine"});
  const auto theirs = Attach({.digest = "theirs", .tenant = "other"});
  EXPECT_NE(mine->exchange, theirs->exchange);
  EXPECT_FALSE(registry_->Cancel("third", "call-1"));
  rig_.loop.Advance(seconds(0));
  EXPECT_TRUE(mine->completed());
  EXPECT_TRUE(theirs->completed());
}

TEST_F(RegistryTest, ReplaysACompletedCallWithoutAskingTheUpstreamAgain) {
  Complete({}, "the answer");
  const auto again = Attach();
  EXPECT_TRUE(again->completed());
  const auto events = again->Events();
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_TRUE(events[0].has_admitted());
  EXPECT_EQ(events[1].item().message().parts(0).text(), "the answer");
  EXPECT_TRUE(events[2].has_completed());
  rig_.loop.Advance(hours(24));
  EXPECT_EQ(requests(), 1u);
}

TEST_F(RegistryTest, ForgetsAFailedCallSoThatItMayBeBegunAnew) {
  rig_.upstream.Push(Script::Answer(400, ""));
  rig_.upstream.Push(Script::Stream().Body(stream_.Answer("hello")).End());
  const auto failed = Attach();
  rig_.loop.Advance(seconds(0));
  ASSERT_TRUE(failed->failed());
  const auto again = Attach({.digest = "another"});
  rig_.loop.Advance(seconds(0));
  EXPECT_TRUE(again->completed());
  EXPECT_TRUE(failed->failed()) << "its reader may still look at it";
}

TEST_F(RegistryTest, ACallRunsOnForAMinuteWithoutAReader) {
  rig_.upstream.Push(Script::Stream().Body(stream_.Started()).After(seconds(59)).Body(stream_.Answer("hello")).End());
  Attach().reset();
  rig_.loop.Advance(seconds(59));
  EXPECT_EQ(registry_->running(), 0u);
  const auto reader = Attach();
  EXPECT_TRUE(reader->completed());
  EXPECT_EQ(requests(), 1u);
}

TEST_F(RegistryTest, ACallThatNobodyReadsForAMinuteIsCancelled) {
  rig_.account.stall_timeout = hours(1);
  rig_.upstream.Push(Script());
  auto reader = Attach();
  const std::shared_ptr<TypedExchange> exchange = reader->exchange;
  rig_.loop.Advance(seconds(10));
  reader.reset();
  rig_.loop.Advance(milliseconds(59'999));
  EXPECT_EQ(rig_.upstream.open(), 1u);
  rig_.loop.Advance(milliseconds(1));
  EXPECT_EQ(rig_.upstream.open(), 0u);
  ASSERT_NE(exchange->end(), nullptr);
  EXPECT_EQ(exchange->end()->failure.kind, CallFailure::Kind::kCancelled);
  EXPECT_EQ(registry_->running(), 0u);
  EXPECT_EQ(rig_.State().in_flight, 0u);
}

TEST_F(RegistryTest, AReaderWhoComesBackWithinTheMinuteKeepsTheCallForAsLongAsItStays) {
  rig_.account.stall_timeout = hours(1);
  rig_.upstream.Push(Script());
  Attach().reset();
  rig_.loop.Advance(seconds(59));
  auto back = Attach();
  rig_.loop.Advance(seconds(600));
  EXPECT_EQ(rig_.upstream.open(), 1u);
  back.reset();
  rig_.loop.Advance(seconds(59));
  EXPECT_EQ(rig_.upstream.open(), 1u) << "the minute begins anew";
  rig_.loop.Advance(seconds(1));
  EXPECT_EQ(rig_.upstream.open(), 0u);
}

TEST_F(RegistryTest, OneOfTwoReadersGoneLeavesTheCallAlone) {
  rig_.account.stall_timeout = hours(1);
  rig_.upstream.Push(Script());
  auto first = Attach();
  const auto second = Attach();
  first.reset();
  rig_.loop.Advance(seconds(300));
  EXPECT_EQ(rig_.upstream.open(), 1u);
  EXPECT_EQ(second->exchange->reader(), second.get());
}

TEST_F(RegistryTest, AStreamOfAForgottenCallDoesNotDetachFromTheNewOneOfItsKey) {
  rig_.account.stall_timeout = hours(1);
  rig_.upstream.Push(Script::Answer(400, ""));
  rig_.upstream.Push(Script());
  auto old = Attach();
  rig_.loop.Advance(seconds(0));
  ASSERT_TRUE(old->failed());
  const auto current = Attach();
  old.reset();
  rig_.loop.Advance(seconds(300));
  EXPECT_EQ(rig_.upstream.open(), 1u);
  EXPECT_EQ(current->exchange->end(), nullptr);
}

TEST_F(RegistryTest, CancelEndsARunningCallAndForgetsIt) {
  rig_.upstream.Push(Script());
  const auto reader = Attach();
  rig_.loop.Advance(seconds(1));
  EXPECT_TRUE(registry_->Cancel("default", "call-1"));
  EXPECT_EQ(rig_.upstream.open(), 0u);
  ASSERT_TRUE(reader->failed());
  EXPECT_FALSE(registry_->Cancel("default", "call-1"));
  EXPECT_FALSE(registry_->Cancel("default", "unknown"));
}

TEST_F(RegistryTest, CancelDoesNothingToACompletedCall) {
  Complete({});
  EXPECT_FALSE(registry_->Cancel("default", "call-1"));
  EXPECT_TRUE(Attach()->completed());
}

TEST_F(RegistryTest, AReaderMayGoOrComeBackInsideItsCallback) {
  rig_.upstream.Push(Script::Answer(400, ""));
  rig_.upstream.Push(Script::Stream().Body(stream_.Answer("hello")).End());
  auto reader = Attach();
  std::unique_ptr<Reader> next;
  reader->on_progress = [&] {
    if (reader->failed()) rig_.loop.Post([&] { next = Attach(); });
  };
  rig_.loop.Advance(seconds(0));
  ASSERT_NE(next, nullptr);
  EXPECT_TRUE(next->completed());
}

TEST_F(RegistryTest, MayBeDestroyedWhileACallRuns) {
  rig_.upstream.Push(Script::Stream().Body(stream_.Started() + stream_.Delta("hel")));
  const std::shared_ptr<TypedExchange> exchange = *TryAttach({});
  rig_.loop.Advance(seconds(1));
  registry_.reset();
  EXPECT_EQ(rig_.upstream.open(), 0u);
  EXPECT_EQ(rig_.State().in_flight, 0u);
  EXPECT_EQ(exchange->end(), nullptr);
}

TEST_F(RegistryTest, MayBeDestroyedBeforeWhatItPostedHasRun) {
  struct Destroyer final : EventReader {
    void OnProgress() override { on_progress(); }
    void OnReplaced() override {}
    std::function<void()> on_progress;
  } destroyer;
  rig_.upstream.Push(Script::Stream().Body(stream_.Answer("hello")).End());
  const std::shared_ptr<TypedExchange> exchange = *TryAttach({});
  destroyer.on_progress = [&] {
    // The registry hears of the end after its reader, so this comes before what it posts.
    if (exchange->end() != nullptr) rig_.loop.Post([&] { registry_.reset(); });
  };
  exchange->SetReader(&destroyer);
  rig_.loop.Advance(seconds(10));
  EXPECT_EQ(registry_, nullptr);
  EXPECT_TRUE(exchange->end()->completed);
}

// The process goes away: what waits is not to be sent in it, what runs is to be finished.
TEST_F(RegistryTest, CancelsTheCallsThatWaitAndNoOther) {
  rig_.upstream.Push(Script::Stream().Body(stream_.Started()).After(seconds(5)).Body(stream_.Finish("hello")).End());
  const auto running = Attach({.call_id = "running"});
  rig_.loop.Advance(seconds(0));
  rig_.upstream.Push(Script::Answer(503, "", {{"retry-after", "60"}}));
  const auto backing_off = Attach({.call_id = "backing off"});
  rig_.loop.Advance(seconds(1));
  rig_.upstream.Push(Script::Answer(429, "", {{"retry-after", "60"}}));
  const auto refused = Attach({.call_id = "refused"});
  rig_.loop.Advance(seconds(1));
  const auto queued = Attach({.call_id = "queued"});
  rig_.loop.Advance(seconds(1));
  const size_t sent = requests();
  ASSERT_EQ(registry_->running(), 4u);
  registry_->CancelWaiting();
  for (const auto* waiting : {&backing_off, &refused, &queued}) {
    ASSERT_TRUE((*waiting)->failed());
    EXPECT_EQ((*waiting)->exchange->end()->failure.kind, CallFailure::Kind::kCancelled);
  }
  EXPECT_EQ(registry_->running(), 1u);
  rig_.loop.Advance(hours(1));
  EXPECT_TRUE(running->completed());
  EXPECT_EQ(requests(), sent) << "and none of them is sent later";
  EXPECT_EQ(rig_.State().in_flight, 0u);
  EXPECT_EQ(rig_.State().queued, 0u);
}

// Room for two calls of 100,000 bytes and what comes with them.
class BoundedRegistry : public RegistryTest {
 protected:
  BoundedRegistry() : RegistryTest({.finished_bytes = 250'000}) {}
  static constexpr size_t kLarge = 100'000;
  // True: it was still there. It is begun anew otherwise, and fails.
  bool Kept(const std::string& id) {
    const size_t before = requests();
    rig_.upstream.set_otherwise([] { return Script::Answer(400, ""); });
    const auto reader = Attach({.call_id = id});
    rig_.loop.Advance(seconds(0));
    return requests() == before && reader->completed();
  }
};

TEST_F(BoundedRegistry, ForgetsTheCallThatWasUsedLeastRecently) {
  Complete({.call_id = "a"}, std::string(kLarge, 'a'));
  Complete({.call_id = "b"}, std::string(kLarge, 'b'));
  EXPECT_TRUE(Kept("a"));
  Complete({.call_id = "c"}, std::string(kLarge, 'c'));
  EXPECT_TRUE(Kept("a"));
  EXPECT_TRUE(Kept("c"));
  EXPECT_FALSE(Kept("b"));
}

TEST_F(BoundedRegistry, KeepsACallThatIsReadAndForgetsItWhenTheReaderGoes) {
  Complete({.call_id = "a"}, std::string(3 * kLarge, 'a'));
  EXPECT_FALSE(Kept("a")) << "larger than all room";
  rig_.upstream.Push(Script::Stream().Body(stream_.Answer(std::string(3 * kLarge, 'a'))).End());
  auto reader = Attach({.call_id = "a"});
  rig_.loop.Advance(seconds(0));
  EXPECT_TRUE(Kept("a"));
  reader.reset();
  EXPECT_FALSE(Kept("a"));
}

TEST_F(BoundedRegistry, CountsWhatACallCostsHoweverShortItsAnswer) {
  for (int i = 0; i < 100; ++i) Complete({.call_id = std::to_string(i)}, "x");
  EXPECT_FALSE(Kept("0"));
  EXPECT_TRUE(Kept("99"));
}

TEST_F(BoundedRegistry, DoesNotKeepTheRequestsOfCompletedCalls) {
  for (const char* id : {"a", "b", "c", "d"}) Complete({.call_id = id, .request_bytes = kLarge}, "x");
  EXPECT_TRUE(Kept("a"));
  EXPECT_LT(Attach({.call_id = "a"})->exchange->retained_bytes(), 1000u);
}

}  // namespace
}  // namespace holdfast::quota
