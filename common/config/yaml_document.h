#pragma once

#include <yaml-cpp/node/node.h>

#include <string>

#include "absl/status/statusor.h"

namespace holdfast {

// The one document of a YAML text; null where the text has none. INVALID_ARGUMENT names `name`, the line and what is
// wrong, a second document among it.
absl::StatusOr<YAML::Node> LoadYamlDocument(const std::string& text, const std::string& name);

// Counts from 1. What was not in the file has no place; the first line stands for it.
int LineOf(const YAML::Mark& mark);

}  // namespace holdfast
