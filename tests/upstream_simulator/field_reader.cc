#include "tests/upstream_simulator/field_reader.h"

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace holdfast::simulator {

namespace json = boost::json;

FieldReader::FieldReader(const json::value& value, std::string where)
    : object_(value.if_object()), where_(std::move(where)) {
  if (object_ == nullptr) {
    const std::string_view place = where_.empty() ? "document" : std::string_view(where_);
    status_ = absl::InvalidArgumentError(fmt::format("{}: expected an object", place));
  }
}

const json::value* FieldReader::Find(std::string_view key) {
  known_.emplace(key);
  return object_ == nullptr ? nullptr : object_->if_contains(key);
}

void FieldReader::Integer(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t& out) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_int64() || value->get_int64() < low || value->get_int64() > high) {
    Fail(key, fmt::format("expected an integer from {} to {}", low, high));
    return;
  }
  out = value->get_int64();
}

void FieldReader::Integer(std::string_view key, std::int64_t low, std::int64_t high, std::optional<std::int64_t>& out) {
  if (Find(key) == nullptr) return;
  std::int64_t read = low;
  Integer(key, low, high, read);
  out = read;
}

void FieldReader::Number(std::string_view key, double low, double high, double& out) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  const double read = value->is_number() ? value->to_number<double>() : low - 1;
  if (!(read >= low && read <= high)) {
    Fail(key, fmt::format("expected a number from {} to {}", low, high));
    return;
  }
  out = read;
}

void FieldReader::Boolean(std::string_view key, bool& out) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_bool()) {
    Fail(key, "expected true or false");
    return;
  }
  out = value->get_bool();
}

void FieldReader::Text(std::string_view key, std::string& out) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_string()) {
    Fail(key, "expected a string");
    return;
  }
  out = value->get_string();
}

void FieldReader::Text(std::string_view key, std::optional<std::string>& out) {
  if (Find(key) == nullptr) return;
  Text(key, out.emplace());
}

void FieldReader::Choice(std::string_view key, std::initializer_list<std::string_view> names, std::size_t& out) {
  std::optional<std::string> text;
  Text(key, text);
  if (!text) return;
  std::size_t index = 0;
  for (const std::string_view name : names) {
    if (name == *text) {
      out = index;
      return;
    }
    ++index;
  }
  Fail(key, fmt::format("expected one of {}", fmt::join(names, ", ")));
}

std::string FieldReader::Place(std::string_view key) const {
  return where_.empty() ? std::string(key) : fmt::format("{}.{}", where_, key);
}

void FieldReader::Fail(std::string_view key, std::string_view message) {
  Take(absl::InvalidArgumentError(fmt::format("{}: {}", Place(key), message)));
}

void FieldReader::Take(const absl::Status& status) {
  if (status_.ok()) status_ = status;
}

absl::Status FieldReader::Finish() {
  if (status_.ok() && object_ != nullptr) {
    for (const json::key_value_pair& member : *object_) {
      if (!known_.contains(std::string_view(member.key()))) {
        Fail(std::string_view(member.key()), fmt::format("unknown key; known here: {}", fmt::join(known_, ", ")));
      }
    }
  }
  return status_;
}

}  // namespace holdfast::simulator
