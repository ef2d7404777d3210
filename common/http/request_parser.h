#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/http/http_message.h"

namespace holdfast {

// Reads one request from the bytes of its connection into `request`, which outlives the parser. Pure. Names of headers
// become lower case; trailers are dropped. The framing is Beast's, which refuses what has two readings.
class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  RequestParser(HttpRequest* request, uint32_t most_header_bytes, uint64_t most_body_bytes);

  // 11 is HTTP/1.1.
  int version() const { return version_; }

 private:
  using Text = boost::beast::string_view;
  using Error = boost::beast::error_code;

  void on_request_impl(boost::beast::http::verb, Text method, Text target, int version, Error&) override;
  void on_response_impl(int, Text, int, Error&) override {}
  void on_field_impl(boost::beast::http::field, Text name, Text value, Error& error) override;
  void on_header_impl(Error&) override { head_done_ = true; }
  void on_body_init_impl(const boost::optional<uint64_t>& length, Error&) override;
  size_t on_body_impl(Text body, Error&) override;
  void on_chunk_header_impl(uint64_t, Text, Error&) override {}
  size_t on_chunk_body_impl(uint64_t, Text body, Error&) override;
  void on_finish_impl(Error&) override {}

  HttpRequest* request_;
  size_t header_bytes_left_;  // trailers are counted with them
  int version_ = 11;
  bool head_done_ = false;
};

// What one reader could take for one request, and another for another one: says what is wrong with such a head. Empty:
// nothing.
std::string WrongWithHead(int version, const HttpRequest& head);

}  // namespace holdfast
