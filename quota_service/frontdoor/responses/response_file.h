#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sqlite/sqlite.h"
#include "quota_service/frontdoor/responses/response_index.h"

namespace holdfast::quota {

// What changed of an index: remembered, or where there is no response, forgotten.
using ResponseChanges = std::map<ResponseKey, std::optional<KnownResponse>>;

// An index in an SQLite file (WAL, synchronous=NORMAL: a power cut may take the last seconds). One thread at a time.
class ResponseFile {
 public:
  // Makes the file (0600) if need be, checks it for damage and migrates an older schema. FAILED_PRECONDITION: of a
  // newer release, or no database of ours; DATA_LOSS: damaged; UNAVAILABLE: cannot be opened.
  static absl::StatusOr<ResponseFile> Open(const std::string& path);

  // In the order in which they were made.
  absl::Status Load(const std::function<void(ResponseKey, KnownResponse)>& take);
  // All of it, or nothing.
  absl::Status Write(const ResponseChanges& changes);

 private:
  explicit ResponseFile(sqlite::Connection connection) : connection_(std::move(connection)) {}

  sqlite::Connection connection_;
};

}  // namespace holdfast::quota
