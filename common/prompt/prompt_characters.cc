#include "common/prompt/prompt_characters.h"

#include "common/base/utf8.h"

namespace holdfast {

int64_t CountPromptCharacters(const quota::v1::GenerateRequest& request) {
  int64_t count = CountCodePoints(request.instructions());
  for (const quota::v1::Item& item : request.items()) {
    for (const quota::v1::Part& part : item.message().parts())
      count += CountCodePoints(part.text()) + CountCodePoints(part.refusal());
    count += CountCodePoints(item.tool_call().arguments());
    count += CountCodePoints(item.tool_result().output());
  }
  return count;
}

int64_t EstimateTokens(int64_t characters) { return characters / 4 + 2; }

}  // namespace holdfast
