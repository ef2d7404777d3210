#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

// Names in lower case, in order of arrival.
using HttpHeaderList = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;  // in capitals
  std::string path;    // up to the question mark, as it came
  std::string query;   // after it
  HttpHeaderList headers;
  std::string body;         // whole, and decoded where it came gzipped or the like
  uint64_t connection = 0;  // the same for requests of one connection, and no other's

  // The first of this name, which is in lower case; empty where there is none.
  std::string_view Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

struct HttpAnswer {
  unsigned status = 200;
  HttpHeaderList headers;  // without what frames the body
  std::string body;
};

// The answer to one request, in one go or as a stream. Once the client is gone, whatever is said to it is dropped. On
// the loop.
class HttpReply {
 public:
  virtual ~HttpReply() = default;

  // Exactly one of these, once.
  virtual void Send(HttpAnswer answer) = 0;
  virtual void BeginStream(unsigned status, HttpHeaderList headers) = 0;

  // Each piece goes out on its own, as it comes.
  virtual void Write(std::string piece) = 0;
  virtual void End() = 0;
  // Closes the connection in the middle of the answer.
  virtual void Cut() = 0;

  // Bytes that the client, and the system between, have not taken yet.
  virtual size_t unsent() const = 0;
  // Called each time when these have become `low` or less, having been more. Not from inside Write.
  virtual void set_on_drained(size_t low, std::function<void()> on_drained) = 0;
  // Called at most once, when the client has gone before the end of the answer. Not from inside the methods above.
  virtual void set_on_gone(std::function<void()> on_gone) = 0;
};

// Answers requests. On the loop.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // A request whose body has not been read yet. An answer refuses it, and its body is not waited for.
  virtual std::optional<HttpAnswer> Refuse(const HttpRequest& head) = 0;
  virtual void Serve(HttpRequest request, std::shared_ptr<HttpReply> reply) = 0;
  // What the server found wrong itself, in the form that the handler's clients understand.
  virtual HttpAnswer Complain(unsigned status, const std::string& message) = 0;
};

}  // namespace holdfast
