#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/clock.h"
#include "quota_service/admission/gauge.h"
#include "quota_service/retry/failure.h"

namespace holdfast::quota {

// What a provider's gate charges for a request before the answer exists. The input is estimated from the prompt's
// characters as characters / 4 + 2, which is what public refusals of OpenAI's gate show (720,000 characters: "Requested
// 180002").
enum class ChargeRule {
  kMaxOfCapAndCharacters,  // the larger of the input's estimate and max_output_tokens
  kInputPlusCap,           // both together
  kInput,                  // the input alone; output is counted as it is produced
  kNone,                   // tokens are not limited
};

// Where a refusal's headers and its body both name a delay, which of them counts. What only one of them names counts
// anyway.
enum class HintOrder {
  kLonger,   // the longer one: not known which is right
  kHeaders,  // the headers': the body is coarse, or speaks of another limit
  kBody,     // the body's: it is exact, where the headers round up
};

// Which failed requests stay charged at the gate, of those that reached it. What is not known is taken to stay charged:
// a mirror that is too low costs a wait, one that is too high a refusal. A request whose key was refused, or whose
// account has no money, is charged to nobody.
struct FailureDebits {
  bool refused = false;  // by a rate limit. A captured refusal of OpenAI's took no tokens
  bool invalid = true;   // 400 and its like. A rejected request was seen to cost its whole estimate at OpenAI's
  bool failed = true;    // 5xx, and answers that broke off
};

// What a provider calls an error: its type, code or status, in lower case. Such a name means the same whoever sends it,
// since what is configured as generic may be any of them; no two profiles give a name different meanings.
struct ErrorName {
  std::string_view name;
  FailureClass cls;
  FailureScope scope = FailureScope::kRequest;
};

// What is particular about a provider, as data.
struct ProviderProfile {
  std::string_view name;     // as in quota.yaml
  std::string_view dialect;  // where the configuration names none; see FindDialect
  ChargeRule charge;
  // What the HTTP status does not tell. Words of messages are in error_class.cc.
  std::span<const ErrorName> errors = {};
  // When the answer has ended, the gate replaces its estimate by the tokens that were really used. Where it does not,
  // the charge is for good.
  bool settles = false;
  // The input that is charged is counted in real tokens, not estimated from characters.
  bool counts_input = false;
  // A request that names no output cap is charged one of the provider's choosing, for good: better to name one.
  bool names_cap = false;
  FailureDebits debits = {};
  HintOrder hints = HintOrder::kLonger;
  // How limits "per minute" refill.
  WindowKind window = WindowKind::kContinuous;
  // Requests per minute are also held to within any span this long, in proportion: over 1 s, 60 a minute are one a
  // second. Zero: they are not.
  Duration requests_span = {};
};

// Every profile, in the order in which people are told of them.
std::span<const ProviderProfile> Profiles();

// Lives for ever. Unknown name: null.
const ProviderProfile* FindProfile(std::string_view name);
// Unknown name: the generic one.
const ProviderProfile& ProfileOf(std::string_view name);

// "openai, azure, …", for error messages.
std::string_view ProfileNames();

// Tokens. Arguments below zero count as zero; `max_output_tokens` 0 means that the request sets no cap.
int64_t GateCharge(const ProviderProfile& profile, int64_t prompt_characters, int64_t max_output_tokens);

// Whether a failed request that reached the gate stays charged there.
bool StaysCharged(const ProviderProfile& profile, FailureClass cls);

// max_output_tokens is itself quota: charged, and never given back, however short the answer is. Reserving 32,000 for
// answers of 500 then wastes most of the limit.
bool ChargesCapForGood(const ProviderProfile& profile);

}  // namespace holdfast::quota
