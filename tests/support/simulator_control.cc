#include "tests/support/simulator_control.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <thread>

#include "tests/support/http_call.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;

// The simulator does not call back.
constexpr Duration kPollInterval = std::chrono::milliseconds(5);

std::vector<std::string> Command(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{Program("upstream_simulator")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

}  // namespace

json::value SimulatorControl::Call(const std::string& method, const std::string& path, const std::string& body) const {
  const auto reply = HttpCall(method, url_ + path, body);
  if (!reply.ok() || reply->status != 200) {
    ADD_FAILURE() << method << " " << path << ": "
                  << (reply.ok() ? reply->body : std::string(reply.status().message()));
    return nullptr;
  }
  json::error_code error;
  json::value answer = json::parse(reply->body, error);
  if (error) ADD_FAILURE() << method << " " << path << ": not JSON: " << reply->body;
  return answer;
}

json::value SimulatorControl::Get(const std::string& path) const { return Call("GET", path, ""); }
json::value SimulatorControl::Put(const std::string& path, const std::string& body) const {
  return Call("PUT", path, body);
}
json::value SimulatorControl::Post(const std::string& path, const std::string& body) const {
  return Call("POST", path, body);
}
json::value SimulatorControl::Delete(const std::string& path) const { return Call("DELETE", path, ""); }

std::vector<json::value> SimulatorControl::Requests() const {
  const json::value answer = Get("/requests");
  if (!answer.is_object()) return {};
  const json::array& requests = answer.at("requests").as_array();
  return {requests.begin(), requests.end()};
}

json::value SimulatorControl::RequestBody(int64_t index) const {
  return Get("/requests/" + std::to_string(index) + "/body");
}

bool SimulatorControl::AwaitRequests(const std::function<bool(const std::vector<json::value>&)>& holds,
                                     Duration patience) const {
  const BootTime end = BootClock::now() + patience;
  while (!holds(Requests())) {
    if (BootClock::now() > end) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

bool SimulatorControl::AwaitRequestCount(size_t count, Duration patience) const {
  return AwaitRequests([count](const std::vector<json::value>& requests) { return requests.size() >= count; },
                       patience);
}

SimulatorProcess::SimulatorProcess(const std::vector<std::string>& arguments) : process_(Command(arguments)) {
  const auto line = process_.WaitForLine(Process::Stream::kOut, "control");
  json::error_code error;
  const json::value addresses = json::parse(line.value_or("null"), error);
  if (!addresses.is_object()) {
    ADD_FAILURE() << "upstream_simulator did not start: " << process_.err();
    return;
  }
  url_ = addresses.at("url").as_string();
  control_ = SimulatorControl(std::string(addresses.at("control").as_string()));
}

}  // namespace holdfast::test
