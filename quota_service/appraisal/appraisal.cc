#include "quota_service/appraisal/appraisal.h"

#include <algorithm>

#include "quota_service/estimate/output_cap.h"

namespace holdfast::quota {
namespace {

// Some providers stop a token or two before the cap.
constexpr int64_t kNearCap = 16;

}  // namespace

Appraisal::Appraisal(std::shared_ptr<Estimator> estimator, const ProviderProfile& profile, Terms terms)
    : estimator_(std::move(estimator)),
      profile_(&profile),
      terms_(std::move(terms)),
      estimate_(estimator_->For(terms_.prompt.shape, terms_.key, terms_.asked_cap)),
      cap_(terms_.asked_cap) {
  const bool ours = terms_.asked_cap > 0 ? terms_.may_lower_cap && ChargesCapForGood(profile)
                                         : terms_.may_name_cap && profile.names_cap;
  if (ours) {
    cap_ = terms_.may_ask_again
               ? SizeOutputCap(estimator_->Answers(terms_.key, kAnswersForCap), estimate_.input, LargestCap())
               : SafeOutputCap(estimator_->Answers(terms_.key, kAnswersForSafeCap).alike, LargestCap());
    // Up to the input's size it costs nothing there.
    if (profile.charge == ChargeRule::kMaxOfCapAndCharacters) {
      cap_ = std::min(std::max(cap_, GateCharge(profile, terms_.prompt.characters, 0)), LargestCap());
    }
  }
  Appraise();
}

int64_t Appraisal::LargestCap() const {
  int64_t largest = terms_.asked_cap > 0 ? terms_.asked_cap : kLargestOutputCap;
  // Prompt and cap together larger than the window are refused.
  if (terms_.context_window > 0 && terms_.asked_cap == 0) {
    largest = std::min(largest, std::max<int64_t>(1, terms_.context_window - estimate_.input_most));
  }
  return largest;
}

void Appraisal::Appraise() {
  if (profile_->counts_input) {
    charge_ = estimate_.input + CapCharged();
    return;
  }
  charge_ = GateCharge(*profile_, terms_.prompt.charged_characters(), cap_);
}

int64_t Appraisal::CapCharged() const { return profile_->charge == ChargeRule::kInputPlusCap ? cap_ : 0; }

int64_t Appraisal::guessed() const {
  const PromptProfile& prompt = terms_.prompt;
  if (profile_->counts_input) return prompt.shape.images_guessed;
  return charge_ - GateCharge(*profile_, prompt.charged_characters() - prompt.guessed_characters(), cap_);
}

Need Appraisal::need() const {
  const Tokens charge{charge_, charge_, 0};
  if (profile_->settles) return {charge, {estimate_.most(), estimate_.input_most, estimate_.output_q90}, guessed()};
  if (!profile_->counts_input) return {charge, charge, guessed()};
  const int64_t most = estimate_.input_most + CapCharged();
  return {charge, {most, most, 0}, guessed()};
}

std::optional<Tokens> Appraisal::Settled(const TokenUsage& usage) const {
  if (profile_->settles) {
    // Such gates do not count what they read from their cache.
    const int64_t input = std::max<int64_t>(usage.input - usage.cached_input, 0);
    return Tokens{input + usage.output, input, usage.output};
  }
  if (!profile_->counts_input || usage.input <= 0) return std::nullopt;
  const int64_t charge = usage.input + CapCharged();
  return Tokens{charge, charge, 0};
}

bool Appraisal::Raise(const std::optional<TokenUsage>& usage) {
  const bool at_cap = !usage || usage->output >= cap_ - kNearCap;
  if (cap_ == terms_.asked_cap || cap_ >= LargestCap() || !at_cap) return false;
  cap_ = RaiseOutputCap(cap_, raises_++, LargestCap());
  Appraise();
  return true;
}

void Appraisal::Learn(const TokenUsage& usage, bool cut) {
  // An answer that our cap has cut would have been longer. Where it was the last word it is learnt all the same, so
  // that the cap grows.
  const bool says_output = !cut || !terms_.may_ask_again || cap_ == terms_.asked_cap || cap_ >= LargestCap();
  estimator_->Learn(terms_.prompt.shape, terms_.key, usage.input,
                    says_output ? std::optional<int64_t>(usage.output) : std::nullopt);
}

}  // namespace holdfast::quota
