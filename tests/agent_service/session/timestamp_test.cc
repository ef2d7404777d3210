#include "agent_service/session/timestamp.h"

#include <gtest/gtest.h>

#include <chrono>

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

}  // namespace
}  // namespace holdfast::agent
