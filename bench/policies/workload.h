#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/policies/policy.h"
#include "bench/policies/result.h"
#include "bench/policies/text.h"

namespace holdfast::bench {

struct Range {
  double least;
  double most;
};

struct WorkloadOptions {
  int sessions = 40;
  int large_senders = 2;  // requests of 130,000 to 150,000 tokens, one after the other
  Duration length = std::chrono::hours(4);
  Duration patience = std::chrono::minutes(30);   // for one turn
  std::vector<double> weights = {1};              // of the tenants that the sessions belong to in turn
  double background_share = 0;                    // of the sessions; they have as much patience as it takes
  std::vector<int64_t> caps = {0, 0, 0, 32'000};  // max_output_tokens of the sessions in turn; 0: none
  Range first_context = {2'000, 8'000};           // tokens of a task's first prompt
  Range tool_result = {500, 6'000};               // tokens that a turn adds to it besides its answer
  Range answer = {90, 1'800};                     // tokens, log-uniform: 570 on average
  Range think = {1, 10};                          // seconds between two turns
  bool forecasts = true;                          // false: nobody asks, which saves most of the time
};

// Closed-loop agent sessions: a turn calls the model, thinks, and calls again with a larger context; a task is 12
// turns; a session whose turn fails is dead, its tokens are lost, and another begins in its place. Each session has one
// kind of text.
class Workload {
 public:
  using OnCall = std::function<void(const Call&)>;

  // `result` and the others outlive it. `on_call` is told of each call that has ended.
  Workload(World& world, Policy& policy, const WorkloadOptions& options, ChargeRule rule, Result& result,
           OnCall on_call);

 private:
  struct Session {
    std::string name;
    std::string tenant;
    double weight = 1;
    bool large = false;
    bool background = false;
    int64_t cap = 0;
    const TextKind* text = nullptr;
    // Of the task:
    int turn = 0;
    double tokens = 0;      // of the context
    double characters = 0;  // of the context
    double worth = 0;       // of its calls
  };

  void AddSession(int index, bool large);
  void Begin(const std::shared_ptr<Session>& session);
  void Later(const std::shared_ptr<Session>& session, void (Workload::*step)(const std::shared_ptr<Session>&));
  void Grow(Session& session, double tokens);
  void Turn(const std::shared_ptr<Session>& session);
  void Ask(const std::shared_ptr<Session>& session, const Request& request);
  void OnEnd(const std::shared_ptr<Session>& session, const Call& call);
  void Note(const Session& session, const Call& call);
  double Draw(const Range& range) { return world_.Uniform(range.least, range.most); }

  World& world_;
  Policy& policy_;
  WorkloadOptions options_;
  ChargeRule rule_;
  Result& result_;
  OnCall on_call_;
  BootTime begin_;
  BootTime end_;
};

// What a served call was good for, in tokens of the limit: all that the gate took, but where the gate takes the cap for
// output that never came, or gives back what was not used, what was really used.
double Worth(ChargeRule rule, const Request& request, const Usage& usage);

}  // namespace holdfast::bench
