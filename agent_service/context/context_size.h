#pragma once

#include <cstdint>

#include "agent_service/session/session_state.h"
#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast::agent {

struct ContextSize {
  // As the model will count it: what it last reported, and an estimate for what came since by what was learnt of its
  // count.
  int64_t tokens = 0;
  // What a gate that counts characters charges for it, without the output cap (docs/charge.md).
  int64_t charge = 0;
  double tokens_per_character = 0.25;
};

// Of the context that `state` gives with instructions of so many characters.
ContextSize MeasureContext(const SessionState& state, int64_t instruction_characters);

// At most what it comes to when these are said in it too.
ContextSize Grown(ContextSize size, const std::vector<quota::v1::Item>& items);

// Characters of these items, as docs/charge.md counts them.
int64_t CountCharacters(const std::vector<quota::v1::Item>& items);

// The part of the room that is used: of the window by tokens, of the largest admissible request by the charge, each
// less the output cap; the larger of the two. 1 is full, 0 where nothing is known of the model.
double Fill(const ContextSize& size, const quota::v1::GetModelResponse& model, int64_t max_output_tokens);

}  // namespace holdfast::agent
