// Replaces every field of realistic streams in turn by a value of another type. Nothing may crash, nothing invalid may
// be passed on, and a stream may only be complete where its completion came.
#include <gtest/gtest.h>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <random>
#include <string>
#include <vector>

#include "common/base/utf8.h"
#include "tests/quota_service/provider/tap_recorder.h"
#include "tests/quota_service/provider/tap_samples.h"

namespace holdfast::quota {
namespace {

namespace json = boost::json;

const std::array<const char*, 9> kWrongValues{"null", "7",  "-1",          "1e999",    "\"\\ud83d\"",
                                              "\"\"", "[]", "[null,{},7]", "{\"x\":1}"};

// Paths to every value below the root.
void CollectPaths(const json::value& value, const std::string& path, std::vector<std::string>* paths) {
  if (!path.empty()) paths->push_back(path);
  if (const json::object* object = value.if_object()) {
    for (const auto& member : *object) CollectPaths(member.value(), path + "/" + std::string(member.key()), paths);
  } else if (const json::array* array = value.if_array()) {
    for (size_t i = 0; i < array->size(); ++i) CollectPaths((*array)[i], path + "/" + std::to_string(i), paths);
  }
}

std::string Replace(const std::string& event, const std::string& path, const std::string& wrong) {
  json::value value = json::parse(event);
  json::error_code error;
  *value.find_pointer(path, error) = wrong == "\"\\ud83d\"" ? json::value("HALF") : json::parse(wrong);
  std::string text = json::serialize(value);
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"\"HALF\"", wrong}, {"Infinity", "1e999"}}) {
    const size_t at = text.find(from);
    if (at != std::string::npos) text.replace(at, from.size(), to);
  }
  return text;
}

void ExpectSane(const TapRecorder& tap, const Verdict& last, const std::string& what) {
  EXPECT_TRUE(last.cls == EventClass::kDone || last.cls == EventClass::kFailed) << what;
  EXPECT_EQ(last.cls == EventClass::kDone, tap.Completion() != nullptr) << what;
  EXPECT_EQ(last.cls == EventClass::kFailed, last.failure.has_value()) << what;
  for (const v1::Delta& delta : tap.Deltas())
    EXPECT_TRUE(IsValidUtf8(delta.text()) && !delta.item_id().empty()) << what;
  for (const v1::Item& item : tap.Items()) {
    if (item.has_tool_call()) {
      EXPECT_FALSE(item.tool_call().call_id().empty() || item.tool_call().name().empty()) << what;
    }
    if (item.has_message()) {
      EXPECT_GT(item.message().parts_size(), 0) << what;
    }
  }
}

class HostileEvents : public testing::TestWithParam<const char*> {
 protected:
  std::vector<std::string> Answer() const {
    return GetParam() == std::string("chat") ? ChatAnswer() : ResponsesAnswer();
  }
};

TEST_P(HostileEvents, OneWrongFieldNeverCrashesNorLeavesTheStreamOpen) {
  const auto answer = Answer();
  for (size_t i = 0; i < answer.size(); ++i) {
    if (answer[i] == "[DONE]") continue;
    std::vector<std::string> paths;
    CollectPaths(json::parse(answer[i]), "", &paths);
    for (const std::string& path : paths) {
      for (const char* wrong : kWrongValues) {
        auto spoiled = answer;
        spoiled[i] = Replace(answer[i], path, wrong);
        TapRecorder tap(GetParam());
        const Verdict last = tap.Play(spoiled);
        ExpectSane(tap, last, spoiled[i]);
      }
    }
  }
}

// Cut before its completion, no stream is done, whatever else is wrong with it.
TEST_P(HostileEvents, NothingIsDoneWithoutItsCompletion) {
  auto answer = Answer();
  while (answer.back() == "[DONE]" || answer.back().find("\"tool_calls\"}") != std::string::npos ||
         answer.back().find("response.completed") != std::string::npos ||
         answer.back().find("\"choices\":[]") != std::string::npos) {
    answer.pop_back();
  }
  for (size_t i = 0; i < answer.size(); ++i) {
    std::vector<std::string> paths;
    CollectPaths(json::parse(answer[i]), "", &paths);
    for (const std::string& path : paths) {
      if (path.ends_with("/finish_reason")) continue;  // any other reason but null is a completion
      for (const char* wrong : kWrongValues) {
        auto spoiled = answer;
        spoiled[i] = Replace(answer[i], path, wrong);
        TapRecorder tap(GetParam());
        EXPECT_EQ(tap.Play(spoiled).cls, EventClass::kFailed) << spoiled[i];
        EXPECT_EQ(tap.Completion(), nullptr);
      }
    }
  }
}

TEST_P(HostileEvents, ManyWrongFieldsAtOnceNeverCrash) {
  const auto answer = Answer();
  std::mt19937 random(20250411);
  const auto pick = [&](size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random); };
  for (int round = 0; round < 2000; ++round) {
    auto spoiled = answer;
    for (int change = 0; change < 6; ++change) {
      std::string& event = spoiled[pick(spoiled.size())];
      json::error_code error;
      const json::value value = json::parse(event, error);
      std::vector<std::string> paths;
      if (!error) CollectPaths(value, "", &paths);
      if (!paths.empty()) event = Replace(event, paths[pick(paths.size())], kWrongValues[pick(kWrongValues.size())]);
    }
    TapRecorder tap(GetParam());
    const Verdict last = tap.Play(spoiled);
    ExpectSane(tap, last, "round " + std::to_string(round));
  }
}

TEST_P(HostileEvents, CutBytesNeverCrash) {
  const auto answer = Answer();
  for (size_t i = 0; i < answer.size(); ++i) {
    for (size_t length = 1; length < answer[i].size(); length += 7) {
      auto spoiled = answer;
      spoiled[i].resize(length);
      TapRecorder tap(GetParam());
      EXPECT_EQ(tap.Play(spoiled).failure->cls, FailureClass::kTransport);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dialect, HostileEvents, testing::Values("responses", "chat"),
                         [](const testing::TestParamInfo<const char*>& dialect) { return std::string(dialect.param); });

}  // namespace
}  // namespace holdfast::quota
