#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "absl/status/status.h"
#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast::quota {

// What every dialect asks of a request. INVALID_ARGUMENT names the first field that cannot be expressed, and the
// remedy.
absl::Status CheckExpressible(const v1::GenerateRequest& request);

// For fields of a request that passed CheckExpressible.

// The JSON Schema of the tool's parameters; without any, that of an empty object.
boost::json::value ToolParameters(const v1::Tool& tool);
// The image's own URL, or a data URL with its bytes.
std::string ImageUrl(const v1::Image& image);

}  // namespace holdfast::quota
