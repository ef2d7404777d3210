// A session that outgrew its limit is compacted in pieces through the same queue, and goes on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "tests/e2e/pair.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;

constexpr char kRules[] = "Rule one: use tabs, never spaces. Rule two: never touch vendor/. Understood?";

std::string Config(const std::string& url, int64_t tokens) {
  return fmt::format(R"(
upstreams:
  - name: sim
    base_url: {}
    profile: openai
    api_key: {{env: OPENAI_API_KEY}}
    limits:
      - {{models: ["o4-mini"], tokens: {{count: {}, per: 2s}}}}
)",
                     url, tokens);
}

TEST(Compaction, BringsAContextOf180kTokensUnderALimitOf30k) {
  // The limit that the session outgrew comes with another upstream's configuration, as it does when a key changes.
  Pair pair([](const std::string& url) { return Config(url, 1'000'000); });
  const std::string ledger = R"({"goal":"read much","rules":[],"done":["read it"],"next":["go on"]})";
  pair.simulator().SetScript(
      json::serialize(json::value{{"answers",
                                   {{{"when", {{"last_user_contains", "RECORD SO FAR"}}}, {"text", ledger}},
                                    {{"when", {{"last_user_contains", "lorem"}}}, {"text", "Read."}},
                                    {{"when", {{"last_user_contains", "go on"}}}, {"text", "Gone on."}}}}}));
  auto first = pair.Exec(kRules, {"--json"});
  ASSERT_EQ(first->WaitForExit(), 0) << first->err();
  const std::string id(FirstOfType(JsonLines(first->out()), "thread.started").at("thread_id").as_string());
  for (int i = 0; i < 6; ++i) {
    auto exec = pair.Exec(PromptOf(120'000, "material"), {"--session", id});
    ASSERT_EQ(exec->WaitForExit(), 0) << exec->err();
  }
  const size_t before = pair.simulator().Requests().size();

  pair.simulator().SetLimits(R"({"tokens": {"limit": 30000, "per": 2, "used": 0}})");
  pair.KillQuota();
  pair.SetQuotaConfig([](const std::string& url) { return Config(url, 30'000); });
  pair.StartQuota();
  auto exec = pair.Exec("go on", {"--session", id});
  ASSERT_EQ(exec->WaitForExit(std::chrono::seconds(120)), 0) << exec->err();
  EXPECT_EQ(exec->out(), "Gone on.\n");

  const auto requests = pair.simulator().Requests();
  EXPECT_GE(requests.size(), before + 5) << "it was not done in pieces";
  for (size_t i = before; i < requests.size(); ++i) {
    EXPECT_TRUE(requests[i].at("admitted").as_bool()) << requests[i];
    EXPECT_LE(Number(requests[i], "charge"), 30'000);
  }
  const std::string last =
      json::serialize(pair.simulator().RequestBody(static_cast<int64_t>(Number(requests.back(), "index"))));
  EXPECT_NE(last.find(json::serialize(json::value(kRules)).substr(1, 40)), std::string::npos);
}

}  // namespace
}  // namespace holdfast::test
