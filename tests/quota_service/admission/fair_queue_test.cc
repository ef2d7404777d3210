#include "quota_service/admission/fair_queue.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

namespace holdfast::quota {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using RequestId = FairQueue::RequestId;

class FairQueueTest : public testing::Test {
 protected:
  RequestId Push(const Flow& flow, double cost) {
    const RequestId id = next_++;
    queue_.Push(flow, {.id = id, .need = 1, .cost = cost, .since = now_, .background = flow.background});
    whose_[id] = flow.tenant + "/" + flow.session;
    return id;
  }
  // Of who goes.
  std::string Pop() { return whose_.at(Serve()); }
  // It is over at once.
  RequestId Serve(double difference = 0) {
    queue_.Age(now_);
    const RequestId id = queue_.Head()->id;
    const FairQueue::SessionId session = queue_.SessionOfHead();
    queue_.Serve(session);
    queue_.Landed(session, difference);
    return id;
  }
  // Every flow always has a request waiting; what each of them was served after `rounds`.
  std::map<std::string, double> ServeBacklogged(const std::vector<Flow>& flows, int rounds,
                                                const std::function<double(const Flow&)>& cost) {
    std::map<std::string, Flow> by_name;
    for (const Flow& flow : flows) {
      by_name[flow.tenant + "/" + flow.session] = flow;
      Push(flow, cost(flow));
    }
    std::map<std::string, double> served;
    for (int round = 0; round < rounds; ++round) {
      const double spent = queue_.Head()->cost;
      const std::string who = Pop();
      served[who] += spent;
      Push(by_name.at(who), cost(by_name.at(who)));
    }
    return served;
  }

