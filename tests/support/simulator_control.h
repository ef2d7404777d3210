#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace holdfast::test {

// The control face of an upstream_simulator (tests/upstream_simulator/README.md). Blocking. What goes wrong is a
// failure of the running test, and the answer null.
class SimulatorControl {
 public:
  // `url`: "http://127.0.0.1:PORT".
  explicit SimulatorControl(std::string url) : url_(std::move(url)) {}
  const std::string& url() const { return url_; }

  // `body` is JSON text.
  boost::json::value Get(const std::string& path) const;
  boost::json::value Put(const std::string& path, const std::string& body) const;
  boost::json::value Post(const std::string& path, const std::string& body) const;
  boost::json::value Delete(const std::string& path) const;

  void SetScript(const std::string& script) const { Put("/script", script); }
  void SetLimits(const std::string& limits) const { Put("/limits", limits); }
  void PushFault(const std::string& fault) const { Post("/faults", fault); }

  // Every generation request that came so far, oldest first.
  std::vector<boost::json::value> Requests() const;
  // The body of the request with this `index`, as the upstream got it.
  boost::json::value RequestBody(int64_t index) const;
  // Asks again and again until `holds` is true of Requests(). False: it never was.
  bool AwaitRequests(const std::function<bool(const std::vector<boost::json::value>&)>& holds,
                     Duration patience = kPatience) const;
  // The same, for at least so many requests.
  bool AwaitRequestCount(size_t count, Duration patience = kPatience) const;

 private:
  boost::json::value Call(const std::string& method, const std::string& path, const std::string& body) const;

  std::string url_;
};

// The real upstream_simulator on free ports.
class SimulatorProcess {
 public:
  // Returns when it listens. `arguments`: for example {"--api-key", "sk-test"}.
  explicit SimulatorProcess(const std::vector<std::string>& arguments = {});

  // The base URL of its API, "http://127.0.0.1:PORT/v1".
  const std::string& url() const { return url_; }
  const SimulatorControl& control() const { return control_; }
  Process& process() { return process_; }

 private:
  Process process_;
  std::string url_;
  SimulatorControl control_{""};
};

}  // namespace holdfast::test
