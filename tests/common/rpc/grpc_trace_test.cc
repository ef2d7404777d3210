#include "common/rpc/grpc_trace.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/support/scoped_variable.h"

namespace holdfast {
namespace {

TEST(RestrictGrpcTrace, KeepsWhatTellsOfConnectionsAlone) {
  const test::ScopedVariable variable("GRPC_TRACE", "http, subchannel,,all,-timer_check ,connectivity_state");
  EXPECT_EQ(RestrictGrpcTrace(), "http,all");
  EXPECT_STREQ(std::getenv("GRPC_TRACE"), "subchannel,-timer_check,connectivity_state");
  EXPECT_EQ(RestrictGrpcTrace(), "");
}

TEST(RestrictGrpcTrace, LeavesItUnset) {
  const test::ScopedVariable variable("GRPC_TRACE", std::nullopt);
  EXPECT_EQ(RestrictGrpcTrace(), "");
  EXPECT_EQ(std::getenv("GRPC_TRACE"), nullptr);
}

}  // namespace
}  // namespace holdfast
