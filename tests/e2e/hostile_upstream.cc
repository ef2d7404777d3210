#include "tests/e2e/hostile_upstream.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <future>

namespace holdfast::test {
namespace {

const char* const kResponsesOk[] = {
    R"({"type":"response.created","response":{"id":"resp_1"}})",
    R"({"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"OK."})",
    R"({"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"OK."}]}],"usage":{"input_tokens":3,"output_tokens":1}}})",
};

const char* const kChatOk[] = {
    R"({"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":"OK."}}]})",
    R"({"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})",
    R"({"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}})",
    "[DONE]",
};

}  // namespace

std::string HttpAnswer(int status, const std::string& body, const std::string& headers, const std::string& type) {
  return fmt::format("HTTP/1.1 {} Said\r\ncontent-type: {}\r\n{}content-length: {}\r\n\r\n{}", status, type, headers,
                     body.size(), body);
}

std::string EventAnswer(const std::vector<std::string>& events, const std::string& headers) {
  std::string body;
  for (const std::string& event : events) body += fmt::format("data: {}\n\n", event);
  return HttpAnswer(200, body, headers, "text/event-stream");
}

std::string ErrorBody(const std::string& message, const std::string& type, const std::string& code) {
  return boost::json::serialize(
      boost::json::object{{"error", boost::json::object{{"message", message}, {"type", type}, {"code", code}}}});
}

HostileUpstream::HostileUpstream() {
  server_.on_request = [this](quota::ScriptedServer::Connection& connection) { OnRequest(connection); };
  thread_ = std::thread([this] { context_.run(); });
}

HostileUpstream::~HostileUpstream() {
  context_.stop();
  thread_.join();
}

void HostileUpstream::Run(const std::function<void()>& task) {
  std::promise<void> done;
  boost::asio::post(context_, [&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void HostileUpstream::Answer(const std::string& word, std::vector<std::string> answers) {
  Run([&] { answers_[word] = std::move(answers); });
}

std::vector<std::string> HostileUpstream::Requests() {
  std::vector<std::string> requests;
  Run([&] { requests = server_.requests(); });
  return requests;
}

int HostileUpstream::accepted() {
  int accepted = 0;
  Run([&] { accepted = server_.accepted(); });
  return accepted;
}

void HostileUpstream::OnRequest(quota::ScriptedServer::Connection& connection) {
  const std::string& request = server_.requests().back();
  for (auto& [word, answers] : answers_) {
    if (answers.empty() || request.find(word) == std::string::npos) continue;
    connection.Send(std::move(answers.front()));
    answers.erase(answers.begin());
    return;
  }
  if (request.find("/chat/completions") != std::string::npos) {
    connection.Send(EventAnswer({std::begin(kChatOk), std::end(kChatOk)}));
  } else {
    connection.Send(EventAnswer({std::begin(kResponsesOk), std::end(kResponsesOk)}));
  }
}

}  // namespace holdfast::test
