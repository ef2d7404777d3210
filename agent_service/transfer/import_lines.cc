#include "agent_service/transfer/import_lines.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <boost/json/parse.hpp>
#include <initializer_list>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "agent_service/host/log_row.h"
#include "agent_service/session/timestamp.h"
#include "common/base/utf8.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {
namespace {

namespace json = boost::json;
namespace pb = google::protobuf;

constexpr char kCheck[] = ",\"check\":\"";
constexpr size_t kCheckDigits = 16;
constexpr size_t kMostModel = 256;
constexpr size_t kMostPath = 4096;
constexpr size_t kMostId = 64;

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

// The members of a line's object. Every one that is asked for is of its type, and there are no others.
class Fields {
 public:
  static absl::StatusOr<Fields> Of(std::string_view line) {
    json::error_code error;
    json::value value = json::parse(boost::json::string_view(line.data(), line.size()), error);
    if (error) return Bad(fmt::format("is no JSON: {}", error.message()));
    if (!value.is_object()) return Bad("is no JSON object");
    return Fields(std::move(value.as_object()));
  }

  absl::StatusOr<std::string> Text(const char* name, size_t max_bytes = std::numeric_limits<size_t>::max()) {
    const json::value* value = Take(name);
    if (value == nullptr || !value->is_string()) return Bad(fmt::format("{}: must be a string", name));
    if (value->as_string().size() > max_bytes) return Bad(fmt::format("{}: must be at most {} bytes", name, max_bytes));
    return std::string(View(value->as_string()));
  }
  absl::StatusOr<int64_t> Number(const char* name, int64_t least, int64_t most) {
    const json::value* value = Take(name);
    if (value == nullptr || !value->is_int64() || value->as_int64() < least || value->as_int64() > most)
      return Bad(fmt::format("{}: must be a whole number from {} to {}", name, least, most));
    return value->as_int64();
  }
  absl::StatusOr<WallTime> Time(const char* name) {
    absl::StatusOr<std::string> text = Text(name);
    pb::Timestamp timestamp;
    if (!text.ok() || !pb::util::TimeUtil::FromString(*text, &timestamp))
      return Bad(fmt::format("{}: must be a time such as 2026-11-23T10:00:00.5Z", name));
    return FromTimestamp(timestamp);
  }
  const json::value* Take(const char* name) {
    const json::value* value = object_.if_contains(name);
    if (value != nullptr) ++taken_;
    return value;
  }
  // Everything was taken.
  absl::Status Done() const {
    return object_.size() == taken_ ? absl::OkStatus() : Bad("has members that this version does not know");
  }

 private:
  explicit Fields(json::object object) : object_(std::move(object)) {}

  json::object object_;
  size_t taken_ = 2;  // type and check
};

// The text of a member's value, in an object that was parsed. Boost.JSON rounds some numbers to a neighbour; what they
// are written as is exact. Empty: the name is written with escapes, or is not there.
std::string_view ValueText(std::string_view object, std::string_view name) {
  std::string_view found;
  std::string_view key;
  bool key_is_due = false;
  size_t value = 0;
  int depth = 0;
  for (size_t i = 0; i < object.size(); ++i) {
    const char c = object[i];
    if (c == '"') {
      const size_t begin = i + 1;
      for (++i; i < object.size() && object[i] != '"'; ++i) i += object[i] == '\\' ? 1 : 0;
      if (depth == 1 && std::exchange(key_is_due, false)) key = object.substr(begin, i - begin);
      continue;
    }
    if (depth == 1 && c == ':') value = i + 1;
    if (depth == 1 && (c == ',' || c == '}')) {
      if (key == name) found = object.substr(value, i - value);
      key_is_due = true;
    }
    if (c == '{' || c == '[') key_is_due = ++depth == 1;
    if (c == '}' || c == ']') --depth;
  }
  return found;
}

absl::StatusOr<std::string> EventBytes(Fields& fields, std::string_view line) {
  if (const json::value* event = fields.Take("event")) {
    if (!event->is_object()) return Bad("event: must be an object");
    v1::SessionEvent parsed;
    const auto status = pb::util::JsonStringToMessage(std::string(ValueText(line, "event")), &parsed);
    if (!status.ok()) return Bad(fmt::format("event: {}", RepairUtf8(status.ToString())));
    return parsed.SerializeAsString();
  }
  const absl::StatusOr<std::string> text = fields.Text("bytes");
  std::string bytes;
  if (!text.ok() || !absl::Base64Unescape(absl::string_view(text->data(), text->size()), &bytes))
    return Bad("event, or bytes in base64, must be there");
  return bytes;
}

}  // namespace

absl::Status ImportLines::Feed(std::string_view bytes) {
  bytes_ += bytes.size();
  if (bytes_ > kMostBytes) return Bad(fmt::format("the file is larger than {} bytes", kMostBytes));
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    if (rest_.size() + std::min(end, bytes.size()) > kMostLineBytes)
      return Bad(fmt::format("line {}: is longer than {} bytes", line_ + 1, kMostLineBytes));
    rest_ += bytes.substr(0, end);
    if (end == std::string_view::npos) return absl::OkStatus();
    bytes.remove_prefix(end + 1);
    ++line_;
    if (absl::Status status = ReadLine(rest_); !status.ok())
      return Bad(fmt::format("line {}: {}", line_, std::string(status.message())));
    rest_.clear();
  }
  return absl::OkStatus();
}

absl::StatusOr<ImportedLog> ImportLines::Finish() {
  if (!ended_ || !rest_.empty()) {
    return Bad(fmt::format("line {}: the file ends before its last line; was it cut off?", line_ + 1));
  }
  return std::move(log_);
}

