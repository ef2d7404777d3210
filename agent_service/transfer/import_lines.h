#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent_service/transfer/export_lines.h"
#include "agent_service/transfer/import_bounds.h"

namespace holdfast::agent {

struct ImportedLog {
  ExportHeader header;
  std::vector<LogRow> rows;
};

// Reads docs/export-format.md from bytes that come in pieces, and believes nothing. Pure. After an error it is of no
// more use.
class ImportLines {
 public:
  static constexpr size_t kMostBytes = size_t{512} << 20;
  static constexpr size_t kMostLineBytes = size_t{64} << 20;
  static constexpr int64_t kMostEvents = 1'000'000;

  // INVALID_ARGUMENT names the line (from 1) and what is wrong with it.
  absl::Status Feed(std::string_view bytes);
  // After the last piece.
  absl::StatusOr<ImportedLog> Finish();

 private:
  absl::Status ReadLine(std::string_view line);
  absl::Status ReadHeader(std::string_view line);
  absl::Status ReadEvent(std::string_view line);
  absl::Status ReadEnd(std::string_view line);

  ImportedLog log_;
  ImportBounds bounds_;
  Sha256 all_;
  std::string rest_;  // a line whose end has not come
  size_t bytes_ = 0;
  int64_t line_ = 0;
  bool ended_ = false;
};

}  // namespace holdfast::agent
