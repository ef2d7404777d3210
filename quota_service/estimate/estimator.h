#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quota_service/estimate/known_answers.h"
#include "quota_service/estimate/ratio_memory.h"
#include "quota_service/estimate/recent_samples.h"
#include "quota_service/estimate/request_shape.h"

namespace holdfast::quota {

// Whose history an estimate is made from.
struct EstimateKey {
  std::string model;         // with its upstream: tokenizers and answers are the model's
  std::string session = {};  // with its tenant; empty: none
  bool background = false;
};

// Tokens.
struct Estimate {
  int64_t input = 0;       // expected
  int64_t input_q90 = 0;   // nine in ten requests have at most this
  int64_t input_most = 0;  // the expected and 2.5 mean deviations, at least input_q90
  int64_t output = 0;      // the median
  int64_t output_q90 = 0;
  int64_t output_q95 = 0;

  int64_t expected() const { return input + output; }
  int64_t most() const { return input_most + output_q90; }
};

// How many real tokens a request will take, learnt from what its like took. For gates that count real tokens, or that
// settle to them; what a gate charges on arrival is GateCharge's business. Pure; bounded whatever comes.
//
// Input: RequestShape::text times a factor k. A session resends what it has said, so its own last factors are the best
// that is known; a new one goes by the requests of its model that are most like it (RatioMemory).
// Output: quantiles of the narrowest history with enough answers: the session's, its model's interactive or background
// calls, all of its model, a seed.
class Estimator {
 public:
  struct Bounds {
    size_t sessions = 4096;  // the least recently used is forgotten
    size_t models = 64;
  };

  Estimator() : Estimator(Bounds{}) {}
  explicit Estimator(Bounds bounds) : bounds_(bounds) {}

  // `output_cap`: the most that the request allows; 0: nothing.
  Estimate For(const RequestShape& shape, const EstimateKey& key, int64_t output_cap = 0) const;
  // Tokens as the provider counted them, of an attempt that was answered to its end. Counts that cannot be true are
  // ignored. No `output`: it was cut off, and says nothing.
  void Learn(const RequestShape& shape, const EstimateKey& key, int64_t input, std::optional<int64_t> output);

  // `alike`: of the session's kind, interactive or background, where that has at least `least`; otherwise of the model.
  KnownAnswers Answers(const EstimateKey& key, size_t least) const;

  size_t sessions() const { return sessions_.size(); }
  size_t models() const { return models_.size(); }

 private:
  struct Model {
    RatioMemory ratios;
    RecentSamples<double> drifts{256};  // of sessions with a history: their ratio over the one expected from it
    RecentSamples<int32_t> outputs{256};
    RecentSamples<int32_t> outputs_interactive{256};
    RecentSamples<int32_t> outputs_background{256};
    const RecentSamples<int32_t>& OutputsOf(bool background) const {
      return background ? outputs_background : outputs_interactive;
    }
  };
  struct Session {
    RecentSamples<double> ratios{5};
    RecentSamples<int32_t> outputs{32};
    int calls = 0;
  };
  // The most recently used of a kind, by name.
  template <typename T>
  using Entries = std::list<std::pair<std::string, T>>;
  template <typename T>
  struct Recent {
    std::map<std::string, typename Entries<T>::iterator, std::less<>> by_name;
    Entries<T> entries;  // most recent first
    size_t size() const { return entries.size(); }
    const T* Find(const std::string& name) const;
    T& Use(const std::string& name, size_t most);
  };

  Ratio RatioOf(const RequestShape& shape, const Model* model, const Session* session) const;
  int64_t OutputOf(double p, const Model* model, const Session* session, bool background) const;
  const Session* FindSession(const EstimateKey& key) const;

  Bounds bounds_;
  Recent<Model> models_;
  Recent<Session> sessions_;
};

}  // namespace holdfast::quota
