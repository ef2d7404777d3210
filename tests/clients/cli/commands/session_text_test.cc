#include "clients/cli/commands/session_text.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

TEST(SessionText, TellsThatQuotaServiceIsAwayAndThatItAnswersAgain) {
  agent::v1::SessionEvent event;
  quota::v1::Wait* wait = event.mutable_wait_noted()->mutable_wait();
  wait->set_reason(quota::v1::WAIT_REASON_QUOTA_SERVICE);
  wait->set_seconds(0.5);
  EXPECT_EQ(DescribeEvent(event), "quota_service unreachable · trying again in 500ms · context saved");
  event.mutable_wait_noted()->clear_wait();
  EXPECT_EQ(DescribeEvent(event), "quota_service answers again");
}

}  // namespace
}  // namespace holdfast::cli
