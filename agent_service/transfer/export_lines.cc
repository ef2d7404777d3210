#include "agent_service/transfer/export_lines.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/escaping.h"
#include "agent_service/host/log_row.h"
#include "agent_service/session/timestamp.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {
namespace {

namespace json = boost::json;
namespace pb = google::protobuf;

std::string TimeText(WallTime time) {
  pb::Timestamp timestamp;
  SetTimestamp(time, &timestamp);
  return pb::util::TimeUtil::ToString(timestamp);
}

// Empty: its bytes are more than their JSON form says, a later version's fields for example.
std::string JsonOf(const std::string& bytes, const v1::SessionEvent& event) {
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!pb::util::MessageToJsonString(event, &text, options).ok()) return {};
  v1::SessionEvent again;
  if (!pb::util::JsonStringToMessage(text, &again).ok() || again.SerializeAsString() != bytes) return {};
  return text;
}

}  // namespace

std::string CheckedLine(std::string_view object) {
  Sha256 check;
  check.Add(object);
  std::string line(object.substr(0, object.size() - 1));
  line += fmt::format(",\"check\":\"{}\"}}\n", check.Hex().substr(0, 16));
  return line;
}

std::string ExportLines::Add(std::string line) {
  all_.Add(line);
  return line;
}

std::string ExportLines::Header(const ExportHeader& header) {
  const json::object object = {{"type", "holdfast.session"},      {"version", kExportVersion},
                               {"session_id", header.session_id}, {"model", header.model},
                               {"workspace", header.workspace},   {"exported", TimeText(header.exported)},
                               {"events", header.events}};
  return Add(CheckedLine(json::serialize(object)));
}

absl::StatusOr<std::string> ExportLines::Event(const LogRow& row) {
  v1::SessionEvent event;
  if (!event.ParseFromString(row.bytes))
    return absl::DataLossError(fmt::format("event {} of the session's log is damaged", row.sequence));
  ++events_;
  std::string line = fmt::format(R"({{"type":"event","sequence":{},"time":"{}","kind":{},"schema_version":{})",
                                 row.sequence, TimeText(row.time), row.type, row.schema_version);
  const std::string text = JsonOf(row.bytes, event);
  if (text.empty()) {
    line +=
        fmt::format(",\"bytes\":\"{}\"}}", absl::Base64Escape(absl::string_view(row.bytes.data(), row.bytes.size())));
  } else {
    line += fmt::format(",\"event\":{}}}", text);
  }
  return Add(CheckedLine(line));
}

std::string ExportLines::End() {
  return CheckedLine(fmt::format(R"({{"type":"end","events":{},"sha256":"{}"}})", events_, all_.Hex()));
}

}  // namespace holdfast::agent
