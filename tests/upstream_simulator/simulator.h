#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "boost/json/value.hpp"
#include "tests/upstream_simulator/faults.h"
#include "tests/upstream_simulator/limits.h"
#include "tests/upstream_simulator/reply.h"
#include "tests/upstream_simulator/request_log.h"
#include "tests/upstream_simulator/script.h"

namespace holdfast::simulator {

struct Options {
  bool rate_limit_headers = true;  // x-ratelimit-*
  bool retry_headers = true;       // retry-after and retry-after-ms of refusals
  bool hold_streams = false;       // streams stop before their second delta for as long as this is true
};

struct Moment {
  std::int64_t boot_ns = 0;  // CLOCK_BOOTTIME
  std::int64_t wall_ms = 0;  // since 1970
};

// The whole state of the simulated upstream, without sockets and clocks. One thread.
class Simulator {
 public:
  // Without `api_key` every key is accepted. Fixed windows begin at `now`.
  Simulator(std::optional<std::string> api_key, Moment now);

  // A generation request that has arrived and is not answered yet.
  struct Ticket {
    std::int64_t index = 0;
    std::int64_t delay_ms = 0;   // to pass before Respond is called
    std::optional<Reply> ready;  // refused: nothing is to be waited for
    GenerationRequest request;
    Answer answer;
    std::optional<Fault> fault;
    Refusal pretended;
    bool admitted = false;
  };

  // Judges a request whose last byte has just arrived. `authorization` is the header's value.
  Ticket Arrive(Dialect dialect, std::string_view authorization, std::string body, Moment now);
  // What to write, when the status line is due.
  Reply Respond(const Ticket& ticket, Moment now);
  // Exactly once for each ticket.
  void Finish(std::int64_t index, Moment now, bool completed, bool client_gone);

  bool Authorized(std::string_view authorization) const;
  // The body of GET /v1/models: the models that the script names, and o4-mini.
  std::string ModelsBody() const;

  // Limits that the script does not name stay as they are.
  void Load(Script script, Moment now);
  absl::Status SetLimits(const boost::json::value& document, Moment now);
  absl::Status SetOptions(const boost::json::value& document);
  boost::json::object LimitsJson(Moment now) const;

  const Options& options() const { return options_; }
  FaultQueue& faults() { return faults_; }
  RequestLog& log() { return log_; }
  std::int64_t in_flight() const { return in_flight_; }

 private:
  // The judgement itself; fills in what it finds.
  void Judge(Ticket& ticket, Record& record, std::string_view authorization, Moment now);
  void AddRateLimitHeaders(Reply& reply, Moment now, const std::optional<Refusal>& pretended) const;

  std::optional<std::string> api_key_;
  Limits limits_;
  Script script_;
  Options options_;
  FaultQueue faults_;
  RequestLog log_;
  std::int64_t in_flight_ = 0;
};

}  // namespace holdfast::simulator
