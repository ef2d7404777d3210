#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/http_message.h"

namespace holdfast::quota {

// A client's side of an answer, as the front door gives it.
class FakeReply final : public HttpReply {
 public:
  void Send(HttpAnswer answer) override {
    status = answer.status;
    headers = std::move(answer.headers);
    body = std::move(answer.body);
    ended = true;
  }
  void BeginStream(unsigned code, HttpHeaderList list) override {
    status = code;
    headers = std::move(list);
    streamed = true;
  }
  void Write(std::string piece) override {
    pieces.push_back(piece);
    body += piece;
    unsent_bytes += reads ? 0 : piece.size();
  }
  void End() override { ended = true; }
  void Cut() override { cut = true; }
  size_t unsent() const override { return unsent_bytes; }
  void set_on_drained(size_t bytes, std::function<void()> callback) override {
    low = bytes;
    on_drained = std::move(callback);
  }
  void set_on_gone(std::function<void()> callback) override { on_gone = std::move(callback); }

  std::string Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
  // How often this stands in what came.
  int Count(std::string_view text) const {
    int count = 0;
    for (size_t at = body.find(text); at != std::string::npos; at = body.find(text, at + 1)) ++count;
    return count;
  }

  unsigned status = 0;  // 0: nothing came yet
  HttpHeaderList headers;
  std::string body;
  std::vector<std::string> pieces;
  bool streamed = false;
  bool ended = false;
  bool cut = false;
  bool reads = true;
  size_t unsent_bytes = 0;
  size_t low = 0;
  std::function<void()> on_drained;
  std::function<void()> on_gone;
};

}  // namespace holdfast::quota
