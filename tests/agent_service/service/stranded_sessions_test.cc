#include "agent_service/service/stranded_sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/agent_service/store/memory_store.h"
#include "tests/fakes/fake_quota_client.h"
#include "tests/fakes/simulated_loop.h"

namespace holdfast::agent {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StrandedSessionsTest : public testing::Test {
 protected:
  void Add(const std::string& tenant, int count) {
    for (int i = 0; i < count; ++i) {
      AppendRequest request;
      request.session.tenant = tenant;
      request.session.session_id = "s" + std::to_string(i);
      request.events.emplace_back();
      store_.Append(std::move(request), [](const absl::StatusOr<int64_t>& last) { ASSERT_TRUE(last.ok()); });
    }
    loop_.RunUntilIdle();
  }
  void Look() {
    stranded_.Look();
    loop_.RunUntilIdle();
  }

  SimulatedLoop loop_;
  FakeQuotaClient quota_{loop_};
  Identity identity_{loop_, quota_};
  MemoryStore store_{[this](absl::AnyInvocable<void()> task) { loop_.Post(std::move(task)); }};
  std::vector<std::string> told_;
  StrandedSessions stranded_{loop_, store_, identity_, [this](const std::string& words) { told_.push_back(words); }};
};

TEST_F(StrandedSessionsTest, AreCountedWhereNobodyIsTheDefaultTenant) {
  Add("default", 3);
  Add("team", 2);
  Look();
  EXPECT_THAT(told_, ElementsAre(HasSubstr("\"default\", from before tenants were configured: 3; only")));
}

TEST_F(StrandedSessionsTest, AreNoneWithoutTenants) {
  quota_.SetIdentity("", "default");
  Add("default", 3);
  Look();
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(StrandedSessionsTest, AreNoneWhereAllSessionsHaveATenant) {
  Add("team", 2);
  Look();
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(quota_.identities_asked(), 0);
}

TEST_F(StrandedSessionsTest, AreToldOnceWhenQuotaServiceIsThere) {
  Add("default", 1);
  quota_.FailWhoAmI({grpc::StatusCode::UNAVAILABLE, "not yet"});
  Look();
  loop_.Advance(minutes(1));
  EXPECT_THAT(told_, IsEmpty());
  quota_.FailWhoAmI(grpc::Status::OK);
  loop_.Advance(minutes(1));
  EXPECT_THAT(told_, ElementsAre(HasSubstr("configured: 1;")));
}

TEST_F(StrandedSessionsTest, AreNotLookedForAfterAStop) {
  Add("default", 1);
  quota_.FailWhoAmI({grpc::StatusCode::UNAVAILABLE, "not yet"});
  Look();
  stranded_.Stop();
  quota_.FailWhoAmI(grpc::Status::OK);
  loop_.Advance(minutes(1));
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(loop_.armed_timers(), 0u);
}

}  // namespace
}  // namespace holdfast::agent
