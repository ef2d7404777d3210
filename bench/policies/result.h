#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bench/policies/limit_watch.h"

namespace holdfast::bench {

// Seconds waited by calls that were served, from Submit to the sending that was admitted.
using Waits = std::vector<double>;

// First announcements for waits over 10 s, against what became of them.
struct Forecasts {
  std::vector<double> errors;  // |announced - real| / real
  std::vector<double> widths;  // of the announced 80 % interval, of the wait
  int64_t covered = 0;         // waits that ended within it

  double coverage() const;  // 0 to 1
};

// What one policy made of one workload. Tokens are those of ProviderOptions::charge; "of the limit" means of all tokens
// that came free in the time, so that the bucket that was full at first can make it a little more than 1.
struct Result {
  double useful = 0;   // of the limit: Worth (workload.h) of calls whose tasks are done or alive
  double charged = 0;  // of the limit, all that the gate took, without what others spent
  double foreign = 0;  // of the limit, what others spent
  double use = 0;      // Provider::Bound: 1 - lost / offered; 1 where nothing was offered
  double bound = 0;    // of the time, that Provider::Bound speaks of

  int64_t admissions = 0;
  int64_t refusals = 0;             // at the provider
  int64_t refusals_at_clients = 0;  // of these, those that a session saw; and calls refused for good

  int sessions_died = 0;  // a turn failed: the task and its tokens are lost
  int tasks_done = 0;
  int large_served = 0;
  int large_failed = 0;
  int cut_short = 0;  // answers that the cap ended; they were asked for again

  Waits waits;
  Waits background_waits;  // of these
  Waits large_waits;       // of these
  Forecasts forecasts;
  std::vector<LimitWatch::Lesson> lessons;

  // Of the sessions without the large senders, from the second minute on.
  struct Share {
    double weight = 1;    // of the tenant, over its sessions
    double tokens = 0;    // served
    double held_for = 0;  // seconds
    int tasks_done = 0;
  };
  std::map<std::string, Share> sessions;
  std::map<std::string, double> tenants;  // tokens served

  int without_task() const;  // sessions that finished none
  // Jain's index of tokens over weight.
  double Jain() const;
  // Of the time, that the mean session was waiting: near 1, all flows are backlogged.
  double backlogged = 0;
};

// 0 where there are none. `q` from 0 to 1.
double Quantile(std::vector<double> values, double q);

}  // namespace holdfast::bench
