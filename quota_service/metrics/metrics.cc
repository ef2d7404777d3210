#include "quota_service/metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

namespace holdfast::quota {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using Buckets = prometheus::Histogram::BucketBoundaries;

constexpr size_t kMostLearntModels = 100;

const Buckets kWaitSeconds = {0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600};
const Buckets kErrorSeconds = {0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60};
const Buckets kLatencySeconds = {0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300};
// As OpenTelemetry's semantic conventions for generative AI advise.
const Buckets kTokenBuckets = {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304};
const Buckets kDurationSeconds = {0.01, 0.02, 0.04,  0.08,  0.16,  0.32,  0.64,  1.28,
                                  2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84};

}  // namespace

Metrics::Metrics(std::function<bool(const std::string&)> knows_model)
    : knows_model_(std::move(knows_model)),
      registry_(std::make_shared<prometheus::Registry>()),
      tokens_(BuildCounter()
                  .Name("holdfast_tokens_total")
                  .Help("Tokens as the upstream counted them.")
                  .Register(*registry_)),
      calls_(BuildCounter().Name("holdfast_calls_total").Help("Calls that ended, by outcome.").Register(*registry_)),
      responses_(BuildCounter()
                     .Name("holdfast_upstream_responses_total")
                     .Help("Answers of the upstream by HTTP status; 0: none came.")
                     .Register(*registry_)),
      rate_limited_(BuildCounter()
                        .Name("holdfast_upstream_rate_limited_total")
                        .Help("Refusals by the upstream that the caller saw only as a wait.")
                        .Register(*registry_)),
      wait_(BuildHistogram()
                .Name("holdfast_admission_wait_seconds")
                .Help("Time a call waited before it was sent.")
                .Register(*registry_)),
      forecast_error_(BuildHistogram()
                          .Name("holdfast_wait_forecast_error_seconds")
                          .Help("Difference between the first announced wait and the real one.")
                          .Register(*registry_)),
      first_token_(BuildHistogram()
                       .Name("holdfast_time_to_first_token_seconds")
                       .Help("From sending upstream to the first output.")
                       .Register(*registry_)),
      queue_depth_(BuildGauge().Name("holdfast_admission_queue_depth").Help("Calls that wait.").Register(*registry_)),
      limit_tokens_(BuildGauge()
                        .Name("holdfast_limit_tokens")
                        .Help("The token limit, as configured or learnt.")
                        .Register(*registry_)),
      remaining_tokens_(BuildGauge()
                            .Name("holdfast_remaining_tokens")
                            .Help("Tokens left at this moment, as mirrored.")
                            .Register(*registry_)),
      budget_tokens_(BuildGauge()
                         .Name("holdfast_budget_tokens")
                         .Help("What a tenant may spend in a day (UTC).")
                         .Register(*registry_)),
      budget_spent_(BuildGauge()
                        .Name("holdfast_budget_spent_tokens")
                        .Help("Tokens of the budget that were spent today.")
                        .Register(*registry_)),
      budget_reserved_(BuildGauge()
                           .Name("holdfast_budget_reserved_tokens")
                           .Help("Tokens of the budget that calls which wait or run may come to.")
                           .Register(*registry_)),
      budget_waiting_(
          BuildGauge().Name("holdfast_budget_waiting").Help("Calls that wait for the budget.").Register(*registry_)),
      budget_warnings_(BuildCounter()
                           .Name("holdfast_budget_warnings_total")
                           .Help("Days on which a tenant reached the share of its budget that warns.")
                           .Register(*registry_)),
      upstream_usable_(BuildGauge()
                           .Name("holdfast_upstream_usable")
                           .Help("0: its key is refused or has no money or quota left, and is not used.")
                           .Register(*registry_)),
      upstream_failing_(BuildGauge()
                            .Name("holdfast_upstream_failing")
                            .Help("1: it fails for all calls; they are held, and one at a time asks it.")
                            .Register(*registry_)),
      gen_ai_tokens_(
          BuildHistogram().Name("gen_ai_client_token_usage").Help("Tokens used, per call.").Register(*registry_)),
      gen_ai_first_token_(BuildHistogram()
                              .Name("gen_ai_server_time_to_first_token_seconds")
                              .Help("Time to the first token of a call.")
                              .Register(*registry_)),
      gen_ai_duration_(BuildHistogram()
                           .Name("gen_ai_client_operation_duration_seconds")
                           .Help("Duration of a call, its wait included.")
                           .Register(*registry_)) {}

std::string Metrics::ModelLabel(const std::string& model) const {
  return knows_model_(model) || answered_.contains(model) ? model : "other";
}

prometheus::Labels Metrics::CallLabels(const Envelope& envelope) const {
  return {
      {"tenant", envelope.tenant}, {"model", ModelLabel(envelope.model)}, {"upstream", envelope.route.account->name}};
}

prometheus::Labels Metrics::GenAiLabels(const Envelope& envelope) const {
  return {{"gen_ai_operation_name", "chat"},
          {"gen_ai_provider_name", envelope.route.account->profile},
          {"gen_ai_request_model", ModelLabel(envelope.model)}};
}

