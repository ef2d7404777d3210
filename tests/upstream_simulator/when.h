#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/upstream_simulator/charge.h"
#include "tests/upstream_simulator/field_reader.h"

namespace holdfast::simulator {

// Which requests an answer or a fault is for. An absent condition is always true.
struct When {
  std::optional<std::string> last_user_contains;
  std::optional<std::int64_t> step;
  std::optional<Dialect> path;
  std::optional<std::string> model;
};

// Reads the member `when`; every request where it is absent.
When ReadWhen(FieldReader& parent);

bool Matches(const When& when, const GenerationRequest& request);

}  // namespace holdfast::simulator
