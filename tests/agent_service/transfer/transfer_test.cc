#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "agent_service/host/log_row.h"
#include "agent_service/transfer/export_lines.h"
#include "agent_service/transfer/import_lines.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::vector<LogRow> Rows() {
  std::vector<LogRow> rows;
  const auto events = Numbered({CreatedEvent("o4-mini", "/w"), TurnEvent("k1", "one \"quoted\"\nünï"), CallEvent(1),
                                WaitEvent(4, 30), AnswerEvent({Said("uno"), Asked("c1")}, 100, 10, 1.1),
                                ResultEvent("c1", std::string("\x01 \u2028", 5)), FutureEvent(), FailedEvent()});
  for (const v1::SessionEvent& event : events) {
    rows.push_back(RowOfEvent(event, LogTime(event.sequence()) + std::chrono::microseconds(7)));
    rows.back().sequence = event.sequence();
  }
  return rows;
}

std::string Exported(const std::vector<LogRow>& rows) {
  ExportLines lines;
  std::string text = lines.Header({"s1", "o4-mini", "/w", LogTime(100), static_cast<int64_t>(rows.size())});
  for (const LogRow& row : rows) {
    const auto line = lines.Event(row);
    EXPECT_TRUE(line.ok()) << line.status();
    text += line.value_or("");
  }
  return text + lines.End();
}

absl::StatusOr<ImportedLog> Imported(std::string_view text, size_t piece = 1000) {
  ImportLines lines;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    if (absl::Status status = lines.Feed(text.substr(0, piece)); !status.ok()) return status;
  }
  return lines.Finish();
}

// The file with line `number` (from 1) replaced by `object`, well checked.
std::string WithLine(const std::string& text, int number, const std::string& object) {
  size_t begin = 0;
  for (int line = 1; line < number; ++line) begin = text.find('\n', begin) + 1;
  const size_t end = text.find('\n', begin) + 1;
  return text.substr(0, begin) + CheckedLine(object) + text.substr(end);
}

std::string LineOf(const std::string& text, int number) {
  size_t begin = 0;
  for (int line = 1; line < number; ++line) begin = text.find('\n', begin) + 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

void ExpectRefused(const std::string& text, const std::string& why) {
  const auto log = Imported(text);
  ASSERT_FALSE(log.ok());
  EXPECT_TRUE(absl::IsInvalidArgument(log.status()));
  EXPECT_THAT(std::string(log.status().message()), HasSubstr(why));
}

TEST(Transfer, EveryRowComesBackByteForByteHoweverTheFileIsCut) {
  const std::vector<LogRow> rows = Rows();
  const std::string text = Exported(rows);
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}, text.size()}) {
    const auto log = Imported(text, piece);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_EQ(log->rows.size(), rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(log->rows[i].sequence, rows[i].sequence);
      EXPECT_EQ(log->rows[i].time, rows[i].time);
      EXPECT_EQ(log->rows[i].type, rows[i].type);
      EXPECT_EQ(log->rows[i].bytes, rows[i].bytes);
    }
    EXPECT_EQ(log->header.session_id, "s1");
    EXPECT_EQ(log->header.exported, LogTime(100));
  }
}

// Found by fuzzing: Boost.JSON reads some numbers as their neighbour.
TEST(Transfer, NumbersComeBackToTheLastBit) {
  std::vector<LogRow> rows = Rows();
  for (const double seconds : {3.0159005133683385e-24, 0.1 + 0.2, 1.0 / 3, 123456.78901234567, 1e300}) {
    rows.push_back(RowOfEvent(AnswerEvent({Said("\"event\":{ [ \\")}, 1, 1, seconds), LogTime(9)));
    rows.back().sequence = static_cast<int64_t>(rows.size());
  }
  const std::string text = Exported(rows);
  EXPECT_THAT(LineOf(text, 10), HasSubstr("3.0159005133683385e-24")) << "readable all the same";
  const auto log = Imported(text);
  ASSERT_TRUE(log.ok()) << log.status();
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(log->rows[i].bytes, rows[i].bytes) << i;
}

TEST(Transfer, EventsAreReadableAndUnknownOnesAreKeptAsBytes) {
  const std::string text = Exported(Rows());
  EXPECT_THAT(LineOf(text, 3), HasSubstr(R"("event":{"turn_started":{"turn_id":"t1","client_key":"k1")"));
  EXPECT_THAT(LineOf(text, 8), HasSubstr(R"("bytes":")"));
}

TEST(Transfer, AnyByteThatChangesIsNoticedAndItsLineNamed) {
  const std::string text = Exported(Rows());
  std::mt19937 random(20261123);
  for (int i = 0; i < 400; ++i) {
    std::string damaged = text;
    const size_t at = random() % text.size();
    damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1 << (random() % 8)));
    const auto log = Imported(damaged);
    ASSERT_FALSE(log.ok()) << "byte " << at;
    EXPECT_THAT(std::string(log.status().message()), StartsWith("line ")) << "byte " << at;
  }
}

