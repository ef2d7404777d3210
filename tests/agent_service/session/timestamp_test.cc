#include "agent_service/session/timestamp.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>

namespace holdfast::agent {
namespace {

TEST(Timestamp, KeepsNanosecondsBothWays) {
  const WallTime time(std::chrono::seconds(1'750'000'000) + std::chrono::nanoseconds(123'456'789));
  google::protobuf::Timestamp timestamp;
  SetTimestamp(time, &timestamp);
  EXPECT_EQ(timestamp.seconds(), 1'750'000'000);
  EXPECT_EQ(timestamp.nanos(), 123'456'789);
  EXPECT_EQ(FromTimestamp(timestamp), time);
}

TEST(Timestamp, CountsNanosecondsForwardBefore1970AsProtobufDemands) {
  const WallTime time(std::chrono::milliseconds(-1));
  google::protobuf::Timestamp timestamp;
  SetTimestamp(time, &timestamp);
  EXPECT_EQ(timestamp.seconds(), -1);
  EXPECT_EQ(timestamp.nanos(), 999'000'000);
  EXPECT_EQ(FromTimestamp(timestamp), time);
}

TEST(Timestamp, CountsFarTimesAsTheEndsOfWhatIsKnown) {
  google::protobuf::Timestamp timestamp;
  const auto year = [&](int64_t seconds) {
    timestamp.set_seconds(seconds);
    timestamp.set_nanos(std::numeric_limits<int32_t>::max());
    return std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(FromTimestamp(timestamp))).year();
  };
  EXPECT_EQ(year(std::numeric_limits<int64_t>::max()), std::chrono::year(2200));
  EXPECT_EQ(year(253'402'300'799), std::chrono::year(2200));  // the last second of 9999, the latest that protobuf says
  EXPECT_EQ(year(std::numeric_limits<int64_t>::min()), std::chrono::year(1950));
}

}  // namespace
}  // namespace holdfast::agent
