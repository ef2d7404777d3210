#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "quota_service/budget/budget_gate.h"
#include "quota_service/call/account_gate.h"
#include "quota_service/call/observer.h"
#include "quota_service/ledger/ledger.h"

namespace holdfast::quota {

// The Prometheus metrics of docs/metrics.md. Written on the loop; scraped from the exporter's threads.
class Metrics final : public CallObserver {
 public:
  // `knows_model`: names that may become labels from the start. Others may once an upstream has answered them, 100 at
  // most; the rest is "other".
  explicit Metrics(std::function<bool(const std::string&)> knows_model);
  ~Metrics() override;

  std::shared_ptr<prometheus::Registry> registry() const { return registry_; }

  // The state of the limits; called now and then, and replaces the state before. Models that share a label add up.
  void SetGroups(const std::vector<GroupState>& groups);

  // The state of all budgets; called now and then.
  void SetBudgets(const std::vector<BudgetStanding>& standings);
  void OnBudgetWarning(const std::string& tenant);
  // Whether an upstream can be used, and whether it holds calls; called now and then.
  void SetUpstream(const std::string& name, const AccountGate& gate);

  void OnAdmitted(const Envelope& envelope, Duration waited, std::optional<double> error) override;
  void OnResponse(const Envelope& envelope, int http_status) override;
  void OnFirstOutput(const Envelope& envelope, Duration since_sent) override;
  void OnAttemptFailed(const Envelope& envelope, const UpstreamFailure& failure,
                       const std::optional<TokenUsage>& usage) override;
  void OnFinished(const Envelope& envelope, const CallOutcome& outcome, Duration since_start) override;

 private:
  // What is counted of calls whose labels are the same. To look these up anew for each call is dear.
  struct Series;

  const std::string& ModelLabel(const std::string& model) const;
  Series& SeriesOf(const Envelope& envelope);
  void CountTokens(Series& series, const TokenUsage& usage);

  std::function<bool(const std::string&)> knows_model_;
  std::set<std::string> answered_;
  std::string series_key_;  // of the latest lookup; kept for its memory
  std::unordered_map<std::string, std::unique_ptr<Series>> series_;
  std::set<prometheus::Gauge*> published_;  // of groups, by the last SetGroups
  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& tokens_;
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Counter>& responses_;
  prometheus::Family<prometheus::Counter>& rate_limited_;
  prometheus::Family<prometheus::Histogram>& wait_;
  prometheus::Family<prometheus::Histogram>& forecast_error_;
  prometheus::Family<prometheus::Histogram>& first_token_;
  prometheus::Family<prometheus::Gauge>& queue_depth_;
  prometheus::Family<prometheus::Gauge>& limit_tokens_;
  prometheus::Family<prometheus::Gauge>& remaining_tokens_;
  prometheus::Family<prometheus::Gauge>& budget_tokens_;
  prometheus::Family<prometheus::Gauge>& budget_spent_;
  prometheus::Family<prometheus::Gauge>& budget_reserved_;
  prometheus::Family<prometheus::Gauge>& budget_waiting_;
  prometheus::Family<prometheus::Counter>& budget_warnings_;
  prometheus::Family<prometheus::Gauge>& upstream_usable_;
  prometheus::Family<prometheus::Gauge>& upstream_failing_;
  prometheus::Family<prometheus::Histogram>& gen_ai_tokens_;
  prometheus::Family<prometheus::Histogram>& gen_ai_first_token_;
  prometheus::Family<prometheus::Histogram>& gen_ai_duration_;
};

}  // namespace holdfast::quota
