#include "quota_service/estimate/estimator.h"

#include <algorithm>
#include <cmath>

namespace holdfast::quota {
namespace {

// What no text does: a tokenizer that makes 8 times as many tokens, or as few. A provider that says so counts something
// else.
constexpr double kMostRatio = 8;
constexpr int64_t kMostOutput = 1'000'000;
// Where images make up more than this of the input, what is left says nothing about text.
constexpr double kMostImages = 0.25;
// Every so many calls of a session its shape is remembered for others. More would crowd them out.
constexpr int kRemembered = 8;

// Sessions with a history, before it is known how they drift.
constexpr double kSeedDrift = 0.03;
constexpr double kSeedDriftQ90 = 1.08;
// Answers, before any is known. Agents mostly call tools, in some hundred tokens.
constexpr int64_t kSeedOutput = 500;
constexpr int64_t kSeedOutputQ90 = 2'000;
constexpr int64_t kSeedOutputQ95 = 4'000;

// Rounded up, though not for what only arithmetic added.
int64_t Tokens(double count) { return static_cast<int64_t>(std::ceil(count * (1 - 1e-6))); }

double MedianOf(const RecentSamples<double>& samples) {
  std::vector<double> copy = samples.samples();
  const auto middle = copy.begin() + static_cast<std::ptrdiff_t>(copy.size() / 2);
  std::nth_element(copy.begin(), middle, copy.end());
  return *middle;
}

int64_t SeedOutput(double p) {
  if (p <= 0.5) return kSeedOutput;
  return p <= 0.9 ? kSeedOutputQ90 : kSeedOutputQ95;
}

std::string SessionName(const EstimateKey& key) { return key.session + '\n' + key.model; }

}  // namespace

template <typename T>
const T* Estimator::Recent<T>::Find(const std::string& name) const {
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : &found->second->second;
}

template <typename T>
T& Estimator::Recent<T>::Use(const std::string& name, size_t most) {
  if (const auto found = by_name.find(name); found != by_name.end()) {
    entries.splice(entries.begin(), entries, found->second);
    return entries.front().second;
  }
  while (!entries.empty() && entries.size() >= most) {
    by_name.erase(entries.back().first);
    entries.pop_back();
  }
  entries.emplace_front(name, T());
  by_name.emplace(name, entries.begin());
  return entries.front().second;
}

const Estimator::Session* Estimator::FindSession(const EstimateKey& key) const {
  return key.session.empty() ? nullptr : sessions_.Find(SessionName(key));
}

Ratio Estimator::RatioOf(const RequestShape& shape, const Model* model, const Session* session) const {
  if (session == nullptr || session->ratios.size() == 0)
    return model == nullptr ? RatioMemory().Near(shape) : model->ratios.Near(shape);
  // The median: one count that is wrong moves nothing.
  const double k = MedianOf(session->ratios);
  const double q90 = model->drifts.Quantile(0.9).value_or(kSeedDriftQ90);
  double drift = 0;
  for (const double of : model->drifts.samples()) drift += std::abs(of - 1);
  const auto count = static_cast<double>(model->drifts.size());
  const bool known = model->drifts.size() >= SamplesFor(0.9);
  return {.expected = k, .deviation = k * (known ? drift / count : kSeedDrift), .q90 = k * q90};
}

int64_t Estimator::OutputOf(double p, const Model* model, const Session* session, bool background) const {
  std::optional<int32_t> quantile;
  if (session != nullptr) quantile = session->outputs.Quantile(p);
  if (!quantile && model != nullptr) quantile = model->OutputsOf(background).Quantile(p);
  if (!quantile && model != nullptr) quantile = model->outputs.Quantile(p);
  return quantile ? *quantile : SeedOutput(p);
}

Estimate Estimator::For(const RequestShape& shape, const EstimateKey& key, int64_t output_cap) const {
  const Model* model = models_.Find(key.model);
  // A session is forgotten with its model, whose drifts it is judged by.
  const Session* session = model == nullptr ? nullptr : FindSession(key);
  const Ratio ratio = RatioOf(shape, model, session);
  Estimate estimate;
  estimate.input = Tokens(shape.text * ratio.expected) + shape.images;
  estimate.input_q90 = Tokens(shape.text * ratio.q90) + shape.images_most;
  const double most = std::max(ratio.expected + 2.5 * ratio.deviation, ratio.q90);
  estimate.input_most = Tokens(shape.text * most) + shape.images_most;
  const auto output = [&](double p) {
    const int64_t tokens = OutputOf(p, model, session, key.background);
    return output_cap > 0 ? std::min(tokens, output_cap) : tokens;
  };
  estimate.output = output(0.5);
  estimate.output_q90 = output(0.9);
  estimate.output_q95 = output(0.95);
  return estimate;
}

void Estimator::Learn(const RequestShape& shape, const EstimateKey& key, int64_t input, std::optional<int64_t> output) {
  const bool output_is_true = output && *output > 0 && *output <= kMostOutput;
  const auto images = static_cast<double>(shape.images);
  const double text = static_cast<double>(input) - images;
  const double ratio = text / shape.text;
  const bool ratio_is_true =
      images <= kMostImages * static_cast<double>(input) && ratio >= 1 / kMostRatio && ratio <= kMostRatio;
  if (!output_is_true && !ratio_is_true) return;

  Model& model = models_.Use(key.model, bounds_.models);
  Session* session = key.session.empty() ? nullptr : &sessions_.Use(SessionName(key), bounds_.sessions);
  if (ratio_is_true) {
    if (session != nullptr && session->ratios.size() > 0) {
      model.drifts.Add(ratio / MedianOf(session->ratios));
    }
    if (session == nullptr || session->calls % kRemembered == 0) model.ratios.Add(shape, ratio);
    if (session != nullptr) {
      session->ratios.Add(ratio);
      ++session->calls;
    }
  }
  if (output_is_true) {
    const auto tokens = static_cast<int32_t>(*output);
    model.outputs.Add(tokens);
    (key.background ? model.outputs_background : model.outputs_interactive).Add(tokens);
    if (session != nullptr) session->outputs.Add(tokens);
  }
}

KnownAnswers Estimator::Answers(const EstimateKey& key, size_t least) const {
  KnownAnswers known;
  if (const Session* session = FindSession(key)) known.own = session->outputs.samples();
  if (const Model* model = models_.Find(key.model)) {
    const auto& kind = model->OutputsOf(key.background);
    known.alike = kind.size() >= least ? kind.samples() : model->outputs.samples();
  }
  return known;
}

}  // namespace holdfast::quota
