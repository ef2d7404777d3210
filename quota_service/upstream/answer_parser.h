#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "quota_service/retry/rate_limit_headers.h"
#include "quota_service/upstream/answer_bounds.h"

namespace holdfast::quota {

// Reads the answer to one HTTP/1.1 request from the bytes of its connection. Pure. Interim answers (1xx) and trailers
// are dropped; an answer that says in two ways how long it is, or that switches protocols, is refused. A status line
// may end with its number, without the space that belongs there.
class AnswerParser {
 public:
  // What the answer says, from inside Feed, in order: its head once, then its body in pieces.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void OnAnswerHead(int http_status, const HttpHeaders& headers) = 0;
    virtual void OnAnswerBody(std::string_view bytes) = 0;
  };

  // `to_head`: of a request of method HEAD, whose answer has no body whatever it says. `sink` outlives the parser.
  AnswerParser(bool to_head, Sink* sink);

  // UNAVAILABLE: this is no answer; the message says why, and nothing of what was sent. Not after that, nor once it is
  // done.
  absl::Status Feed(std::string_view bytes);
  // The connection has ended. UNAVAILABLE: in the middle of the answer.
  absl::Status End();

  // The answer is whole.
  bool done() const { return done_; }
  // It is whole, nothing came after it, and its connection may carry another.
  bool reusable() const { return done_ && keep_alive_ && !excess_; }

 private:
  class Parser final : public boost::beast::http::basic_parser<false> {
   public:
    explicit Parser(AnswerParser* owner) : owner_(owner) {}

   private:
    using Text = boost::beast::string_view;
    using Error = boost::beast::error_code;

    void on_request_impl(boost::beast::http::verb, Text, Text, int, Error&) override {}
    void on_response_impl(int status, Text, int, Error&) override;
    void on_field_impl(boost::beast::http::field, Text name, Text value, Error&) override;
    void on_header_impl(Error& error) override;
    void on_body_init_impl(const boost::optional<uint64_t>&, Error&) override {}
    size_t on_body_impl(Text body, Error&) override;
    void on_chunk_header_impl(uint64_t, Text, Error&) override {}
    size_t on_chunk_body_impl(uint64_t, Text body, Error&) override;
    void on_finish_impl(Error&) override {}

    AnswerParser* owner_;
  };

  void Restart();
  // Of the head.
  void Spend(size_t bytes);
  bool interim() const { return http_status_ / 100 == 1; }
  absl::Status Wrong(const boost::beast::error_code& error) const;

  const bool to_head_;
  Sink* sink_;
  std::optional<Parser> parser_;
  std::string rest_;  // the beginning of a line whose end has not come
  size_t header_left_ = kMostAnswerHeaderBytes;
  bool status_line_done_ = false;  // of the answer, or interim answer, that is read
  int http_status_ = 0;
  HttpHeaders headers_;
  bool head_done_ = false;
  bool done_ = false;
  bool keep_alive_ = false;
  bool excess_ = false;
};

}  // namespace holdfast::quota
