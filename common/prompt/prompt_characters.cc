#include "common/prompt/prompt_characters.h"

#include "common/base/utf8.h"

namespace holdfast {

void ForEachPromptText(const quota::v1::GenerateRequest& request,
                       const std::function<void(const std::string&)>& visit) {
  visit(request.instructions());
  for (const quota::v1::Item& item : request.items()) {
    for (const quota::v1::Part& part : item.message().parts()) {
      visit(part.text());
      visit(part.refusal());
    }
    visit(item.tool_call().arguments());
    visit(item.tool_result().output());
  }
}

int64_t CountPromptCharacters(const quota::v1::GenerateRequest& request) {
  int64_t count = 0;
  ForEachPromptText(request, [&](const std::string& text) { count += CountCodePoints(text); });
  return count;
}

int64_t EstimateTokens(int64_t characters) { return characters / 4 + 2; }

}  // namespace holdfast
