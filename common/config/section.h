#pragma once

#include <yaml-cpp/node/node.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/address.h"
#include "common/base/clock.h"

namespace holdfast {

// One key of a configuration file, as the code that reads it describes it.
struct ConfigKey {
  std::string path;  // "upstreams[].limits[].models"
  std::string type;
  std::string doc;
};

// A mapping of a YAML configuration file, read strictly: a key that nobody reads is an error, and so is a value of the
// wrong type, none at all, and a second document. Errors name file, line, key and remedy; the first one is kept, later
// ones are usually its consequence. That a key is missing counts last, because it may only be misspelt.
//
// Reading is also the documentation: a Section made by `ForReference` has no values, and collects every key that is
// asked for.
class Section {
 public:
  // `name` stands for the file in errors. Anything but a mapping (or nothing at all) is an error.
  static absl::StatusOr<Section> Parse(const std::string& text, const std::string& name);
  static absl::StatusOr<Section> ParseFile(const std::string& path);
  static Section ForReference();

  std::optional<std::string> String(std::string_view key, std::string_view doc);
  std::optional<int64_t> Integer(std::string_view key, int64_t least, int64_t most, std::string_view doc);
  std::optional<double> Number(std::string_view key, double least, double most, std::string_view doc);
  std::optional<bool> Boolean(std::string_view key, std::string_view doc);
  std::optional<Duration> Time(std::string_view key, std::string_view doc);
  std::optional<Address> Listen(std::string_view key, std::string_view doc);
  // "64MiB", "256 KiB", "1000": bytes.
  std::optional<int64_t> Bytes(std::string_view key, int64_t least, int64_t most, std::string_view doc);
  std::optional<std::string> OneOf(std::string_view key, const std::vector<std::string>& choices, std::string_view doc);
  std::vector<std::string> Strings(std::string_view key, std::string_view doc);
  // {env: NAME} or {file: PATH}; a value in the file itself is refused. Returns the secret.
  std::optional<std::string> Secret(std::string_view key, std::string_view doc);
  // Calls `read` where the key is there (for reference: always). Unread keys inside are errors too.
  void Map(std::string_view key, std::string_view doc, const std::function<void(Section&)>& read);
  void List(std::string_view key, std::string_view doc, const std::function<void(Section&)>& read);

  // The key is known, but what it says does not matter here.
  void Skip(std::string_view key);
  bool Has(std::string_view key) const;
  // For rules that the types cannot say. `remedy` completes "<file>:<line>: <key>: ".
  void Fail(std::string_view key, std::string_view remedy);

  // Call once, last, on the outermost section.
  absl::Status Finish();
  const std::vector<ConfigKey>& keys() const;

 private:
  struct Shared;
  Section(YAML::Node node, std::string path, std::shared_ptr<Shared> shared);

  std::optional<YAML::Node> Find(std::string_view key, std::string_view type, std::string_view doc);
  std::optional<std::string> Scalar(std::string_view key, std::string_view type, std::string_view doc);
  absl::Status ErrorAt(const YAML::Node& node, std::string_view key, std::string_view what) const;
  void FailAt(const YAML::Node& node, std::string_view key, std::string_view what);
  void CheckUnread();
  std::string PathOf(std::string_view key) const;

  YAML::Node node_;
  std::string path_;
  std::shared_ptr<Shared> shared_;
  std::set<std::string, std::less<>> read_;
};

}  // namespace holdfast
