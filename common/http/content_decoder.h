#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace holdfast {

// Undoes one Content-Encoding, piece by piece.
class ContentDecoder {
 public:
  virtual ~ContentDecoder() = default;

  // Appends what `bytes` decode to, at most about 1 MiB in one call, and takes what it has read off `bytes`; call it
  // again until they are empty and nothing is pending. INVALID_ARGUMENT: they are not of this encoding.
  virtual absl::Status Feed(std::string_view* bytes, std::string* decoded) = 0;
  virtual bool pending() const = 0;
  // Nothing more comes. INVALID_ARGUMENT: it ended too early.
  virtual absl::Status Finish() = 0;

  // `encoding`: the header's value. Null for "identity" and an empty one; UNIMPLEMENTED names those that are known.
  static absl::StatusOr<std::unique_ptr<ContentDecoder>> Make(std::string_view encoding);
};

}  // namespace holdfast
