#include "quota_service/provider/error_body.h"

#include <boost/json/array.hpp>

#include "quota_service/provider/json_read.h"
#include "quota_service/retry/delay_text.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMaxParsedBytes = size_t{1} << 20;   // no provider's error is longer
constexpr size_t kMaxMessageBytes = size_t{8} << 10;  // of what is kept before sanitizing

std::string_view Head(std::string_view text) { return text.substr(0, kMaxMessageBytes); }

std::string FirstText(const boost::json::value* value, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (!FindText(value, key).empty()) return std::string(Head(FindText(value, key)));
  }
  return {};
}

void ReadGoogleDetails(const boost::json::value* error, ErrorBody* read) {
  for (const boost::json::value& detail : FindArray(error, "details")) {
    if (const auto delay = ParseServerDuration(FindText(&detail, "retryDelay"))) read->retry_delay = delay;
    for (const boost::json::value& violation : FindArray(&detail, "violations")) {
      if (FindText(&violation, "quotaId").find("PerDay") != std::string_view::npos) read->per_day = true;
    }
  }
}

// OpenRouter wraps the words of the provider behind it.
void AppendWrappedWords(const boost::json::value* error, ErrorBody* read) {
  const std::string_view raw = Head(FindText(FindObject(error, "metadata"), "raw"));
  if (!raw.empty()) read->message.append(read->message.empty() ? "" : ": ").append(raw);
}

}  // namespace

ErrorBody ReadErrorBody(const boost::json::value& body) {
  const boost::json::array* list = body.if_array();
  const boost::json::value* root = list != nullptr && !list->empty() ? &list->front() : &body;
  const boost::json::value* wrapped = Find(root, "error");
  ErrorBody read;
  if (!Text(wrapped).empty()) {
    read.is_error = true;
    read.message = Head(Text(wrapped));
    return read;
  }
  const boost::json::value* error = wrapped != nullptr && wrapped->is_object() ? wrapped : root;
  read.type = FirstText(error, {"type"});
  read.code = Head(FindCode(error, "code"));
  read.status = FirstText(error, {"status"});
  read.message = FirstText(error, {"message", "msg", "detail"});
  ReadGoogleDetails(error, &read);
  AppendWrappedWords(error, &read);
  read.is_error = error == wrapped || read.type == "error" || FindText(root, "object") == "error" ||
                  (!read.message.empty() && FindArray(root, "choices").empty() && FindArray(root, "output").empty());
  if (read.type == "error") read.type.clear();  // says only that it is one
  return read;
}

ErrorBody ReadErrorBody(std::string_view body) {
  if (body.size() <= kMaxParsedBytes) {
    if (const auto value = ParseJson(body)) return ReadErrorBody(*value);
  }
  ErrorBody read;
  const size_t start = body.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return read;
  read.message = body[start] == '<' ? "the answer is an HTML page" : std::string(Head(body.substr(start)));
  return read;
}

}  // namespace holdfast::quota
