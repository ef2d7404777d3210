#include "quota_service/provider/request_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

#include "absl/strings/escaping.h"
#include "quota_service/provider/json_read.h"

namespace holdfast::quota {
namespace {

absl::Status Refuse(std::string_view field, std::string_view problem, std::string_view remedy) {
  return absl::InvalidArgumentError(fmt::format("{}: {}; {}", field, problem, remedy));
}

bool IsNameCharacter(unsigned char c, std::string_view others) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         others.find(static_cast<char>(c)) != std::string_view::npos;
}

bool IsMediaType(std::string_view text) {
  return text.starts_with("image/") && text.size() > 6 && text.size() <= 64 &&
         std::ranges::all_of(text.substr(6), [](unsigned char c) { return IsNameCharacter(c, "-+."); });
}

absl::Status CheckImage(const v1::Image& image, const std::string& field) {
  constexpr std::array<std::string_view, 4> kDetails{"", "low", "high", "auto"};
  if (image.source_case() == v1::Image::SOURCE_NOT_SET) return Refuse(field, "neither url nor data is set", "set one");
  if (image.has_url() && !image.url().starts_with("https://") && !image.url().starts_with("http://")) {
    return Refuse(field + ".url", "not an http(s) URL", "send the bytes in data instead");
  }
  if (image.has_data() && !IsMediaType(image.media_type())) {
    return Refuse(field + ".media_type", "not the media type of an image",
                  "say what data is, for example \"image/png\"");
  }
  if (std::ranges::find(kDetails, image.detail()) == kDetails.end()) {
    return Refuse(field + ".detail", "unknown value", "use low, high or auto, or leave it out");
  }
  return absl::OkStatus();
}

absl::Status CheckPart(const v1::Part& part, v1::Role role, const std::string& field) {
  switch (part.kind_case()) {
    case v1::Part::kText:
      return absl::OkStatus();
    case v1::Part::kImage:
      if (role != v1::ROLE_USER) return Refuse(field + ".image", "only a user can send images", "use ROLE_USER");
      return CheckImage(part.image(), field + ".image");
    case v1::Part::kRefusal:
      if (role != v1::ROLE_ASSISTANT) return Refuse(field + ".refusal", "only the model refuses", "send it as text");
      return absl::OkStatus();
    case v1::Part::KIND_NOT_SET:
      break;
  }
  return Refuse(field, "no kind is set", "set text, image or refusal");
}

absl::Status CheckMessage(const v1::Message& message, const std::string& field) {
  if (message.role() != v1::ROLE_USER && message.role() != v1::ROLE_ASSISTANT && message.role() != v1::ROLE_DEVELOPER) {
    return Refuse(field + ".role", "unspecified or unknown", "use ROLE_USER, ROLE_ASSISTANT or ROLE_DEVELOPER");
  }
  if (message.parts().empty()) return Refuse(field + ".parts", "empty", "add a part, or leave the message out");
  for (int i = 0; i < message.parts_size(); ++i) {
    const absl::Status status = CheckPart(message.parts(i), message.role(), fmt::format("{}.parts[{}]", field, i));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckItem(const v1::Item& item, const std::string& field) {
  constexpr std::string_view kJoin = "send the id that joins the tool's call and its result";
  switch (item.kind_case()) {
    case v1::Item::kMessage:
      return CheckMessage(item.message(), field + ".message");
    case v1::Item::kReasoning:
      return absl::OkStatus();
    case v1::Item::kToolCall:
      if (item.tool_call().call_id().empty()) return Refuse(field + ".tool_call.call_id", "missing", kJoin);
      if (item.tool_call().name().empty()) return Refuse(field + ".tool_call.name", "missing", "name the tool");
      return absl::OkStatus();
    case v1::Item::kToolResult:
      if (item.tool_result().call_id().empty()) return Refuse(field + ".tool_result.call_id", "missing", kJoin);
      return absl::OkStatus();
    case v1::Item::KIND_NOT_SET:
      break;
  }
  return Refuse(field, "no kind is set", "set message, reasoning, tool_call or tool_result");
}

absl::Status CheckTool(const v1::Tool& tool, const std::string& field) {
  const std::string& name = tool.name();
  if (name.empty() || name.size() > 64 ||
      !std::ranges::all_of(name, [](unsigned char c) { return IsNameCharacter(c, "_-"); })) {
    return Refuse(field + ".name", "not a tool's name", "use 1 to 64 of A-Z a-z 0-9 _ -");
  }
  if (tool.parameters().empty()) return absl::OkStatus();
  const auto schema = ParseJson(tool.parameters());
  // Written and read again: a number such as 1e999 is read, but cannot be written.
  if (!schema || !schema->is_object() || !ParseJson(boost::json::serialize(*schema))) {
    return Refuse(field + ".parameters", "not a JSON object", "send a JSON Schema object as text, or leave it out");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckExpressible(const v1::GenerateRequest& request) {
  if (request.items().empty()) return Refuse("items", "empty", "send at least one item");
  for (int i = 0; i < request.items_size(); ++i) {
    const absl::Status status = CheckItem(request.items(i), fmt::format("items[{}]", i));
    if (!status.ok()) return status;
  }
  for (int i = 0; i < request.tools_size(); ++i) {
    const absl::Status status = CheckTool(request.tools(i), fmt::format("tools[{}]", i));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

boost::json::value ToolParameters(const v1::Tool& tool) {
  if (auto schema = ParseJson(tool.parameters())) return std::move(*schema);
  return boost::json::object{{"type", "object"}, {"properties", boost::json::object()}};
}

std::string ImageUrl(const v1::Image& image) {
  if (image.has_url()) return image.url();
  return fmt::format("data:{};base64,{}", image.media_type(), absl::Base64Escape(image.data()));
}

}  // namespace holdfast::quota
