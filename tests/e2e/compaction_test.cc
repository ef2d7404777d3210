// A session that outgrew its limit is compacted in pieces through the same queue, and goes on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iterator>

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

constexpr char kTenRules[] =
    "Rules:\n1. Use tabs, never spaces.\n2. \"Quotes\" stay as they are.\n3. No new dependencies.\n4. Never touch "
    "vendor/.\n5. Tests first.\n6. Keep lines under 100 columns.\n7. Errors are values.\n8. Names in British English.\n"
    "9. Do not commit.\n10. Say “fertig” when done.";
constexpr int kMostTurns = 30;

std::string PromptOfTurn(int turn) { return PromptOf(40'000, fmt::format("turn {}.", turn)); }

// Each turn runs a command that says so in a file of its own.
std::string ScriptOfTurns() {
  json::array answers{{{"when", {{"last_user_contains", "RECORD SO FAR"}}},
                       {"text", R"({"goal":"g","rules":["made up"],"done":["ran it"],"next":["run it again"]})"}},
                      {{"when", {{"last_user_contains", "Rules:"}}}, {"text", "Understood."}}};
  for (int turn = 1; turn <= kMostTurns; ++turn) {
    const std::string prompt = fmt::format("turn {}.", turn);
    answers.push_back({{"when", {{"last_user_contains", prompt}, {"step", 0}}},
                       {"text", "I run it."},
                       {"tool_calls",
                        {{{"name", "shell"},
                          {"arguments", {{"command", fmt::format("mkdir -p runs; echo ran >> runs/{}", turn)}}}}}}});
    answers.push_back({{"when", {{"last_user_contains", prompt}, {"step", 1}}}, {"text", "It ran."}});
  }
  return json::serialize(json::value{{"answers", std::move(answers)}});
}

TEST(Compaction, TenRulesStandWordForWordAfterThreeAndNoCommandRanTwice) {
  Pair pair([](const std::string& url) { return Config(url, 30'000); });
  pair.simulator().SetScript(ScriptOfTurns());
  auto first = pair.Exec(kTenRules, {"--json"});
  ASSERT_EQ(first->WaitForExit(), 0) << first->err();
  const std::string id(FirstOfType(JsonLines(first->out()), "thread.started").at("thread_id").as_string());
  int turn = 0;
  const auto compactions = [&] {
    const auto events = pair.Events(id);
    return std::count_if(events.begin(), events.end(), [](const json::value& event) {
      const json::value* compacted = event.as_object().if_contains("context_compacted");
      return compacted != nullptr && compacted->as_object().contains("ledger");
    });
  };
  while (compactions() < 3) {
    ASSERT_LT(++turn, kMostTurns);
    auto exec = pair.Exec(PromptOfTurn(turn), {"--session", id});
    ASSERT_EQ(exec->WaitForExit(std::chrono::seconds(60)), 0) << exec->err();
    EXPECT_EQ(exec->out(), "It ran.\n");
  }
  auto last = pair.Exec(PromptOfTurn(++turn), {"--session", id});
  ASSERT_EQ(last->WaitForExit(std::chrono::seconds(60)), 0) << last->err();

  const auto requests = pair.simulator().Requests();
  const std::string body =
      json::serialize(pair.simulator().RequestBody(static_cast<int64_t>(Number(requests.back(), "index"))));
  const std::string rules = json::serialize(json::value(kTenRules));
  EXPECT_NE(body.find(rules.substr(1, rules.size() - 2)), std::string::npos);
  for (int i = 1; i <= turn; ++i) {
    std::ifstream file(pair.workspace() / "runs" / std::to_string(i));
    const std::string runs{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(runs, "ran\n") << i;
  }
}

}  // namespace
}  // namespace holdfast::test
