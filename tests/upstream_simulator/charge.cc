#include "tests/upstream_simulator/charge.h"

#include <algorithm>

#include "absl/status/status.h"
#include "boost/json/parse.hpp"
#include "fmt/format.h"
#include "tests/upstream_simulator/ids.h"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;

// Deep enough for any tool schema, shallow enough for the parser's stack.
constexpr std::size_t kMaxDepth = 256;

std::string_view TextAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

bool FlagAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

// All text of a message's content or of a call's output: a string, or parts with `text` or `refusal`.
std::string ContentText(const json::value* content) {
  if (content == nullptr) return {};
  if (const json::string* text = content->if_string()) return std::string(*text);
  std::string all;
  if (const json::array* parts = content->if_array()) {
    for (const json::value& part : *parts) {
      const json::object* fields = part.if_object();
      if (fields == nullptr) continue;
      all += TextAt(*fields, "text");
      all += TextAt(*fields, "refusal");
    }
  }
  return all;
}

// Follows the conversation item by item.
class Reader {
 public:
  explicit Reader(GenerationRequest& request) : request_(request) {}

  void ResponsesItem(const json::object& item) {
    const std::string_view type = TextAt(item, "type");
    if (type.empty() || type == "message") {
      Message(TextAt(item, "role"), ContentText(item.if_contains("content")));
      return;
    }
    Count(TextAt(item, "arguments"));
    if (type.ends_with("_output")) {
      Count(ContentText(item.if_contains("output")));
      // The answer that asked for it is where `previous_response_id` points.
      request_.step = std::max(request_.step, 1);
    }
    Side(type == "reasoning" || type.ends_with("_call"));
  }

  void ChatMessage(const json::object& message) {
    Message(TextAt(message, "role"), ContentText(message.if_contains("content")));
    const json::value* calls = message.if_contains("tool_calls");
    if (calls == nullptr || !calls->is_array()) return;
    for (const json::value& call : calls->get_array()) {
      const json::object* fields = call.if_object();
      const json::value* function = fields == nullptr ? nullptr : fields->if_contains("function");
      if (function != nullptr && function->is_object()) Count(TextAt(function->get_object(), "arguments"));
    }
  }

  void Message(std::string_view role, std::string text) {
    Count(text);
    if (role == "user") {
      request_.last_user = std::move(text);
      request_.step = 0;
    }
    Side(role == "assistant");
  }

  void Count(std::string_view text) { request_.chars += CodePoints(text); }

 private:
  // A run of the assistant's items is one answer.
  void Side(bool assistant) {
    if (assistant && !in_run_) ++request_.step;
    in_run_ = assistant;
  }

  GenerationRequest& request_;
  bool in_run_ = false;
};

absl::Status ReadCap(const json::object& body, GenerationRequest& request) {
  for (const std::string_view key : {"max_output_tokens", "max_completion_tokens", "max_tokens"}) {
    const json::value* value = body.if_contains(key);
    if (value == nullptr || value->is_null()) continue;
    if (!value->is_int64() || value->get_int64() < 1) {
      return absl::InvalidArgumentError(fmt::format("Invalid value for '{}': expected an integer of at least 1.", key));
    }
    request.max_output_tokens = value->get_int64();
    break;
  }
  return absl::OkStatus();
}

absl::Status ReadItems(const json::object& body, std::string_view key, Reader& reader, GenerationRequest& request) {
  const json::value* items = body.if_contains(key);
  if (items == nullptr) return absl::InvalidArgumentError(fmt::format("Missing required parameter: '{}'.", key));
  if (items->is_string() && request.dialect == Dialect::kResponses) {
    request.input_items = 1;
    reader.Message("user", std::string(items->get_string()));
    return absl::OkStatus();
  }
  if (!items->is_array())
    return absl::InvalidArgumentError(fmt::format("Invalid type for '{}': expected an array.", key));
  for (std::size_t i = 0; i < items->get_array().size(); ++i) {
    const json::object* item = items->get_array()[i].if_object();
    if (item == nullptr) {
      return absl::InvalidArgumentError(fmt::format("Invalid type for '{}[{}]': expected an object.", key, i));
    }
    request.dialect == Dialect::kResponses ? reader.ResponsesItem(*item) : reader.ChatMessage(*item);
  }
  request.input_items = static_cast<std::int64_t>(items->get_array().size());
  return absl::OkStatus();
}

}  // namespace

std::string_view DialectName(Dialect dialect) { return dialect == Dialect::kResponses ? "responses" : "chat"; }

std::int64_t CodePoints(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

absl::StatusOr<GenerationRequest> ReadGenerationRequest(Dialect dialect, std::string_view body) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::error_code error;
  const json::value document = json::parse(body, error, {}, options);
  if (error || !document.is_object()) {
    return absl::InvalidArgumentError("We could not parse the JSON body of your request: a JSON object is expected.");
  }
  const json::object& fields = document.get_object();

  GenerationRequest request;
  request.dialect = dialect;
  request.body_sha256 = Sha256(body);
  request.model = TextAt(fields, "model");
  if (request.model.empty()) return absl::InvalidArgumentError("Missing required parameter: 'model'.");
  request.stream = FlagAt(fields, "stream");
  const json::value* stream_options = fields.if_contains("stream_options");
  if (stream_options != nullptr && stream_options->is_object()) {
    request.include_usage = FlagAt(stream_options->get_object(), "include_usage");
  }
  if (absl::Status status = ReadCap(fields, request); !status.ok()) return status;

  Reader reader(request);
  if (dialect == Dialect::kResponses) {
    reader.Count(TextAt(fields, "instructions"));
    for (const std::string_view key : {"instructions", "tools", "previous_response_id", "store"}) {
      if (const json::value* value = fields.if_contains(key)) request.echo[key] = *value;
    }
  }
  const std::string_view items = dialect == Dialect::kResponses ? "input" : "messages";
  if (absl::Status status = ReadItems(fields, items, reader, request); !status.ok()) return status;
  request.charge = std::max(request.max_output_tokens.value_or(0), request.chars / 4 + 2);
  return request;
}

}  // namespace holdfast::simulator
