#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "quota_service/admission/need.h"
#include "quota_service/estimate/estimator.h"
#include "quota_service/estimate/prompt_profile.h"
#include "quota_service/provider/profile.h"
#include "quota_service/provider/tap.h"

namespace holdfast::quota {

// What one call is worth to its gate: what it is charged, the output cap that it is sent with, and what it is expected
// to take really; from what it took in the end others learn. Pure.
class Appraisal {
 public:
  struct Terms {
    EstimateKey key = {};
    PromptProfile prompt = {};
    int64_t asked_cap = 0;       // by the caller; 0: none
    bool may_lower_cap = false;  // the operator allows less than the caller asked for
    bool may_name_cap = true;    // where the caller asked for none
    bool may_ask_again = true;   // an answer that a cap of ours has cut is not the caller's yet
    int64_t context_window = 0;  // 0: unknown
  };

  // `profile` lives for ever.
  Appraisal(std::shared_ptr<Estimator> estimator, const ProviderProfile& profile, Terms terms);

  // Tokens that the gate takes when the request arrives.
  int64_t charge() const { return charge_; }
  // Of `charge()`: may turn out not to be, as images whose size is not known may be small.
  int64_t guessed() const;
  // What the call takes of each kind of limit: on arrival, and at most in the end where the gate settles.
  Need need() const;
  // What the gate has charged in the end, where the answer tells. Empty: the charge as it was.
  std::optional<Tokens> Settled(const TokenUsage& usage) const;
  // Real tokens, of input and output: for gates that count them, or settle to them.
  const Estimate& estimate() const { return estimate_; }
  // To send; 0: none. Where the gate charges the cap for good it may be one of ours.
  int64_t output_cap() const { return cap_; }

  // The answer was cut at the cap, and the caller would have taken more: the cap is larger now, and so is the charge.
  // False: it is the caller's own, as large as it gets, or not what cut the answer. After two raises it is always
  // false, so that nobody pays without end.
  bool Raise(const std::optional<TokenUsage>& usage);

  // Of an answer that came to its end. `cut`: at an output cap.
  void Learn(const TokenUsage& usage, bool cut);

 private:
  void Appraise();
  int64_t CapCharged() const;  // beside the input
  int64_t LargestCap() const;

  std::shared_ptr<Estimator> estimator_;
  const ProviderProfile* profile_;
  Terms terms_;
  Estimate estimate_;
  int64_t cap_ = 0;
  int raises_ = 0;
  int64_t charge_ = 0;
};

}  // namespace holdfast::quota
