#include "common/config/section.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>

#include "common/base/duration_text.h"
#include "common/config/secret.h"
#include "common/config/small_file.h"
#include "common/config/yaml_document.h"

namespace holdfast {

struct Section::Shared {
  std::string file;
  bool reference = false;
  absl::Status error;
  absl::Status missing;  // that a key is not there; often because it is misspelt, which is then the error
  std::vector<ConfigKey> keys;
};

namespace {

constexpr size_t kMostFileBytes = 16 * 1024 * 1024;

std::string Words(const absl::Status& status) { return std::string(status.message().data(), status.message().size()); }

// The key itself: a value that is not there has no line of its own.
YAML::Node KeyNode(const YAML::Node& map, std::string_view key) {
  for (const auto& entry : map) {
    if (entry.first.IsScalar() && entry.first.Scalar() == key) return entry.first;
  }
  return map;
}

std::string Join(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

}  // namespace

Section::Section(YAML::Node node, std::string path, std::shared_ptr<Shared> shared)
    : node_(std::move(node)), path_(std::move(path)), shared_(std::move(shared)) {}

absl::StatusOr<Section> Section::Parse(const std::string& text, const std::string& name) {
  auto node = LoadYamlDocument(text, name);
  if (!node.ok()) return node.status();
  if (node->IsNull()) *node = YAML::Node(YAML::NodeType::Map);
  if (!node->IsMap())
    return absl::InvalidArgumentError(fmt::format("{}:1: the file must be a mapping of keys to values", name));
  auto shared = std::make_shared<Shared>();
  shared->file = name;
  return Section(*node, "", std::move(shared));
}

absl::StatusOr<Section> Section::ParseFile(const std::string& path) {
  const auto text = ReadSmallFile(path, kMostFileBytes, "the file " + path);
  if (!text.ok()) return absl::Status(text.status().code(), "the configuration: " + Words(text.status()));
  return Parse(*text, path);
}

Section Section::ForReference() {
  auto shared = std::make_shared<Shared>();
  shared->reference = true;
  return Section(YAML::Node(YAML::NodeType::Map), "", std::move(shared));
}

std::string Section::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

absl::Status Section::ErrorAt(const YAML::Node& node, std::string_view key, std::string_view what) const {
  return absl::InvalidArgumentError(
      fmt::format("{}:{}: {}: {}", shared_->file, LineOf(node.Mark()), PathOf(key), what));
}

void Section::FailAt(const YAML::Node& node, std::string_view key, std::string_view what) {
  if (!shared_->reference) shared_->error.Update(ErrorAt(node, key, what));
}

void Section::Fail(std::string_view key, std::string_view remedy) {
  // The const operator[] does not insert.
  const YAML::Node& map = node_;
  if (const YAML::Node found = map[std::string(key)]; found.IsDefined()) {
    FailAt(found, key, remedy);
  } else if (!shared_->reference) {
    shared_->missing.Update(ErrorAt(node_, key, remedy));
  }
}

void Section::Skip(std::string_view key) { read_.emplace(key); }

bool Section::Has(std::string_view key) const { return node_[std::string(key)].IsDefined(); }

std::optional<YAML::Node> Section::Find(std::string_view key, std::string_view type, std::string_view doc) {
  read_.emplace(key);
  if (shared_->reference) shared_->keys.push_back({PathOf(key), std::string(type), std::string(doc)});
  const YAML::Node& map = node_;
  const YAML::Node found = map[std::string(key)];
  if (!found.IsDefined()) return std::nullopt;
  if (found.IsNull()) {
    FailAt(KeyNode(node_, key), key, "has no value; write one, or remove the key");
    return std::nullopt;
  }
  return found;
}

std::optional<std::string> Section::Scalar(std::string_view key, std::string_view type, std::string_view doc) {
  const auto found = Find(key, type, doc);
  if (!found) return std::nullopt;
  if (!found->IsScalar()) {
    FailAt(*found, key, fmt::format("must be a single value: {}", type));
    return std::nullopt;
  }
  return found->Scalar();
}

std::optional<std::string> Section::String(std::string_view key, std::string_view doc) {
  return Scalar(key, "text", doc);
}

std::optional<int64_t> Section::Integer(std::string_view key, int64_t least, int64_t most, std::string_view doc) {
  const auto text = Scalar(key, "whole number", doc);
  if (!text) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < least || value > most) {
    Fail(key, fmt::format("\"{}\" is not a whole number from {} to {}", *text, least, most));
    return std::nullopt;
  }
  return value;
}

std::optional<double> Section::Number(std::string_view key, double least, double most, std::string_view doc) {
  const auto text = Scalar(key, "number", doc);
  if (!text) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || !(value >= least && value <= most)) {
    Fail(key, fmt::format("\"{}\" is not a number from {} to {}", *text, least, most));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> Section::Boolean(std::string_view key, std::string_view doc) {
  const auto text = Scalar(key, "boolean", doc);
  if (!text) return std::nullopt;
  if (*text == "true") return true;
  if (*text == "false") return false;
  Fail(key, fmt::format("\"{}\" is neither true nor false", *text));
  return std::nullopt;
}

std::optional<Duration> Section::Time(std::string_view key, std::string_view doc) {
  const auto text = Scalar(key, "duration", doc);
  if (!text) return std::nullopt;
  const auto value = ParseDuration(*text);
  if (!value.ok()) {
    Fail(key, Words(value.status()));
    return std::nullopt;
  }
  return *value;
}

std::optional<Address> Section::Listen(std::string_view key, std::string_view doc) {
  const auto text = Scalar(key, "address", doc);
  if (!text) return std::nullopt;
  const auto value = ParseAddress(*text);
  if (!value.ok()) {
    Fail(key, Words(value.status()));
    return std::nullopt;
  }
  return *value;
}

std::optional<int64_t> Section::Bytes(std::string_view key, int64_t least, int64_t most, std::string_view doc) {
  const auto text = Scalar(key, "size in bytes", doc);
  if (!text) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  std::string_view unit(end, static_cast<size_t>(text->data() + text->size() - end));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  int shift = -1;
  if (unit.empty() || unit == "B") shift = 0;
  if (unit == "KiB") shift = 10;
  if (unit == "MiB") shift = 20;
  if (unit == "GiB") shift = 30;
  if (error != std::errc() || shift < 0 || number < 0 || number > (most >> shift) || (number << shift) < least) {
    Fail(key, fmt::format("\"{}\" is not a size from {} to {} bytes; write for example 256MiB", *text, least, most));
    return std::nullopt;
  }
  return number << shift;
}

std::optional<std::string> Section::OneOf(std::string_view key, const std::vector<std::string>& choices,
                                          std::string_view doc) {
  const auto text = Scalar(key, Join(choices), doc);
  if (!text) return std::nullopt;
  for (const std::string& choice : choices) {
    if (*text == choice) return text;
  }
  Fail(key, fmt::format("\"{}\" is not one of {}", *text, Join(choices)));
  return std::nullopt;
}

std::vector<std::string> Section::Strings(std::string_view key, std::string_view doc) {
  const auto found = Find(key, "list of texts", doc);
  std::vector<std::string> values;
  if (!found) return values;
  if (!found->IsSequence()) {
    FailAt(*found, key, "must be a list, for example [\"a\", \"b\"]");
    return values;
  }
  for (const YAML::Node& element : *found) {
    if (element.IsScalar() && !element.Scalar().empty()) {
      values.push_back(element.Scalar());
    } else {
      FailAt(element, key, "must be a list of texts, none of them empty");
    }
  }
  return values;
}

std::optional<std::string> Section::Secret(std::string_view key, std::string_view doc) {
  std::optional<std::string> secret;
  const std::string where(key);
  const YAML::Node& map = node_;
  if (const YAML::Node found = map[where]; found.IsDefined() && !found.IsNull() && !found.IsMap()) {
    read_.emplace(key);
    FailAt(found, key, "a secret is never written into the file; write {env: NAME} or {file: PATH}");
    return secret;
  }
  Map(key, doc, [&](Section& source) {
    const auto env = source.String("env", "The environment variable that holds it.");
    const auto file = source.String("file", "The file that holds it.");
    if (env.has_value() == file.has_value()) {
      Fail(key, "write either {env: NAME} or {file: PATH}");
      return;
    }
    const auto value = env ? ReadSecretFromEnv(*env) : ReadSecretFromFile(*file);
    if (value.ok()) {
      secret = *value;
    } else {
      Fail(key, Words(value.status()));
    }
  });
  return secret;
}

void Section::Map(std::string_view key, std::string_view doc, const std::function<void(Section&)>& read) {
  const auto found = Find(key, "mapping", doc);
  if (!found && !shared_->reference) return;
  if (found && !found->IsMap()) {
    FailAt(*found, key, "must be a mapping of keys to values");
    return;
  }
  Section inner(found ? *found : YAML::Node(YAML::NodeType::Map), PathOf(key), shared_);
  read(inner);
  inner.CheckUnread();
}

void Section::List(std::string_view key, std::string_view doc, const std::function<void(Section&)>& read) {
  const auto found = Find(key, "list", doc);
  const std::string path = PathOf(key) + "[]";
  if (!found) {
    if (!shared_->reference) return;
    Section inner(YAML::Node(YAML::NodeType::Map), path, shared_);
    read(inner);
    return;
  }
  if (!found->IsSequence()) {
    FailAt(*found, key, "must be a list");
    return;
  }
  for (const YAML::Node& element : *found) {
    if (!element.IsMap()) {
      FailAt(element, key, "must be a list of mappings");
      return;
    }
    Section inner(element, path, shared_);
    read(inner);
    inner.CheckUnread();
  }
}

void Section::CheckUnread() {
  if (!shared_->error.ok() || shared_->reference) return;
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) {
      FailAt(entry.first, "?", "keys must be plain text");
      return;
    }
    const std::string& key = entry.first.Scalar();
    if (!seen.insert(key).second) {
      FailAt(entry.first, key, "is there twice; keep one");
      return;
    }
    if (!read_.contains(key)) {
      FailAt(entry.first, key, fmt::format("unknown key; known here: {}", Join({read_.begin(), read_.end()})));
      return;
    }
  }
}

absl::Status Section::Finish() {
  CheckUnread();
  return shared_->error.ok() ? shared_->missing : shared_->error;
}

const std::vector<ConfigKey>& Section::keys() const { return shared_->keys; }

}  // namespace holdfast
