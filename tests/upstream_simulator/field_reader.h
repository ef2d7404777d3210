#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "boost/json/value.hpp"

namespace holdfast::simulator {

// Reads the members of one JSON object strictly and keeps the first error, which names the place: "answers[2].chunks:
// …". A member that nobody asked for is an error. Outputs keep their value where the member is absent.
class FieldReader {
 public:
  // `where` is empty for the document itself. `value` must outlive the reader.
  FieldReader(const boost::json::value& value, std::string where);

  // Null where absent. The member counts as known from now on.
  const boost::json::value* Find(std::string_view key);

  void Integer(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t& out);
  void Integer(std::string_view key, std::int64_t low, std::int64_t high, std::optional<std::int64_t>& out);
  void Number(std::string_view key, double low, double high, double& out);
  void Boolean(std::string_view key, bool& out);
  void Text(std::string_view key, std::string& out);
  void Text(std::string_view key, std::optional<std::string>& out);
  // The index of the member's text in `names`; `out` keeps its value where the member is absent.
  void Choice(std::string_view key, std::initializer_list<std::string_view> names, std::size_t& out);

  // "answers[2]" and "chunks" make "answers[2].chunks".
  std::string Place(std::string_view key) const;
  void Fail(std::string_view key, std::string_view message);
  void Take(const absl::Status& status);

  // The first error, INVALID_ARGUMENT; unknown members count. To be called last.
  absl::Status Finish();

 private:
  const boost::json::object* object_ = nullptr;
  std::string where_;
  std::set<std::string, std::less<>> known_;
  absl::Status status_;
};

}  // namespace holdfast::simulator
