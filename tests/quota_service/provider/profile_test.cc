#include "quota_service/provider/profile.h"

#include <gtest/gtest.h>

#include <limits>

#include "quota_service/provider/dialect.h"

namespace holdfast::quota {
namespace {

TEST(Profile, OpenAiAndAzureSpeakResponsesAndTheOthersChat) {
  ASSERT_EQ(ProfileNames(), "openai, azure, moonshot, zhipu, anthropic, openrouter, generic");
  for (const ProviderProfile& profile : Profiles()) {
    const bool responses = profile.name == "openai" || profile.name == "azure";
    EXPECT_EQ(profile.dialect, responses ? "responses" : "chat") << profile.name;
    EXPECT_NE(FindDialect(profile.dialect), nullptr);
    EXPECT_EQ(FindProfile(profile.name), &profile);
  }
  EXPECT_EQ(FindProfile("OpenAI"), nullptr);
  EXPECT_EQ(FindProfile(""), nullptr);
}

TEST(Profile, OpenAiChargesTheLargerOfCapAndCharacters) {
  const ProviderProfile& openai = *FindProfile("openai");
  EXPECT_EQ(GateCharge(openai, 720000, 0), 180002);
  EXPECT_EQ(GateCharge(openai, 720000, 32000), 180002);
  EXPECT_EQ(GateCharge(openai, 400, 32000), 32000);
}

TEST(Profile, AzureAndMoonshotChargeInputAndCapTogether) {
  EXPECT_EQ(GateCharge(*FindProfile("azure"), 400, 1000), 1102);
  EXPECT_EQ(GateCharge(*FindProfile("moonshot"), 400, 1000), 1102);
}

TEST(Profile, AnthropicIgnoresTheCapAndZhipuLimitsNoTokens) {
  EXPECT_EQ(GateCharge(*FindProfile("anthropic"), 400, 1000), 102);
  EXPECT_EQ(GateCharge(*FindProfile("zhipu"), 400, 1000), 0);
  EXPECT_EQ(GateCharge(*FindProfile("openrouter"), 400, 1000), 0);
}

TEST(Profile, AGenericServerIsChargedAsOpenAiWouldCharge) {
  EXPECT_EQ(GateCharge(*FindProfile("generic"), 400, 1000), 1000);
  EXPECT_EQ(GateCharge(*FindProfile("generic"), 40000, 1000), 10002);
}

TEST(Profile, AbsurdNumbersSaturate) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  for (const ProviderProfile& profile : Profiles()) {
    EXPECT_GE(GateCharge(profile, -5, -5), 0) << profile.name;
    EXPECT_GE(GateCharge(profile, kMax, kMax), 0) << profile.name;
  }
  EXPECT_EQ(GateCharge(*FindProfile("azure"), kMax, kMax), kMax);
}

TEST(Profile, OnlyAnthropicsGateCorrectsItsEstimate) {
  for (const ProviderProfile& profile : Profiles()) EXPECT_EQ(profile.settles, profile.name == "anthropic");
}

TEST(Profile, TheOutputCapIsQuotaItselfWhereItIsChargedAndNotGivenBack) {
  for (const char* name : {"openai", "azure", "moonshot", "generic"})
    EXPECT_TRUE(ChargesCapForGood(*FindProfile(name)));
  for (const char* name : {"anthropic", "zhipu", "openrouter"}) EXPECT_FALSE(ChargesCapForGood(*FindProfile(name)));
  ProviderProfile settling = *FindProfile("moonshot");
  settling.settles = true;
  EXPECT_FALSE(ChargesCapForGood(settling));
}

TEST(Profile, AzureCountsInFixedWindowsAndRequestsOverTenSeconds) {
  const ProviderProfile& azure = *FindProfile("azure");
  EXPECT_EQ(azure.window, WindowKind::kFixed);
  EXPECT_EQ(azure.requests_span, Duration(std::chrono::seconds(10)));
  EXPECT_EQ(FindProfile("openai")->requests_span, Duration(std::chrono::seconds(1)));
  EXPECT_EQ(FindProfile("moonshot")->requests_span, Duration::zero());
}

}  // namespace
}  // namespace holdfast::quota
