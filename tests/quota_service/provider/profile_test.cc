#include "quota_service/provider/profile.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>

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

TEST(Profile, OnlyAnthropicsAndMoonshotsGatesCountTheInputInTokens) {
  for (const ProviderProfile& profile : Profiles()) {
    EXPECT_EQ(profile.counts_input, profile.name == "anthropic" || profile.name == "moonshot") << profile.name;
  }
}

TEST(Profile, TheOutputCapIsQuotaItselfWhereItIsChargedAndNotGivenBack) {
  for (const char* name : {"openai", "azure", "moonshot", "generic"})
    EXPECT_TRUE(ChargesCapForGood(*FindProfile(name)));
  for (const char* name : {"anthropic", "zhipu", "openrouter"}) EXPECT_FALSE(ChargesCapForGood(*FindProfile(name)));
  ProviderProfile settling = *FindProfile("moonshot");
  settling.settles = true;
  EXPECT_FALSE(ChargesCapForGood(settling));
}

// An upstream that is configured as generic may be any of them.
TEST(Profile, ANameOfAnErrorMeansTheSameInEveryProfile) {
  std::map<std::string_view, const ProviderProfile*> names;
  for (const ProviderProfile& profile : Profiles()) {
    for (const ErrorName& error : profile.errors) {
      EXPECT_TRUE(names.emplace(error.name, &profile).second) << error.name << " is there twice";
      for (const char c : error.name) EXPECT_FALSE(c >= 'A' && c <= 'Z') << error.name << " is compared in lower case";
      const bool refuses = error.cls == FailureClass::kQuotaExhausted || error.cls == FailureClass::kAuthentication;
      EXPECT_TRUE(refuses || error.scope == FailureScope::kRequest) << error.name;
    }
  }
  EXPECT_GT(names.size(), 30u);
}

TEST(Profile, WhatAGateDidNotAcceptOrCouldNotTellWhoseItIsCostsNothing) {
  const ProviderProfile& openai = *FindProfile("openai");
  EXPECT_FALSE(StaysCharged(openai, FailureClass::kRateLimited));
  EXPECT_FALSE(StaysCharged(openai, FailureClass::kTooLarge));
  EXPECT_FALSE(StaysCharged(openai, FailureClass::kAuthentication));
  EXPECT_FALSE(StaysCharged(openai, FailureClass::kQuotaExhausted));
  EXPECT_TRUE(StaysCharged(openai, FailureClass::kInvalidRequest)) << "a rejected request was seen to cost";
  EXPECT_TRUE(StaysCharged(openai, FailureClass::kContextOverflow));
  EXPECT_TRUE(StaysCharged(openai, FailureClass::kOverloaded));
  EXPECT_TRUE(StaysCharged(openai, FailureClass::kTransport));
}

TEST(Profile, WhichFailuresStayChargedIsData) {
  ProviderProfile other = *FindProfile("openai");
  other.debits = {.refused = true, .invalid = false, .failed = false};
  EXPECT_TRUE(StaysCharged(other, FailureClass::kRateLimited));
  EXPECT_FALSE(StaysCharged(other, FailureClass::kInvalidRequest));
  EXPECT_FALSE(StaysCharged(other, FailureClass::kOverloaded));
  EXPECT_FALSE(StaysCharged(other, FailureClass::kAuthentication));
}

TEST(Profile, AnUnknownNameIsGeneric) {
  EXPECT_EQ(ProfileOf("azure").name, "azure");
  EXPECT_EQ(ProfileOf("").name, "generic");
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
