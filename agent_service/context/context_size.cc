#include "agent_service/context/context_size.h"

#include <algorithm>
#include <cmath>

#include "agent_service/context/context_items.h"
#include "common/prompt/prompt_characters.h"

namespace holdfast::agent {
namespace {

// No tokenizer is outside of these for text of any language; a count that is tells of images or hidden input.
constexpr double kLeastPerCharacter = 0.1;
constexpr double kMostPerCharacter = 2;

double UsedOf(int64_t used, int64_t room, int64_t max_output_tokens) {
  if (room <= 0) return 0;
  return static_cast<double>(used) / static_cast<double>(std::max<int64_t>(1, room - max_output_tokens));
}

}  // namespace

int64_t CountCharacters(const std::vector<quota::v1::Item>& items) {
  int64_t count = 0;
  for (const quota::v1::Item& item : items) count += CountItemCharacters(item);
  return count;
}

ContextSize MeasureContext(const SessionState& state, int64_t instruction_characters) {
  const int64_t all = instruction_characters + CountCharacters(ContextItems(state));
  ContextSize size;
  size.charge = EstimateTokens(all);
  size.tokens_per_character = state.tokens_per_character();
  size.tokens = static_cast<int64_t>(std::ceil(static_cast<double>(all) * size.tokens_per_character)) + 2;
  const auto& measured = state.measured();
  if (!measured || measured->items > state.conversation().size()) return size;

  std::vector<quota::v1::Item> since(state.conversation().begin() + static_cast<std::ptrdiff_t>(measured->items),
                                     state.conversation().end());
  const int64_t tail = CountCharacters(ContextItems(since, ContextView()));
  if (all > tail) {
    size.tokens_per_character = std::clamp(static_cast<double>(measured->tokens) / static_cast<double>(all - tail),
                                           kLeastPerCharacter, kMostPerCharacter);
  }
  size.tokens =
      measured->tokens + static_cast<int64_t>(std::ceil(static_cast<double>(tail) * size.tokens_per_character));
  return size;
}

ContextSize Grown(ContextSize size, const std::vector<quota::v1::Item>& items) {
  const int64_t more = CountCharacters(items);
  size.charge += EstimateTokens(more);
  size.tokens += static_cast<int64_t>(std::ceil(static_cast<double>(more) * size.tokens_per_character));
  return size;
}

double Fill(const ContextSize& size, const quota::v1::GetModelResponse& model, int64_t max_output_tokens) {
  return std::max(UsedOf(size.tokens, model.context_window(), max_output_tokens),
                  UsedOf(size.charge, model.largest_admissible_tokens(), max_output_tokens));
}

}  // namespace holdfast::agent