  FairQueue queue_;
  RequestId next_ = 1;
  BootTime now_{};
  std::map<RequestId, std::string> whose_;
};

TEST_F(FairQueueTest, IsFirstComeFirstServedWithinASession) {
  for (int i = 0; i < 5; ++i) Push({"t", "s"}, 5 - i);
  for (RequestId id = 1; id <= 5; ++id) {
    EXPECT_EQ(Serve(), id);
  }
  EXPECT_EQ(queue_.Head(), nullptr);
}

TEST_F(FairQueueTest, GivesTenantsSharesByTheirWeights) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> cost(1, 100);
  const auto served =
      ServeBacklogged({{"a", "1", 1}, {"b", "1", 2}, {"c", "1", 5}}, 20'000, [&](const Flow&) { return cost(random); });
  const double all = served.at("a/1") + served.at("b/1") + served.at("c/1");
  EXPECT_NEAR(served.at("a/1") / all, 1.0 / 8, 0.02 / 8);
  EXPECT_NEAR(served.at("b/1") / all, 2.0 / 8, 0.02 * 2 / 8);
  EXPECT_NEAR(served.at("c/1") / all, 5.0 / 8, 0.02 * 5 / 8);
}

TEST_F(FairQueueTest, GivesSessionsOfATenantTheSameWhateverTheirRequestsCost) {
  // A session whose requests are 50 times as large, and a tenant whose many sessions give it no larger share.
  const std::vector<Flow> flows = {{"a", "small"}, {"a", "large"}, {"b", "1"}, {"b", "2"}, {"b", "3"}, {"b", "4"}};
  const auto served =
      ServeBacklogged(flows, 50'000, [](const Flow& flow) { return flow.session == "large" ? 50.0 : 1.0; });
  EXPECT_NEAR(served.at("a/small") / served.at("a/large"), 1, 0.01);
  EXPECT_NEAR(served.at("b/1") / served.at("b/4"), 1, 0.01);
  EXPECT_NEAR(served.at("a/small") / served.at("b/1"), 2, 0.02);
}

TEST_F(FairQueueTest, WhoWasAwayHasNoCreditAndNoDebt) {
  for (int i = 0; i < 100; ++i) {
    Push({"t", "busy"}, 10);
    Pop();
  }
  Push({"t", "busy"}, 10);
  Push({"t", "new"}, 10);
  Push({"t", "busy"}, 10);
  Push({"t", "new"}, 10);
  EXPECT_EQ(Pop(), "t/busy");
  EXPECT_EQ(Pop(), "t/new");
  EXPECT_EQ(Pop(), "t/busy");
  EXPECT_EQ(Pop(), "t/new");
}

TEST_F(FairQueueTest, SessionsThatAreNewEachTimeDoNotStarveAnOldOne) {
  // It has just been served a hundred times as much as each of theirs costs.
  Push({"t", "old"}, 100);
  Pop();
  Push({"t", "old"}, 1);
  Push({"t", "new 0"}, 1);
  int passed = 0;
  for (; Pop() != "t/old"; ++passed) Push({"t", "new " + std::to_string(passed + 1)}, 1);
  EXPECT_NEAR(passed, 100, 2) << "until they have had as much";
}

TEST_F(FairQueueTest, NobodyPassesAHeldHead) {
  Push({"t", "s"}, 1);
  Push({"t", "s"}, 1000);
  Pop();
  queue_.HoldHead();
  Push({"t", "newcomer"}, 1);
  Push({"another", "newcomer"}, 1);
  EXPECT_THAT((std::vector{Pop(), Pop(), Pop()}), ElementsAre("t/s", "another/newcomer", "t/newcomer"));
}

TEST_F(FairQueueTest, AHeldHeadThatLeavesMakesWay) {
  const RequestId head = Push({"t", "s"}, 1);
  queue_.HoldHead();
  Push({"t", "s"}, 1);
  Push({"t", "u"}, 1);
  EXPECT_TRUE(queue_.Erase(head));
  EXPECT_FALSE(queue_.Erase(head));
  EXPECT_EQ(Pop(), "t/s");
  EXPECT_EQ(Pop(), "t/u");
}

TEST_F(FairQueueTest, ACopyGoesInTheSameOrder) {
  std::mt19937_64 random(3);
  std::uniform_int_distribution<int> pick(0, 9);
  for (int i = 0; i < 300; ++i) {
    Push({"t" + std::to_string(pick(random) % 3), "s" + std::to_string(pick(random)), 1.0 + pick(random)},
         1 + pick(random));
  }
  for (int i = 0; i < 50; ++i) Pop();
  queue_.HoldHead();
  FairOrder copy = queue_.order();
  std::map<uint64_t, std::string> names;
  while (copy.size() > 0) {
    const FairOrder::SessionId session = copy.Head();
    ASSERT_EQ(queue_.Head()->id, copy.First(session).id);
    ASSERT_EQ(queue_.SessionOfHead(), session);
    const std::string& who = whose_.at(copy.First(session).id);
    EXPECT_EQ(names.try_emplace(queue_.HashOf(session), who).first->second, who);
    queue_.Serve(session);
    copy.Serve(session);
  }
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(FairQueueTest, WhoLeavesUnservedOwesNothing) {
  Push({"t", "other"}, 1);
  EXPECT_TRUE(queue_.Erase(Push({"t", "s"}, 1'000'000)));
  EXPECT_TRUE(queue_.Erase(Push({"u", "s"}, 1'000'000)));
  Push({"t", "s"}, 0.5);
  Push({"u", "s"}, 0.5);
  EXPECT_THAT((std::vector{Pop(), Pop(), Pop()}), ElementsAre("u/s", "t/s", "t/other"));
}

TEST_F(FairQueueTest, WhatSomebodyWaitsForGoesBeforeTheBackground) {
  Push({"t", "job", 1, true}, 1);
  Push({"t", "person"}, 100);
  Push({"t", "person"}, 100);
  Push({"u", "job", 1, true}, 1);
  EXPECT_THAT((std::vector{Pop(), Pop(), Pop(), Pop()}), ElementsAre("t/person", "u/job", "t/person", "t/job"))
      << "within a tenant; a tenant's share of the whole stays";
}

TEST_F(FairQueueTest, OfAHeldHeadToo) {
  Push({"t", "job", 1, true}, 1000);
  queue_.HoldHead();
  Push({"u", "job", 1, true}, 1);
  Push({"t", "job of another", 1, true}, 1);
  EXPECT_EQ(queue_.Head()->cost, 1000) << "of the same kind";
  Push({"t", "person"}, 1);
  EXPECT_THAT((std::vector{Pop(), Pop()}), testing::UnorderedElementsAre("t/person", "u/job"));
}

TEST_F(FairQueueTest, ABackgroundRequestThatHasWaitedLongCountsAsAnyOther) {
  Push({"t", "job", 1, true}, 1);
  for (int i = 0; i < 10; ++i) Push({"t", "person"}, 1);
  EXPECT_EQ(Pop(), "t/person");
  now_ += FairOrder::kAge - Duration(1);
  EXPECT_EQ(Pop(), "t/person");
  now_ += Duration(1);
  EXPECT_EQ(Pop(), "t/job") << "by the tag that it has had since it came";
  EXPECT_EQ(Pop(), "t/person");
}

TEST_F(FairQueueTest, AFlowIsChargedForWhatItReallyTookInTheEnd) {
  Push({"t", "a"}, 10);
  Push({"t", "b"}, 10);
  Serve(+30);
  Serve();
  for (int i = 0; i < 4; ++i) {
    Push({"t", "a"}, 10);
    Push({"t", "b"}, 10);
  }
  EXPECT_THAT((std::vector{Pop(), Pop(), Pop(), Pop(), Pop()}), ElementsAre("t/b", "t/b", "t/b", "t/a", "t/b"));
}

TEST_F(FairQueueTest, ServesOneOutOfItsTurnAndChargesIt) {
  Push({"t", "a"}, 10);
  queue_.HoldHead();
  const RequestId small = Push({"t", "b"}, 1);
  for (FairQueue::SessionId session = 0; session < 2; ++session) {
    if (queue_.order().First(session).id != small) continue;
    queue_.Serve(session);
    queue_.Landed(session, 0);
  }
  EXPECT_FALSE(queue_.Contains(small));
  EXPECT_EQ(Pop(), "t/a") << "the held head stays it";
}

TEST_F(FairQueueTest, LosesNobodyWhateverHappens) {
  std::mt19937_64 random(11);
  const auto pick = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
  std::set<RequestId> here;
  for (int step = 0; step < 50'000; ++step) {
    switch (pick(4)) {
      case 0:
      case 1:
        here.insert(Push({"t" + std::to_string(pick(5)), "s" + std::to_string(pick(20)), 0.5 * (1 + pick(5))},
                         pick(3) == 0 ? 0 : std::exp(pick(20) - 10)));
        break;
      case 2:
        if (!here.empty()) {
          ASSERT_EQ(here.erase(Serve(pick(2) - 1)), 1u);
        }
        break;
      case 3:
        if (!here.empty()) {
          const RequestId leaver = *std::next(here.begin(), pick(static_cast<int>(here.size()) - 1));
          ASSERT_TRUE(queue_.Erase(leaver));
          here.erase(leaver);
        }
        break;
      default:
        queue_.HoldHead();
    }
    ASSERT_EQ(queue_.size(), here.size());
    ASSERT_EQ(queue_.Head() == nullptr, here.empty());
  }
  EXPECT_EQ(queue_.Waiters().size(), here.size());
}

TEST_F(FairQueueTest, ForgetsSessionsThatOweNothingHoweverManyComeOnce) {
  for (int i = 0; i < 1000; ++i) {
    Push({"t", "s" + std::to_string(i), 1}, 1);
    Push({"u" + std::to_string(i), "s", 1}, 1);
    Pop();
    Pop();
  }
  EXPECT_LT(queue_.known_sessions(), 20u);
}

TEST_F(FairQueueTest, AnEmptyOneHasNoHead) {
  queue_.HoldHead();
  EXPECT_EQ(queue_.Head(), nullptr);
  EXPECT_THAT(queue_.Waiters(), IsEmpty());
  EXPECT_FALSE(queue_.Erase(1));
}

}  // namespace
}  // namespace holdfast::quota
