#include "bench/policies/workload.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace holdfast::bench {
namespace {

constexpr int kTurnsPerTask = 12;
constexpr double kOutputTokensPerSecond = 80;

class Workload {
 public:
  Workload(World& world, Policy& policy, const WorkloadOptions& options, Result& result)
      : world_(world), policy_(policy), options_(options), result_(result), end_(world.now() + options.length) {
    for (int i = 0; i < options.sessions; ++i) {
      const size_t tenant = static_cast<size_t>(i) % options.weights.size();
      auto session = std::make_shared<Session>();
      session->name = "session " + std::to_string(i);
      session->tenant = "tenant " + std::to_string(tenant);
      session->weight = options.weights[tenant];
      world_.After(FromSeconds(world_.Uniform(0, 20)), [this, session] { Begin(session); });
    }
    for (int i = 0; i < options.large_senders; ++i) {
      auto session = std::make_shared<Session>();
      session->name = "large " + std::to_string(i);
      session->tenant = "tenant 0";
      session->weight = options.weights[0];
      session->large = true;
      world_.After(FromSeconds(world_.Uniform(0, 20)), [this, session] { Begin(session); });
    }
  }

 private:
  struct Session {
    std::string name;
    std::string tenant;
    double weight = 1;
    bool large = false;
    int turn = 0;
    double context = 0;         // tokens
    double tokens_in_task = 0;  // charged
  };

  void Begin(const std::shared_ptr<Session>& session) {
    session->turn = 0;
    session->context = world_.Uniform(2'000, 8'000);
    session->tokens_in_task = 0;
    Turn(session);
  }

  void Turn(const std::shared_ptr<Session>& session) {
    if (world_.now() >= end_) return;
    auto call = std::make_shared<Call>();
    const double output = std::min(4'000.0, std::exp(world_.Uniform(4.5, 7.5)));
    // What characters say of tokens: bytes / 4 is 0.97 of them for code, with a spread.
    const double ratio = world_.Uniform(0.85, 1.2);
    const double input = session->large ? world_.Uniform(130'000, 150'000) : session->context;
    call->tenant = session->tenant;
    call->weight = session->weight;
    call->session = session->name;
    call->request.charge = static_cast<int64_t>(session->large ? input : input * ratio) + 2;
    call->request.run = FromSeconds(0.5 + output / kOutputTokensPerSecond);
    call->submitted = world_.now();
    call->patience = options_.patience;
    call->on_end = [this, session, output, weak = std::weak_ptr<Call>(call)](bool done) {
      if (const auto ended = weak.lock()) OnEnd(session, *ended, output, done);
    };
    policy_.Submit(call);
  }

  void OnEnd(const std::shared_ptr<Session>& session, const Call& call, double output, bool done) {
    if (done) {
      Note(*session, call);
      session->tokens_in_task += static_cast<double>(call.request.charge);
      result_.useful_goodput += static_cast<double>(call.request.charge);
      session->context += output + world_.Uniform(500, 6'000);
      if (++session->turn >= (session->large ? 1 : kTurnsPerTask)) {
        ++(session->large ? result_.large_served : result_.tasks_done);
        world_.After(FromSeconds(world_.Uniform(1, 10)), [this, session] { Begin(session); });
      } else {
        world_.After(FromSeconds(world_.Uniform(1, 10)), [this, session] { Turn(session); });
      }
      return;
    }
    result_.useful_goodput -= session->tokens_in_task;
    if (session->large) {
      ++result_.large_failed;
    } else {
      ++result_.sessions_died;
    }
    world_.After(FromSeconds(world_.Uniform(1, 10)), [this, session] { Begin(session); });
  }

  void Note(const Session& session, const Call& call) {
    const double wait = ToSeconds(*call.sent - call.submitted);
    result_.waits.push_back(wait);
    const auto charge = static_cast<double>(call.request.charge);
    if (!session.large) result_.served[session.name] += charge;
    result_.by_tenant[session.tenant] += charge;
    if (call.announced && wait > 10) {
      result_.forecast_errors.push_back(std::abs(ToSeconds(*call.announced) - wait) / wait);
      result_.interval_widths.push_back(ToSeconds(call.most - call.least) / wait);
      const Duration real = *call.sent - call.submitted;
      result_.within_interval += call.least <= real && real <= call.most ? 1 : 0;
    }
  }

  World& world_;
  Policy& policy_;
  const WorkloadOptions& options_;
  Result& result_;
  BootTime end_;
};

}  // namespace

double Result::Jain() const {
  double sum = 0;
  double squares = 0;
  for (const auto& [name, tokens] : served) {
    sum += tokens;
    squares += tokens * tokens;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(served.size()) * squares) : 0;
}

double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

Result Play(const PolicyMaker& maker, const ProviderOptions& options, const WorkloadOptions& workload, uint64_t seed) {
  Result result;
  World world(seed);
  Provider provider(world, options);
  const auto policy = maker.make(world, provider, options);
  const Workload sessions(world, *policy, workload, result);
  // The first minute drains the bucket that was full.
  const BootTime begin = world.now();
  world.RunUntil(begin + std::chrono::minutes(1));
  const double lost_at_first = provider.lost_tokens();
  world.RunUntil(begin + workload.length);
  const double offered = options.tokens_per_minute * ToSeconds(workload.length) / 60;
  result.useful_goodput /= offered;
  result.used = provider.charged() / offered;
  result.wasted_refill = (provider.lost_tokens() - lost_at_first) / offered;
  result.admissions = provider.admissions();
  result.refusals = provider.refusals();
  return result;
}

}  // namespace holdfast::bench
