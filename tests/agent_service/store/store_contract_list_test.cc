// The contract of lists.
#include <set>

#include "tests/agent_service/store/store_contract.h"

namespace holdfast::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

AppendRequest UpdatedAt(const std::string& id, int64_t expected, int64_t seconds) {
  AppendRequest request = MakeAppend("team", id, expected);
  request.session.updated = TestTime(seconds);
  return request;
}

TEST_P(StoreContract, ListsTheLastUpdatedFirstAndTiesById) {
  ASSERT_TRUE(calls().Append(UpdatedAt("old", 0, 1)).ok());
  ASSERT_TRUE(calls().Append(UpdatedAt("tie-b", 0, 2)).ok());
  ASSERT_TRUE(calls().Append(UpdatedAt("tie-a", 0, 2)).ok());
  ASSERT_TRUE(calls().Append(UpdatedAt("new", 0, 3)).ok());
  const auto page = calls().List("team", 10);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(Ids(page->sessions), ElementsAre("new", "tie-a", "tie-b", "old"));
  EXPECT_EQ(page->next_page_token, "");
  EXPECT_EQ(page->sessions[0].summary, "summary of new");

  ASSERT_TRUE(calls().Append(UpdatedAt("old", 1, 4)).ok());
  EXPECT_THAT(Ids(calls().List("team", 10)->sessions), ElementsAre("old", "new", "tie-a", "tie-b"));
}

TEST_P(StoreContract, ListsAnUnknownTenantAsEmpty) {
  const auto page = calls().List("nobody", 10);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->sessions, IsEmpty());
  EXPECT_EQ(page->next_page_token, "");
}

TEST_P(StoreContract, PagesThroughTiesWithoutLossOrRepetition) {
  for (const char* id : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(calls().Append(UpdatedAt(id, 0, 1)).ok());
  const auto first = calls().List("team", 2);
  const auto second = calls().List("team", 2, first->next_page_token);
  const auto third = calls().List("team", 2, second->next_page_token);
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_THAT(Ids(first->sessions), ElementsAre("a", "b"));
  EXPECT_THAT(Ids(second->sessions), ElementsAre("c", "d"));
  EXPECT_THAT(Ids(third->sessions), ElementsAre("e"));
  EXPECT_EQ(third->next_page_token, "");
}

TEST_P(StoreContract, EndsWithoutATokenWhenThePageIsExactlyFull) {
  for (const char* id : {"a", "b"}) ASSERT_TRUE(calls().Append(UpdatedAt(id, 0, 1)).ok());
  EXPECT_EQ(calls().List("team", 2)->next_page_token, "");
}

TEST_P(StoreContract, BoundsAPageWhateverIsAsked) {
  std::vector<Awaited<absl::StatusOr<int64_t>>> results(1001);
  for (size_t i = 0; i < results.size(); ++i) {
    store().Append(UpdatedAt("s" + std::to_string(i), 0, 1), results[i].Callback());
  }
  for (auto& result : results) ASSERT_TRUE(result.Get().ok());
  const auto first = calls().List("team", 1'000'000);
  ASSERT_THAT(first->sessions, SizeIs(1000));
  EXPECT_THAT(calls().List("team", 1'000'000, first->next_page_token)->sessions, SizeIs(1));
}

TEST_P(StoreContract, PagesShowEachSessionThatStaysPutExactlyOnceWhileOthersMove) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(calls().Append(UpdatedAt("s" + std::to_string(10 + i), 0, i)).ok());
  }
  // Before every page one session moves to the front: a shown one, or one that would have been next.
  std::multiset<std::string> shown;
  std::set<std::string> moved;
  std::string token;
  int round = 0;
  do {
    const std::string mover = "s" + std::to_string(10 + (round * 7 + 3) % 20);
    const int64_t last = calls().Get("team", mover)->last_sequence;
    ASSERT_TRUE(calls().Append(UpdatedAt(mover, last, 100 + round)).ok());
    moved.insert(mover);
    const auto page = calls().List("team", 3, token);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const SessionRow& session : page->sessions) shown.insert(session.session_id);
    token = page->next_page_token;
    ++round;
    ASSERT_LT(round, 20);
  } while (!token.empty());
  EXPECT_GE(round, 5);
  for (int i = 0; i < 20; ++i) {
    const std::string id = "s" + std::to_string(10 + i);
    if (moved.count(id) == 0) {
      EXPECT_EQ(shown.count(id), 1U) << id;
    }
  }
}

TEST_P(StoreContract, RefusesAPageTokenThatIsNotItsOwn) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(calls().Append(UpdatedAt(id, 0, 1)).ok());
  const std::string good = calls().List("team", 1)->next_page_token;
  ASSERT_FALSE(good.empty());
  std::string damaged = good;
  damaged[damaged.size() / 2] = damaged[damaged.size() / 2] == 'A' ? 'B' : 'A';
  for (const std::string& bad :
       {std::string("x"), std::string("not a token"), damaged, good + good, good.substr(0, 8)}) {
    EXPECT_TRUE(absl::IsInvalidArgument(calls().List("team", 1, bad).status())) << bad;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(calls().List("other", 1, good).status()));
  EXPECT_TRUE(calls().List("team", 1, good).ok());
}

TEST_P(StoreContract, ListsRunningSessionsOfAllTenants) {
  const auto append = [this](const std::string& tenant, const std::string& id, int64_t expected, bool running) {
    AppendRequest request = MakeAppend(tenant, id, expected);
    request.session.running = running;
    return calls().Append(request).ok();
  };
  ASSERT_TRUE(append("team", "idle", 0, false));
  ASSERT_TRUE(append("team", "runs", 0, true));
  ASSERT_TRUE(append("other", "runs-too", 0, true));
  ASSERT_TRUE(append("team", "stopped", 0, true));
  ASSERT_TRUE(append("team", "stopped", 1, false));
  ASSERT_TRUE(append("team", "deleted", 0, true));
  ASSERT_TRUE(calls().Delete("team", "deleted").ok());
  const auto running = calls().Running();
  ASSERT_TRUE(running.ok()) << running.status();
  EXPECT_THAT(Ids(*running), ElementsAre("runs-too", "runs"));
  EXPECT_EQ(running->at(0).tenant, "other");
}

}  // namespace
}  // namespace holdfast::agent
