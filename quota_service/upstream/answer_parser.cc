#include "quota_service/upstream/answer_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

namespace holdfast::quota {
namespace {

namespace http = boost::beast::http;

constexpr size_t kUsualHeaders = 16;
constexpr size_t kBytesToStatus = std::string_view("HTTP/1.1 200").size();

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void AnswerParser::Parser::on_response_impl(int status, Text, int, Error&) {
  owner_->http_status_ = status;
  owner_->status_line_done_ = true;
}

void AnswerParser::Parser::on_field_impl(http::field, Text name, Text value, Error&) {
  if (!owner_->head_done_) owner_->headers_.emplace_back(LowerCase(View(name)), View(value));
}

void AnswerParser::Parser::on_header_impl(Error& error) {
  if (owner_->http_status_ == 101) {
    // Nobody asked for it.
    error = http::error::bad_status;
    return;
  }
  if (owner_->interim()) {
    owner_->headers_.clear();
    return;
  }
  owner_->head_done_ = true;
  owner_->sink_->OnAnswerHead(owner_->http_status_, owner_->headers_);
}

size_t AnswerParser::Parser::on_body_impl(Text body, Error&) {
  owner_->sink_->OnAnswerBody(View(body));
  return body.size();
}

size_t AnswerParser::Parser::on_chunk_body_impl(uint64_t, Text body, Error&) {
  owner_->sink_->OnAnswerBody(View(body));
  return body.size();
}

AnswerParser::AnswerParser(bool to_head, Sink* sink) : to_head_(to_head), sink_(sink) {
  headers_.reserve(kUsualHeaders);
  Restart();
}

void AnswerParser::Restart() {
  status_line_done_ = false;
  parser_.emplace(this);
  parser_->header_limit(static_cast<uint32_t>(header_left_));
  parser_->body_limit(boost::none);
  parser_->eager(true);
  parser_->skip(to_head_);
}

void AnswerParser::Spend(size_t bytes) {
  header_left_ -= std::min(header_left_, bytes);
  // Beast's own bound is one of each call of put.
  parser_->header_limit(static_cast<uint32_t>(header_left_));
}

absl::Status AnswerParser::Feed(std::string_view bytes) {
  bool joined = !rest_.empty();
  if (joined) bytes = rest_.append(bytes);
  boost::beast::error_code error;
  while (!bytes.empty() && !done_) {
    if (!status_line_done_ && bytes.size() > kBytesToStatus && bytes[kBytesToStatus] == '\r') {
      // Beast asks for the space.
      rest_ = std::string(bytes.substr(0, kBytesToStatus)).append(" ").append(bytes.substr(kBytesToStatus));
      bytes = rest_;
      joined = true;
    }
    const size_t taken = parser_->put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(taken);
    if (!head_done_) Spend(taken);
    if (error == http::error::need_more) break;
    if (error) return Wrong(error);
    if (!parser_->is_done()) continue;
    if (interim()) {
      Restart();
    } else {
      done_ = true;
      keep_alive_ = parser_->keep_alive();
      excess_ = !bytes.empty();
    }
  }
  // A line, or trailers, of which there is no end.
  if (!done_ && bytes.size() > (head_done_ ? kMostAnswerHeaderBytes : header_left_)) {
    return Wrong(http::error::header_limit);
  }
  if (joined) {
    rest_.erase(0, rest_.size() - bytes.size());
  } else if (!done_) {
    rest_ = bytes;
  }
  return absl::OkStatus();
}

absl::Status AnswerParser::End() {
  if (!parser_->got_some() && rest_.empty()) {
    return absl::UnavailableError("the connection was closed without an answer");
  }
  boost::beast::error_code error;
  if (head_done_) parser_->put_eof(error);
  if (head_done_ && !error && parser_->is_done()) {
    done_ = true;
    return absl::OkStatus();
  }
  return absl::UnavailableError("the connection was closed before the end of the answer");
}

absl::Status AnswerParser::Wrong(const boost::beast::error_code& error) const {
  if (error == http::error::header_limit) {
    return absl::UnavailableError(fmt::format("the answer's headers are larger than {} bytes", kMostAnswerHeaderBytes));
  }
  return absl::UnavailableError(
      fmt::format("the answer is not HTTP/1.1{}: {}", head_done_ ? " any more" : "", error.message()));
}

}  // namespace holdfast::quota