void Metrics::SetGroups(const std::vector<GroupState>& groups) {
  std::map<std::pair<prometheus::Family<prometheus::Gauge>*, prometheus::Labels>, double> values;
  for (const GroupState& group : groups) {
    const size_t slash = group.name.find('/');
    const std::string family = group.name.substr(slash + 1);
    const prometheus::Labels labels = {{"upstream", group.name.substr(0, slash)},
                                       {"model", family == "*" ? family : ModelLabel(family)}};
    values[{&queue_depth_, labels}] += static_cast<double>(group.queued);
    for (const LimitGroup::Level& level : group.levels) {
      if (level.dimension != Dimension::kTokens) continue;
      values[{&limit_tokens_, labels}] += static_cast<double>(level.limit);
      values[{&remaining_tokens_, labels}] += static_cast<double>(level.remaining);
    }
  }
  std::set<prometheus::Gauge*> published;
  for (const auto& [where, value] : values) {
    prometheus::Gauge& gauge = where.first->Add(where.second);
    gauge.Set(value);
    published.insert(&gauge);
  }
  // A model that has got a label of its own, or a group that was forgotten, leaves nothing behind.
  for (prometheus::Gauge* gauge : published_) {
    if (published.contains(gauge)) continue;
    for (auto* family : {&queue_depth_, &limit_tokens_, &remaining_tokens_}) family->Remove(gauge);
  }
  published_ = std::move(published);
}

void Metrics::SetBudgets(const std::vector<BudgetStanding>& standings) {
  for (const BudgetStanding& standing : standings) {
    const prometheus::Labels labels = {{"tenant", standing.tenant}};
    budget_tokens_.Add(labels).Set(static_cast<double>(standing.limit));
    budget_spent_.Add(labels).Set(static_cast<double>(standing.spent));
    budget_reserved_.Add(labels).Set(static_cast<double>(standing.reserved));
    budget_waiting_.Add(labels).Set(static_cast<double>(standing.waiting));
    budget_warnings_.Add(labels);  // 0 before the first one
  }
}

void Metrics::OnBudgetWarning(const std::string& tenant) { budget_warnings_.Add({{"tenant", tenant}}).Increment(); }

void Metrics::SetUpstream(const std::string& name, const AccountGate& gate) {
  upstream_usable_.Add({{"upstream", name}}).Set(gate.outage() == nullptr ? 1 : 0);
  upstream_failing_.Add({{"upstream", name}}).Set(gate.holds() ? 1 : 0);
}

void Metrics::OnAdmitted(const Envelope& envelope, Duration waited, std::optional<double> error) {
  wait_.Add(CallLabels(envelope), kWaitSeconds).Observe(ToSeconds(waited));
  if (error) forecast_error_.Add({{"upstream", envelope.route.account->name}}, kErrorSeconds).Observe(std::abs(*error));
}

void Metrics::OnResponse(const Envelope& envelope, int http_status) {
  if (http_status == 200 && answered_.size() < kMostLearntModels) answered_.insert(envelope.model);
  responses_
      .Add({{"upstream", envelope.route.account->name},
            {"model", ModelLabel(envelope.model)},
            {"code", std::to_string(http_status)}})
      .Increment();
}

void Metrics::OnFirstOutput(const Envelope& envelope, Duration since_sent) {
  first_token_.Add(CallLabels(envelope), kLatencySeconds).Observe(ToSeconds(since_sent));
  gen_ai_first_token_.Add(GenAiLabels(envelope), kLatencySeconds).Observe(ToSeconds(since_sent));
}

void Metrics::OnAttemptFailed(const Envelope& envelope, const UpstreamFailure& failure,
                              const std::optional<TokenUsage>& usage) {
  if (usage) CountTokens(envelope, *usage);
  if (failure.cls != FailureClass::kRateLimited) return;
  rate_limited_
      .Add({{"upstream", envelope.route.account->name},
            {"model", ModelLabel(envelope.model)},
            {"dimension", failure.hint.dimension ? DimensionName(*failure.hint.dimension) : "unknown"}})
      .Increment();
}

void Metrics::CountTokens(const Envelope& envelope, const TokenUsage& usage) {
  const auto count = [&](const char* kind, int64_t tokens) {
    prometheus::Labels by_kind = CallLabels(envelope);
    by_kind["kind"] = kind;
    tokens_.Add(by_kind).Increment(static_cast<double>(std::max<int64_t>(0, tokens)));
  };
  count("input", usage.input);
  count("cached_input", usage.cached_input);
  count("output", usage.output);
  count("reasoning", usage.reasoning);
}

void Metrics::OnFinished(const Envelope& envelope, const CallOutcome& outcome, Duration since_start) {
  prometheus::Labels labels = CallLabels(envelope);
  labels["outcome"] = outcome.failure ? CallFailureName(outcome.failure->kind) : "completed";
  calls_.Add(labels).Increment();
  gen_ai_duration_.Add(GenAiLabels(envelope), kDurationSeconds).Observe(ToSeconds(since_start));
  if (!outcome.usage) return;
  CountTokens(envelope, *outcome.usage);
  const auto histogram = [&](const char* type, int64_t tokens) {
    prometheus::Labels by_type = GenAiLabels(envelope);
    by_type["gen_ai_token_type"] = type;
    gen_ai_tokens_.Add(by_type, kTokenBuckets).Observe(static_cast<double>(std::max<int64_t>(0, tokens)));
  };
  histogram("input", outcome.usage->input);
  histogram("output", outcome.usage->output);
}

}  // namespace holdfast::quota
