#include "agent_service/service/identity.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/fakes/fake_quota_client.h"
#include "tests/fakes/simulated_loop.h"

namespace holdfast::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const grpc::Status kAway{grpc::StatusCode::UNAVAILABLE, "connection refused"};

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() : quota_(loop_), identity_(loop_, quota_) {
    quota_.SetIdentity("token-a", "team-a");
    quota_.SetIdentity("token-b", "team-b");
  }

  absl::StatusOr<std::string> Resolve(const std::string& token) {
    std::optional<absl::StatusOr<std::string>> result;
    identity_.Resolve(token, [&](absl::StatusOr<std::string> tenant) {
      EXPECT_FALSE(result.has_value()) << "answered twice";
      result = std::move(tenant);
    });
    loop_.RunUntilIdle();
    return result ? *result : absl::DeadlineExceededError("never answered");
  }

  SimulatedLoop loop_;
  FakeQuotaClient quota_;
  Identity identity_;
};

TEST_F(IdentityTest, TellsTenantsApartByTheirTokens) {
  EXPECT_EQ(*Resolve("token-a"), "team-a");
  EXPECT_EQ(*Resolve("token-b"), "team-b");
  EXPECT_EQ(*Resolve("token-a"), "team-a");
}

TEST_F(IdentityTest, RemembersForAMinute) {
  ASSERT_TRUE(Resolve("token-a").ok());
  loop_.Advance(seconds(59));
  ASSERT_TRUE(Resolve("token-a").ok());
  EXPECT_EQ(quota_.identities_asked(), 1);
  loop_.Advance(seconds(1));
  ASSERT_TRUE(Resolve("token-a").ok());
  EXPECT_EQ(quota_.identities_asked(), 2);
}

TEST_F(IdentityTest, FollowsATokenThatIsGivenToAnotherTenant) {
  ASSERT_TRUE(Resolve("token-a").ok());
  quota_.SetIdentity("token-a", "team-c");
  loop_.Advance(minutes(1));
  EXPECT_EQ(*Resolve("token-a"), "team-c");
}

TEST_F(IdentityTest, UsesWhatItKnowsForTenMinutesWhileQuotaServiceIsAway) {
  ASSERT_TRUE(Resolve("token-a").ok());
  quota_.FailWhoAmI(kAway);
  loop_.Advance(minutes(10) - seconds(1));
  EXPECT_EQ(*Resolve("token-a"), "team-a");
  loop_.Advance(seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(Resolve("token-a").status()));
}

TEST_F(IdentityTest, StaleUseDoesNotProlongItself) {
  ASSERT_TRUE(Resolve("token-a").ok());
  quota_.FailWhoAmI(kAway);
  for (int i = 0; i < 9; ++i) {
    loop_.Advance(minutes(1));
    EXPECT_TRUE(Resolve("token-a").ok());
  }
  loop_.Advance(minutes(1));
  EXPECT_FALSE(Resolve("token-a").ok());
}

TEST_F(IdentityTest, KnowsNobodyWhileQuotaServiceIsAway) {
  ASSERT_TRUE(Resolve("token-a").ok());
  quota_.FailWhoAmI(kAway);
  const absl::Status status = Resolve("token-b").status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_NE(status.message().find("quota_service"), absl::string_view::npos);
}

TEST_F(IdentityTest, RefusesAServicesToken) {
  quota_.SetIdentity("service", "", true);
  EXPECT_TRUE(absl::IsPermissionDenied(Resolve("service").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(Resolve("service").status()));
}

TEST_F(IdentityTest, PassesOnThatATokenIsNobodys) { EXPECT_TRUE(absl::IsUnauthenticated(Resolve("guess").status())); }

TEST_F(IdentityTest, ARevokedTokenIsForgottenAlsoForTheTimeWithoutQuotaService) {
  ASSERT_TRUE(Resolve("token-a").ok());
  loop_.Advance(minutes(2));
  quota_.FailWhoAmI({grpc::StatusCode::UNAUTHENTICATED, "revoked"});
  EXPECT_TRUE(absl::IsUnauthenticated(Resolve("token-a").status()));
  quota_.FailWhoAmI(kAway);
  EXPECT_TRUE(absl::IsUnavailable(Resolve("token-a").status()));
}

TEST_F(IdentityTest, ATokenThatBecomesAServicesIsForgotten) {
  ASSERT_TRUE(Resolve("token-a").ok());
  loop_.Advance(minutes(2));
  quota_.SetIdentity("token-a", "", true);
  EXPECT_TRUE(absl::IsPermissionDenied(Resolve("token-a").status()));
  quota_.FailWhoAmI(kAway);
  EXPECT_TRUE(absl::IsUnavailable(Resolve("token-a").status()));
}

TEST_F(IdentityTest, TheAbsentTokenIsAsGoodAsQuotaServiceSays) {
  EXPECT_TRUE(absl::IsUnauthenticated(Resolve("").status()));
  quota_.SetIdentity("", "default");
  EXPECT_EQ(*Resolve(""), "default");
}

}  // namespace
}  // namespace holdfast::agent
