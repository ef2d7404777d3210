#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/policies/policy.h"

namespace holdfast::bench {

struct WorkloadOptions {
  int sessions = 40;
  int large_senders = 2;  // requests of 130,000 to 150,000 tokens
  Duration length = std::chrono::hours(4);
  Duration patience = std::chrono::minutes(30);  // for one turn
  std::vector<double> weights = {1};             // of the tenants that the sessions belong to in turn
};

struct Result {
  double useful_goodput = 0;  // of the limit: charges of tasks that are done or still alive
  double used = 0;            // of the limit, all that the gate took
  double wasted_refill = 0;   // of the limit, refill that met a full bucket after the first minute
  int64_t admissions = 0;
  int64_t refusals = 0;
  int sessions_died = 0;
  int tasks_done = 0;
  int large_served = 0;
  int large_failed = 0;
  std::vector<double> waits;            // seconds, of calls that were served
  std::vector<double> forecast_errors;  // |announced - real| / real, of waits over 10 s
  std::vector<double> interval_widths;  // of the announced 80 % interval, of the wait
  int within_interval = 0;
  std::map<std::string, double> served;  // tokens by session
  std::map<std::string, double> by_tenant;

  double Jain() const;  // over the sessions, without the large senders
};

// Closed-loop agent sessions: a turn calls the model, thinks, and calls again with a larger context; a task is 12
// turns; a session whose turn fails is dead, its tokens are lost, and another session starts in its place.
Result Play(const PolicyMaker& policy, const ProviderOptions& provider, const WorkloadOptions& workload, uint64_t seed);

double Quantile(std::vector<double> values, double q);

}  // namespace holdfast::bench
