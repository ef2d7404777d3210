#include "common/http/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <string>

namespace holdfast {
namespace {

constexpr size_t kUsualHeaders = 16;
// ": " and the line's end.
constexpr size_t kFieldFrame = 4;
// Of memory for a body that has only been announced.
constexpr uint64_t kMostReserved = uint64_t{1} << 20;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

RequestParser::RequestParser(HttpRequest* request, uint32_t most_header_bytes, uint64_t most_body_bytes)
    : request_(request), header_bytes_left_(most_header_bytes) {
  // Beast bounds what one piece of input has, on_field_impl all of them together.
  header_limit(most_header_bytes);
  body_limit(most_body_bytes);
}

void RequestParser::on_request_impl(boost::beast::http::verb, Text method, Text target, int version, Error&) {
  version_ = version;
  request_->headers.reserve(kUsualHeaders);
  request_->method = View(method);
  const std::string_view whole = View(target);
  const size_t question = whole.find('?');
  request_->path = whole.substr(0, question);
  if (question != std::string_view::npos) request_->query = whole.substr(question + 1);
}

void RequestParser::on_field_impl(boost::beast::http::field, Text name, Text value, Error& error) {
  const size_t bytes = name.size() + value.size() + kFieldFrame;
  if (bytes > header_bytes_left_) {
    error = boost::beast::http::error::header_limit;
    return;
  }
  header_bytes_left_ -= bytes;
  if (head_done_) return;
  auto& header = request_->headers.emplace_back(View(name), View(value));
  for (char& c : header.first) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
}

void RequestParser::on_body_init_impl(const boost::optional<uint64_t>& length, Error&) {
  if (length) request_->body.reserve(std::min<uint64_t>(*length, kMostReserved));
}

size_t RequestParser::on_body_impl(Text body, Error&) {
  request_->body.append(View(body));
  return body.size();
}

size_t RequestParser::on_chunk_body_impl(uint64_t, Text body, Error&) {
  request_->body.append(View(body));
  return body.size();
}

std::string WrongWithHead(int version, const HttpRequest& head) {
  for (const std::string_view once :
       {"host", "content-length", "transfer-encoding", "authorization", "content-type", "content-encoding"}) {
    const auto times = std::ranges::count_if(head.headers, [&](const auto& header) { return header.first == once; });
    if (times > 1) return fmt::format("{}: is there twice", once);
  }
  const std::string_view coding = head.Header("transfer-encoding");
  if (!coding.empty() && (version < 11 || !boost::beast::iequals({coding.data(), coding.size()}, "chunked"))) {
    return "transfer-encoding: only chunked is known here, in HTTP/1.1";
  }
  return "";
}

}  // namespace holdfast
