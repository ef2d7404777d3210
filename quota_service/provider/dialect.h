#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "holdfast/quota/v1/quota.pb.h"
#include "quota_service/provider/tap.h"

namespace holdfast::quota {

// Receives what a typed tap makes of the stream: events of kind delta, item or completed; `event` and `incarnation` are
// not set.
using EmitEvent = std::function<void(v1::GenerateEvent)>;

// One provider wire format for typed calls: JSON out of a GenerateRequest, GenerateEvents out of server-sent events.
// Stateless.
class Dialect {
 public:
  virtual ~Dialect() = default;
  // "responses" or "chat".
  virtual std::string_view name() const = 0;
  // Under the upstream's base URL, for example "/responses".
  virtual std::string_view path() const = 0;
  // The JSON body of a streaming request. `account` is the upstream's name: reasoning of another origin is dropped.
  // Deterministic. INVALID_ARGUMENT names the field that this dialect cannot express.
  virtual absl::StatusOr<std::string> BuildBody(const v1::GenerateRequest& request, std::string_view upstream_model,
                                                std::string_view account) const = 0;
  // For one attempt. `account` becomes the origin of reasoning items.
  virtual std::unique_ptr<Tap> NewTap(std::string_view account, EmitEvent emit) const = 0;
};

// Live for ever. Unknown name: null.
const Dialect* FindDialect(std::string_view name);

}  // namespace holdfast::quota
