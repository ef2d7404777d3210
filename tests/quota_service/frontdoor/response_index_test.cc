#include "quota_service/frontdoor/responses/response_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::IsEmpty;

KnownResponse Made(WallTime when, int64_t tokens = 7) { return {"acme", "gpt", tokens, when}; }

TEST(ResponseIndex, KnowsWhoseAResponseIs) {
  const WallTime now(hours(1000));
  ResponseIndex index;
  EXPECT_THAT(index.Remember({"resp_1", "web"}, Made(now)), IsEmpty());
  const auto own = index.Find("resp_1", "web", now);
  ASSERT_NE(own.own, nullptr);
  EXPECT_EQ(*own.own, Made(now));
  EXPECT_EQ(index.Find("resp_1", "other", now).own, nullptr);
  EXPECT_TRUE(index.Find("resp_1", "other", now).of_others);
  for (const char* id : {"resp_", "resp_11", "resp_0", "", "resp_2"}) {
    EXPECT_EQ(index.Find(id, "web", now).own, nullptr) << id;
    EXPECT_FALSE(index.Find(id, "web", now).of_others) << id;
  }
}

TEST(ResponseIndex, TwoTenantsMayHaveTheSameId) {
  const WallTime now(hours(1000));
  ResponseIndex index;
  index.Remember({"resp_1", "web"}, Made(now, 1));
  index.Remember({"resp_1", "app"}, Made(now, 2));
  EXPECT_EQ(index.Find("resp_1", "web", now).own->tokens, 1);
  EXPECT_EQ(index.Find("resp_1", "app", now).own->tokens, 2);
  EXPECT_TRUE(index.Find("resp_1", "third", now).of_others);
}

TEST(ResponseIndex, ForgetsAfterThirtyDays) {
  const WallTime made(hours(1000));
  ResponseIndex index;
  index.Remember({"old", "web"}, Made(made));
  EXPECT_NE(index.Find("old", "web", made + hours(24 * 30) - hours(1)).own, nullptr);
  EXPECT_EQ(index.Find("old", "web", made + hours(24 * 30)).own, nullptr);
  EXPECT_FALSE(index.Find("old", "other", made + hours(24 * 30)).of_others);
  EXPECT_THAT(index.Remember({"new", "web"}, Made(made + hours(24 * 30))), ElementsAre(ResponseKey{"old", "web"}));
  EXPECT_EQ(index.size(), 1U);
}

TEST(ResponseIndex, ForgetsTheOldestForRoom) {
  const WallTime now(hours(1000));
  ResponseIndex index({.responses = 2});
  index.Remember({"a", "web"}, Made(now));
  index.Remember({"b", "web"}, Made(now));
  index.Remember({"a", "web"}, Made(now, 9));
  EXPECT_THAT(index.Remember({"c", "web"}, Made(now)), ElementsAre(ResponseKey{"b", "web"}))
      << "a was remembered again after it";
  EXPECT_EQ(index.Find("a", "web", now).own->tokens, 9);
  EXPECT_EQ(index.size(), 2U);
}

}  // namespace
}  // namespace holdfast::quota