absl::Status ImportLines::ReadLine(std::string_view line) {
  if (ended_) return Bad("comes after the end");
  // The check is last, so that it can be tested before anything else is believed.
  const size_t check = line.rfind(kCheck);
  const size_t length = std::string_view(kCheck).size() + kCheckDigits + 2;
  if (check == std::string_view::npos || line.size() - check != length || !line.ends_with("\"}"))
    return Bad(line_ == 1 ? "is not the first line of an exported session"
                          : "has no check at its end; the file is damaged or no export");
  Sha256 of_line;
  of_line.Add(line.substr(0, check));
  of_line.Add("}");
  if (of_line.Hex().substr(0, kCheckDigits) != line.substr(check + length - kCheckDigits - 2, kCheckDigits))
    return Bad("does not match its check; the file is damaged, or was changed");

  absl::Status status;
  if (line_ == 1) {
    status = ReadHeader(line);
  } else if (line.starts_with(R"({"type":"end")")) {
    status = ReadEnd(line);
  } else {
    status = ReadEvent(line);
  }
  if (ended_) return status;
  all_.Add(line);
  all_.Add("\n");
  return status;
}

absl::Status ImportLines::ReadHeader(std::string_view line) {
  absl::StatusOr<Fields> fields = Fields::Of(line);
  if (!fields.ok()) return fields.status();
  if (!line.starts_with(R"({"type":"holdfast.session")")) return Bad("is not the first line of an exported session");
  const absl::StatusOr<int64_t> version = fields->Number("version", 1, std::numeric_limits<int64_t>::max());
  if (!version.ok()) return version.status();
  if (*version > kExportVersion) {
    return Bad(fmt::format("version: {} is newer than the {} that this agent_service knows; import with a newer one",
                           *version, kExportVersion));
  }
  absl::StatusOr<std::string> id = fields->Text("session_id", kMostId);
  if (!id.ok()) return id.status();
  absl::StatusOr<std::string> model = fields->Text("model", kMostModel);
  if (!model.ok()) return model.status();
  absl::StatusOr<std::string> workspace = fields->Text("workspace", kMostPath);
  if (!workspace.ok()) return workspace.status();
  absl::StatusOr<WallTime> exported = fields->Time("exported");
  if (!exported.ok()) return exported.status();
  const absl::StatusOr<int64_t> events = fields->Number("events", 1, kMostEvents);
  if (!events.ok()) return events.status();
  log_.header = {*std::move(id), *std::move(model), *std::move(workspace), *exported, *events};
  return fields->Done();
}

absl::Status ImportLines::ReadEvent(std::string_view line) {
  absl::StatusOr<Fields> fields = Fields::Of(line);
  if (!fields.ok()) return fields.status();
  if (!line.starts_with(R"({"type":"event")")) return Bad("type: must be event or end");
  LogRow row;
  const auto next = static_cast<int64_t>(log_.rows.size()) + 1;
  const absl::StatusOr<int64_t> sequence = fields->Number("sequence", 1, kMostEvents);
  if (!sequence.ok()) return sequence.status();
  if (*sequence != next) return Bad(fmt::format("sequence: is {} where {} is due", *sequence, next));
  row.sequence = next;
  const absl::StatusOr<WallTime> time = fields->Time("time");
  if (!time.ok()) return time.status();
  row.time = *time;
  const absl::StatusOr<int64_t> kind = fields->Number("kind", 0, std::numeric_limits<int32_t>::max());
  if (!kind.ok()) return kind.status();
  const absl::StatusOr<int64_t> schema = fields->Number("schema_version", 1, std::numeric_limits<int32_t>::max());
  if (!schema.ok()) return schema.status();
  absl::StatusOr<std::string> bytes = EventBytes(*fields, line);
  if (!bytes.ok()) return bytes.status();
  row.type = static_cast<int32_t>(*kind);
  row.schema_version = static_cast<int32_t>(*schema);
  row.bytes = *std::move(bytes);
  const absl::StatusOr<v1::SessionEvent> event = EventOfRow(row);
  if (!event.ok()) return Bad("bytes: are no event");
  if (event->kind_case() != v1::SessionEvent::KIND_NOT_SET && event->kind_case() != row.type)
    return Bad(fmt::format("kind: is {}, the event is of kind {}", row.type, static_cast<int>(event->kind_case())));
  if (next == 1 && !event->has_session_created()) return Bad("event: the first must be session_created");
  if (next == 1 && event->session_created().model() != log_.header.model)
    return Bad("event: session_created.model is not the header's");
  if (next == 1 && event->session_created().workspace() != log_.header.workspace)
    return Bad("event: session_created.workspace is not the header's");
  if (absl::Status status = bounds_.Take(*event); !status.ok()) return status;
  log_.rows.push_back(std::move(row));
  return fields->Done();
}

absl::Status ImportLines::ReadEnd(std::string_view line) {
  absl::StatusOr<Fields> fields = Fields::Of(line);
  if (!fields.ok()) return fields.status();
  const auto count = static_cast<int64_t>(log_.rows.size());
  const absl::StatusOr<int64_t> events = fields->Number("events", 1, kMostEvents);
  if (!events.ok()) return events.status();
  if (*events != count || log_.header.events != count)
    return Bad(fmt::format("events: {} came, the first line says {}, the last {}", count, log_.header.events, *events));
  const absl::StatusOr<std::string> sha256 = fields->Text("sha256");
  if (!sha256.ok()) return sha256.status();
  if (*sha256 != all_.Hex()) return Bad("sha256: does not match the lines before; lines were changed");
  ended_ = true;
  return fields->Done();
}

}  // namespace holdfast::agent
