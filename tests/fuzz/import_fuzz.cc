// A file that is imported as a session: lines that any program may have written, well checked or not, and logs that no
// session would write. What is taken can be read within bounds, and comes out again as it went in.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent_service/host/log_row.h"
#include "agent_service/transfer/export_lines.h"
#include "agent_service/transfer/import_bounds.h"
#include "agent_service/transfer/import_lines.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::agent {
namespace {

using fuzz::Check;

constexpr auto kTime = WallTime(std::chrono::seconds(1'750'000'000));

absl::StatusOr<ImportedLog> Import(std::string_view text, size_t piece) {
  ImportLines lines;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    if (absl::Status status = lines.Feed(text.substr(0, piece)); !status.ok()) return status;
  }
  return lines.Finish();
}

std::string Export(ExportHeader header, const std::vector<LogRow>& rows) {
  header.events = static_cast<int64_t>(rows.size());
  ExportLines lines;
  std::string text = lines.Header(header);
  for (const LogRow& row : rows) {
    const auto line = lines.Event(row);
    Check(line.ok(), "what is a row of a log can be exported: " + line.status().ToString());
    text += *line;
  }
  return text + lines.End();
}

void CheckTaken(const ImportedLog& log) {
  SessionState state;
  ImportBounds bounds;
  for (const LogRow& row : log.rows) {
    const auto event = EventOfRow(row);
    Check(event.ok(), "what was imported can be read");
    Check(bounds.Take(*event).ok(), "what was imported is within the bounds");
    state.Apply(*event);
    Check(bounds.items() >= state.conversation().size(), "the bounds count all of the conversation");
  }
  const auto again = Import(Export(log.header, log.rows), 1000);
  Check(again.ok(), "what was imported can be exported and imported again: " + again.status().ToString());
  Check(again->rows.size() == log.rows.size(), "with all of its events");
  for (size_t i = 0; i < log.rows.size(); ++i)
    Check(again->rows[i].bytes == log.rows[i].bytes && again->rows[i].type == log.rows[i].type, "each as it was");
}

void CheckImport(const std::string& text, size_t piece) {
  const auto log = Import(text, piece);
  if (log.ok()) return CheckTaken(*log);
  Check(absl::IsInvalidArgument(log.status()), log.status().ToString());
  Check(log.status().message().substr(0, 5) == "line ", "the line is named");
}

// Each row: two bytes for the length of what follows. Lengths, kinds and sequences are right, what they tell need not.
void TestRows(fuzz::Input input) {
  std::vector<LogRow> rows;
  ExportHeader header{"s", "", "", kTime, 0};
  while (!input.empty() && rows.size() < 64) {
    const size_t length = input.Number(2);
    LogRow row;
    row.bytes = input.Text(length);
    const auto event = EventOfRow(row);
    if (!event.ok()) continue;
    if (rows.empty() && event->has_session_created()) {
      header.model = event->session_created().model();
      header.workspace = event->session_created().workspace();
    }
    rows.push_back(RowOfEvent(*event, kTime));
    rows.back().sequence = static_cast<int64_t>(rows.size());
  }
  if (!rows.empty()) CheckImport(Export(header, rows), 777);
}

// Lines without their checks, which are made here: few inputs would have them right.
void TestLines(fuzz::Input input) {
  std::string text;
  Sha256 all;
  int64_t lines = 0;
  while (!input.empty()) {
    const std::string_view object = input.TextUntil("\n");
    if (object.empty()) continue;
    text += CheckedLine(object);
    ++lines;
  }
  all.Add(text);
  text +=
      CheckedLine(R"({"type":"end","events":)" + std::to_string(lines - 1) + R"(,"sha256":")" + all.Hex() + R"("})");
  CheckImport(text, 7);
}

void Test(fuzz::Input input) {
  switch (input.Byte() % 3) {
    case 0:
      return TestRows(input);
    case 1:
      return TestLines(input);
    default:
      return CheckImport(std::string(input.Rest()), 3);
  }
}

}  // namespace
}  // namespace holdfast::agent

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);  // it tells of every text that is not UTF-8
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::agent::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
