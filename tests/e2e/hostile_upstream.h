#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/quota_service/upstream/scripted_server.h"

namespace holdfast::test {

// One HTTP answer as bytes. `headers`: whole lines, each with its "\r\n".
std::string HttpAnswer(int status, const std::string& body, const std::string& headers = "",
                       const std::string& type = "application/json");
// A 200 with these JSON texts as server-sent events.
std::string EventAnswer(const std::vector<std::string>& events, const std::string& headers = "");
// {"error": {"message": …, "type": …, "code": …}}
std::string ErrorBody(const std::string& message, const std::string& type = "invalid_request_error",
                      const std::string& code = "bad");

// An upstream that answers with whatever bytes the test wants, on a thread of its own. What nobody scripted gets "OK."
// in the dialect that was asked for.
class HostileUpstream {
 public:
  HostileUpstream();
  ~HostileUpstream();

  // "http://127.0.0.1:PORT/v1"
  std::string url() const { return server_.Url("/v1"); }
  // For the requests whose body contains `word`: the answers in order, then as if nobody had scripted it.
  void Answer(const std::string& word, std::vector<std::string> answers);
  // Head and body of each, as they came.
  std::vector<std::string> Requests();
  int accepted();

 private:
  void Run(const std::function<void()>& task);
  void OnRequest(quota::ScriptedServer::Connection& connection);

  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  quota::ScriptedServer server_{context_};
  std::map<std::string, std::vector<std::string>> answers_;
  std::thread thread_;
};

}  // namespace holdfast::test
