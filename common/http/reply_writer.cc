#include "common/http/reply_writer.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/beast/http/status.hpp>
#include <ctime>
#include <iterator>
#include <string_view>
#include <utility>

namespace holdfast {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::seconds;
using std::chrono::steady_clock;

// The least at which the rest of a complete answer must be taken.
constexpr size_t kBytesPerSecond = 16'384;

const char* ReasonOf(unsigned status) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(status));
  return reason.data();
}

// RFC 9110, section 6.6.1; made once a second.
const std::string& DateNow() {
  thread_local std::string date;
  thread_local std::time_t at = -1;
  const std::time_t now = std::time(nullptr);
  if (now != at) {
    at = now;
    date = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
  }
  return date;
}

}  // namespace

ReplyWriter::ReplyWriter(std::shared_ptr<ReplyConnection> connection, asio::ip::tcp::socket& socket,
                         steady_clock::duration stuck, ReplyFraming framing)
    : connection_(std::move(connection)), socket_(socket), stuck_(stuck), framing_(framing) {}

void ReplyWriter::Send(HttpAnswer answer) {
  if (begun_) return;
  begun_ = true;
  constexpr size_t kJoined = 16'384;
  std::string head = Head(answer.status, answer.headers, std::min(kJoined, answer.body.size()));
  const bool has_body = answer.status != 204 && answer.status != 304;
  if (has_body) fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", answer.body.size());
  head += "\r\n";
  // One piece of what is small; a large body is not copied for it.
  const bool body = has_body && !framing_.head_only && !answer.body.empty();
  if (body && answer.body.size() <= kJoined) head += answer.body;
  Push(std::move(head));
  if (body && answer.body.size() > kJoined) Push(std::move(answer.body));
  ended_ = true;
  Pump();
}

void ReplyWriter::BeginStream(unsigned status, HttpHeaderList headers) {
  if (begun_) return;
  begun_ = streaming_ = true;
  if (!framing_.chunked) framing_.keep_alive = false;
  std::string head = Head(status, headers, 0);
  head += framing_.chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n";
  Push(std::move(head));
  Pump();
}

void ReplyWriter::Write(std::string piece) {
  if (!streaming_ || ended_ || piece.empty() || framing_.head_only) return;
  if (framing_.chunked) {
    std::string chunk = fmt::format("{:x}\r\n", piece.size());
    chunk.reserve(chunk.size() + piece.size() + 2);
    chunk.append(piece).append("\r\n");
    piece = std::move(chunk);
  }
  Push(std::move(piece));
  Pump();
}

void ReplyWriter::End() {
  if (!streaming_ || ended_) return;
  if (framing_.chunked && !framing_.head_only) Push("0\r\n\r\n");
  ended_ = true;
  Pump();
}

void ReplyWriter::set_on_drained(size_t low, std::function<void()> on_drained) {
  low_ = low;
  on_drained_ = std::move(on_drained);
}

void ReplyWriter::OnGone() {
  if (gone_) return;
  gone_ = true;
  // The pieces that are being written stay until the write has ended.
  while (pieces_.size() > (writing_ ? 2U : 0U)) pieces_.pop_back();
  unsent_ = 0;
  on_drained_ = nullptr;
  if (const auto on_gone = std::exchange(on_gone_, nullptr); on_gone && !ended_) on_gone();
}

std::string ReplyWriter::Head(unsigned status, const HttpHeaderList& headers, size_t room) const {
  constexpr size_t kOwnLines = 192;
  size_t bytes = kOwnLines + room;
  for (const auto& [name, value] : headers) bytes += name.size() + value.size() + 4;
  std::string head;
  head.reserve(bytes);
  fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\nDate: {}\r\n", status, ReasonOf(status), DateNow());
  for (const auto& [name, value] : headers) {
    // What others wrote cannot begin a header of its own.
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) continue;
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (!framing_.keep_alive) {
    head += "Connection: close\r\n";
  } else if (!framing_.chunked) {
    head += "Connection: keep-alive\r\n";  // which is not HTTP/1.0's default
  }
  return head;
}

void ReplyWriter::Push(std::string piece) {
  if (gone_) return;
  unsent_ += piece.size();
  pieces_.push_back(std::move(piece));
}

std::array<asio::const_buffer, 2> ReplyWriter::Next() const {
  const asio::const_buffer first(pieces_.front().data() + written_, pieces_.front().size() - written_);
  return {first, pieces_.size() > 1 ? asio::buffer(pieces_[1]) : asio::const_buffer()};
}

void ReplyWriter::Took(size_t bytes) {
  unsent_ -= bytes;
  written_ += bytes;
  while (!pieces_.empty() && written_ >= pieces_.front().size()) {
    written_ -= pieces_.front().size();
    pieces_.pop_front();
  }
}

void ReplyWriter::Pump() {
  while (!writing_ && !gone_ && !pieces_.empty()) {
    error_code error;
    const size_t bytes = socket_.write_some(Next(), error);
    if (error == asio::error::would_block) {
      WriteLater();
      return;
    }
    if (error) {
      connection_->Break();
      return;
    }
    Took(bytes);
  }
  if (ended_ && !writing_ && !gone_) connection_->OnAnswered(framing_.keep_alive);
}

void ReplyWriter::WriteLater() {
  writing_ = true;
  const auto now = steady_clock::now();
  const auto stuck = now + stuck_;
  if (ended_ && !deadline_) deadline_ = stuck + seconds(unsent_ / kBytesPerSecond);
  connection_->WatchWrite(deadline_ ? std::min(*deadline_, stuck) : stuck);
  socket_.async_write_some(
      Next(), [self = shared_from_this()](const error_code& error, size_t bytes) { self->OnWritten(error, bytes); });
}

void ReplyWriter::OnWritten(const error_code& error, size_t bytes) {
  writing_ = false;
  if (gone_) {
    pieces_.clear();
    return;
  }
  if (error) {
    connection_->Break();
    return;
  }
  connection_->WriteDone();
  const bool was_above = unsent_ > low_;
  Took(bytes);
  Pump();
  if (was_above && unsent_ <= low_ && !ended_ && on_drained_) on_drained_();
}

void ReplyWriter::Cut() {
  framing_.keep_alive = false;
  connection_->Break();
}

}  // namespace holdfast
