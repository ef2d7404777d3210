#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent_service/store/store.h"
#include "agent_service/transfer/sha256.h"
#include "common/base/clock.h"

namespace holdfast::agent {

inline constexpr int kExportVersion = 1;

// What the first line says.
struct ExportHeader {
  std::string session_id;
  std::string model;
  std::string workspace;
  WallTime exported;
  int64_t events = 0;
};

// The line with its check: the first 16 hexadecimal digits of the SHA-256 of `object`, a JSON object without white
// space around it, as the last member. Ends with a newline.
std::string CheckedLine(std::string_view object);

// Writes docs/export-format.md: the header, every row in order, the end. Pure; each returns a line.
class ExportLines {
 public:
  std::string Header(const ExportHeader& header);
  // DATA_LOSS: the row's bytes are no event, or its time cannot be written.
  absl::StatusOr<std::string> Event(const LogRow& row);
  std::string End();

 private:
  std::string Add(std::string line);

  Sha256 all_;
  int64_t events_ = 0;
};

}  // namespace holdfast::agent
