#include "clients/cli/terminal/json_lines.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <limits>

namespace holdfast::cli {
namespace {

TEST(WaitJson, CarriesEverythingThatAProgramCountsOn) {
  quota::v1::Wait wait;
  wait.set_reason(quota::v1::WAIT_REASON_RATE_LIMIT);
  wait.set_scope("openai/o4-mini");
  wait.set_dimension("tokens");
  wait.set_limit(200000);
  wait.set_window_seconds(60);
  wait.set_used(160193);
  wait.set_requested(51963);
  wait.set_seconds(3.5);
  wait.set_least_seconds(3);
  wait.set_most_seconds(4.5);
  wait.mutable_retry_at()->set_seconds(1'700'000'000);
  wait.set_position(1);
  wait.set_attempt(2);
  EXPECT_EQ(boost::json::serialize(WaitJson(wait)),
            R"({"type":"wait","reason":"rate_limit","scope":"openai/o4-mini","dimension":"tokens","limit":200000,)"
            R"("window_seconds":6E1,"used":160193,"requested":51963,"seconds":3.5E0,"least_seconds":3E0,)"
            R"("most_seconds":4.5E0,"retry_at":"2023-11-14T22:13:20Z","position":1,"attempt":2})");
}

TEST(WaitJson, WhatIsNotKnownIsNull) {
  for (const char* key : {"retry_at", "least_seconds", "most_seconds"}) {
    EXPECT_TRUE(WaitJson(quota::v1::Wait()).at(key).is_null()) << key;
  }
}

TEST(WaitJson, SecondsThatAreNoNumberStayOutOfTheJson) {
  quota::v1::Wait wait;
  wait.set_seconds(std::numeric_limits<double>::infinity());
  EXPECT_EQ(WaitJson(wait).at("seconds").as_double(), 0);
}

TEST(TimeText, RefusesTimesOutsideTheCalendar) {
  google::protobuf::Timestamp time;
  time.set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(TimeText(time), "");
}

}  // namespace
}  // namespace holdfast::cli
