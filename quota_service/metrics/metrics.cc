#include "quota_service/metrics/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::quota {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Histogram;
using prometheus::Labels;
using Buckets = Histogram::BucketBoundaries;

constexpr size_t kMostLearntModels = 100;

const Buckets kWaitSeconds = {0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600};
const Buckets kErrorSeconds = {0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60};
const Buckets kLatencySeconds = {0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300};
// As OpenTelemetry's semantic conventions for generative AI advise.
const Buckets kTokenBuckets = {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304};
const Buckets kDurationSeconds = {0.01, 0.02, 0.04,  0.08,  0.16,  0.32,  0.64,  1.28,
                                  2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84};
constexpr std::array<const char*, 4> kTokenKinds = {"input", "cached_input", "output", "reasoning"};

// The metric at `place`, which is looked for once.
template <typename Metric, typename Find>
Metric& Once(Metric*& place, Find&& find) {
  if (place == nullptr) place = find();
  return *place;
}

Labels With(Labels labels, const char* name, const char* value) {
  labels[name] = value;
  return labels;
}

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

Metrics::~Metrics() = default;

struct Metrics::Series {
  Labels labels;
  Labels gen_ai;  // as OpenTelemetry's conventions for generative AI name them
  // Made when first needed: what never happened is not told.
  std::map<int, Counter*> responses;  // by HTTP status
  std::map<std::string_view, Counter*> outcomes;
  std::array<Counter*, kTokenKinds.size()> tokens{};
  Histogram* wait = nullptr;
  Histogram* first_token = nullptr;
  Histogram* gen_ai_first_token = nullptr;
  Histogram* gen_ai_duration = nullptr;
  Histogram* gen_ai_input = nullptr;
  Histogram* gen_ai_output = nullptr;
};

const std::string& Metrics::ModelLabel(const std::string& model) const {
  static const std::string kOther = "other";
  return knows_model_(model) || answered_.contains(model) ? model : kOther;
}

Metrics::Series& Metrics::SeriesOf(const Envelope& envelope) {
  const Account& account = *envelope.route.account;
  const std::string& model = ModelLabel(envelope.model);
  series_key_.clear();
  for (const std::string* part : {&envelope.tenant, &model, &account.name}) series_key_.append(*part).push_back('\n');
  std::unique_ptr<Series>& series = series_[series_key_];
  if (!series) {
    series = std::make_unique<Series>();
    series->labels = {{"tenant", envelope.tenant}, {"model", model}, {"upstream", account.name}};
    series->gen_ai = {
        {"gen_ai_operation_name", "chat"}, {"gen_ai_provider_name", account.profile}, {"gen_ai_request_model", model}};
  }
  return *series;
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
  Series& series = SeriesOf(envelope);
  Once(series.wait, [&] { return &wait_.Add(series.labels, kWaitSeconds); }).Observe(ToSeconds(waited));
  if (error) forecast_error_.Add({{"upstream", envelope.route.account->name}}, kErrorSeconds).Observe(std::abs(*error));
}

void Metrics::OnResponse(const Envelope& envelope, int http_status) {
  if (http_status == 200 && answered_.size() < kMostLearntModels) answered_.insert(envelope.model);
  Counter*& responses = SeriesOf(envelope).responses[http_status];
  if (responses == nullptr) {
    responses = &responses_.Add({{"upstream", envelope.route.account->name},
                                 {"model", ModelLabel(envelope.model)},
                                 {"code", std::to_string(http_status)}});
  }
  responses->Increment();
}

void Metrics::OnFirstOutput(const Envelope& envelope, Duration since_sent) {
  Series& series = SeriesOf(envelope);
  const double seconds = ToSeconds(since_sent);
  Once(series.first_token, [&] { return &first_token_.Add(series.labels, kLatencySeconds); }).Observe(seconds);
  Once(series.gen_ai_first_token, [&] {
    return &gen_ai_first_token_.Add(series.gen_ai, kLatencySeconds);
  }).Observe(seconds);
}

void Metrics::OnAttemptFailed(const Envelope& envelope, const UpstreamFailure& failure,
                              const std::optional<TokenUsage>& usage) {
  if (usage) CountTokens(SeriesOf(envelope), *usage);
  if (failure.cls != FailureClass::kRateLimited) return;
  rate_limited_
      .Add({{"upstream", envelope.route.account->name},
            {"model", ModelLabel(envelope.model)},
            {"dimension", failure.hint.dimension ? DimensionName(*failure.hint.dimension) : "unknown"}})
      .Increment();
}

void Metrics::CountTokens(Series& series, const TokenUsage& usage) {
  const std::array<int64_t, kTokenKinds.size()> counts = {usage.input, usage.cached_input, usage.output,
                                                          usage.reasoning};
  for (size_t i = 0; i < counts.size(); ++i) {
    Once(series.tokens[i], [&] {
      return &tokens_.Add(With(series.labels, "kind", kTokenKinds[i]));
    }).Increment(static_cast<double>(std::max<int64_t>(0, counts[i])));
  }
}

void Metrics::OnFinished(const Envelope& envelope, const CallOutcome& outcome, Duration since_start) {
  Series& series = SeriesOf(envelope);
  const char* const name = outcome.failure ? CallFailureName(outcome.failure->kind) : "completed";
  Once(series.outcomes[name], [&] { return &calls_.Add(With(series.labels, "outcome", name)); }).Increment();
  Once(series.gen_ai_duration, [&] {
    return &gen_ai_duration_.Add(series.gen_ai, kDurationSeconds);
  }).Observe(ToSeconds(since_start));
  if (!outcome.usage) return;
  CountTokens(series, *outcome.usage);
  const auto observe = [&](Histogram*& histogram, const char* type, int64_t tokens) {
    Once(histogram, [&] {
      return &gen_ai_tokens_.Add(With(series.gen_ai, "gen_ai_token_type", type), kTokenBuckets);
    }).Observe(static_cast<double>(std::max<int64_t>(0, tokens)));
  };
  observe(series.gen_ai_input, "input", outcome.usage->input);
  observe(series.gen_ai_output, "output", outcome.usage->output);
}

}  // namespace holdfast::quota
