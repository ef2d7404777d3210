#include "agent_service/host/log_row.h"

#include <gtest/gtest.h>

#include "agent_service/session/timestamp.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

TEST(LogRow, NamesTheKindAndLeavesSequenceAndTimeToTheStore) {
  v1::SessionEvent event = CreatedEvent("gpt");
  event.set_sequence(77);
  SetTimestamp(LogTime(1), event.mutable_time());
  const LogRow row = RowOfEvent(event, LogTime(5));
  EXPECT_EQ(row.type, 3);
  EXPECT_EQ(row.time, LogTime(5));
  v1::SessionEvent stored;
  ASSERT_TRUE(stored.ParseFromString(row.bytes));
  EXPECT_EQ(stored.sequence(), 0);
  EXPECT_FALSE(stored.has_time());
  EXPECT_EQ(stored.session_created().model(), "gpt");
}

TEST(LogRow, ReadsBackWhatItWrote) {
  LogRow row = RowOfEvent(AnswerEvent({Said("x")}, 5, 6), LogTime(5) + std::chrono::microseconds(7));
  row.sequence = 9;
  const auto event = EventOfRow(row);
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->sequence(), 9);
  EXPECT_EQ(FromTimestamp(event->time()), row.time);
  EXPECT_EQ(event->model_answered().usage().input_tokens(), 5);
}

TEST(LogRow, KeepsKindsThatItDoesNotKnow) {
  LogRow row;
  row.sequence = 3;
  row.bytes = FutureEvent().SerializeAsString();
  const auto event = EventOfRow(row);
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->kind_case(), v1::SessionEvent::KIND_NOT_SET);
  EXPECT_EQ(RowOfEvent(*event, LogTime(1)).bytes, row.bytes);
}

TEST(LogRow, DamagedBytesNameTheEvent) {
  LogRow row;
  row.sequence = 12;
  row.bytes = "\xff\xff";
  const auto event = EventOfRow(row);
  EXPECT_TRUE(absl::IsDataLoss(event.status()));
  EXPECT_NE(event.status().message().find("12"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::agent