TEST(Transfer, AFileThatIsCutOffAnywhereIsRefused) {
  const std::string text = Exported(Rows());
  for (size_t size = 0; size < text.size(); size += 11) EXPECT_FALSE(Imported(text.substr(0, size)).ok()) << size;
}

TEST(Transfer, LinesThatAreMissingTwiceOrSwappedAreRefused) {
  const std::string text = Exported(Rows());
  const std::string third = LineOf(text, 3) + "\n";
  const std::string fourth = LineOf(text, 4) + "\n";
  std::string missing = text;
  missing.erase(missing.find(third), third.size());
  ExpectRefused(missing, "sequence: is 3 where 2 is due");
  std::string twice = text;
  twice.insert(twice.find(third), third);
  ExpectRefused(twice, "sequence: is 2 where 3 is due");
  std::string swapped = text;
  swapped.replace(swapped.find(third), third.size() + fourth.size(), fourth + third);
  ExpectRefused(swapped, "sequence: is 3 where 2 is due");
  ExpectRefused(text + third, "comes after the end");
}

TEST(Transfer, WhatIsWellCheckedButWrongIsRefusedWithTheField) {
  const std::string text = Exported(Rows());
  const auto header = [](const std::string& rest) { return R"({"type":"holdfast.session",)" + rest + "}"; };
  const std::string good =
      R"("version":1,"session_id":"s","model":"o4-mini","workspace":"/w","exported":"2026-01-01T00:00:00Z")";
  ExpectRefused(WithLine(text, 1, header(R"("version":2)")), "line 1: version: 2 is newer");
  ExpectRefused(WithLine(text, 1, header(R"("version":"1")")), "line 1: version: must be a whole number");
  ExpectRefused(WithLine(text, 1, header(good + R"(,"events":0)")), "line 1: events:");
  ExpectRefused(WithLine(text, 1, header(good + R"(,"events":8,"more":1)")), "line 1: has members");
  ExpectRefused(WithLine(text, 1, header(good + R"(,"events":7)")), "events: 8 came, the first line says 7");
  ExpectRefused(WithLine(text, 1, R"({"type":"other"})"), "line 1: is not the first line");
  const auto event = [](const std::string& rest) {
    return R"({"type":"event","sequence":1,"time":"2026-01-01T00:00:00Z",)" + rest + "}";
  };
  ExpectRefused(WithLine(text, 2, event(R"("kind":3,"schema_version":1,"event":{"unknown_kind":{}})")),
                "line 2: event:");
  ExpectRefused(WithLine(text, 2, event(R"("kind":4,"schema_version":1,"event":{"turn_started":{}})")),
                "line 2: event: the first must be session_created");
  ExpectRefused(WithLine(text, 2, event(R"("kind":4,"schema_version":1,"event":{"session_created":{}})")),
                "line 2: kind: is 4, the event is of kind 3");
  ExpectRefused(WithLine(text, 2, event(R"("kind":3,"schema_version":1,"event":{"session_created":{"model":"x"}})")),
                "line 2: event: session_created.model is not the header's");
  ExpectRefused(
      WithLine(
          text, 2,
          event(R"("kind":3,"schema_version":1,"event":{"session_created":{"model":"o4-mini","workspace":"/x"}})")),
      "line 2: event: session_created.workspace is not the header's");
  ExpectRefused(WithLine(text, 2, event(R"("kind":3,"schema_version":1,"bytes":"!!")")), "line 2: event, or bytes");
  ExpectRefused(WithLine(text, 2, R"({"type":"event","sequence":1,"time":"yesterday"})"), "line 2: time:");
  ExpectRefused(WithLine(text, 10, R"({"type":"end","events":8,"sha256":"00"})"), "line 10: sha256:");
  ExpectRefused("hello\n", "line 1: is not the first line of an exported session");
  ExpectRefused("", "line 1: the file ends");
}

TEST(Transfer, WorkThatAFileWouldMakeIsRefusedWithTheLineThatIsTooMuch) {
  std::vector<LogRow> rows = Rows();
  v1::SessionEvent restored;
  restored.mutable_session_restored()->set_to_sequence(9);
  ExpectRefused(Exported([&] {
                  rows.push_back(RowOfEvent(restored, LogTime(9)));
                  rows.back().sequence = 9;
                  return rows;
                }()),
                "line 10: event.session_restored.to_sequence: must be that of an event before it");
}

TEST(Transfer, ALineWithoutEndIsGivenUp) {
  ImportLines lines;
  const std::string piece(1 << 20, 'x');
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = lines.Feed(piece);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
}

}  // namespace
}  // namespace holdfast::agent
