#include "common/prompt/prompt_characters.h"

#include "common/base/utf8.h"

namespace holdfast {

namespace {

void ForEachItemText(const quota::v1::Item& item, const std::function<void(const std::string&)>& visit) {
  for (const quota::v1::Part& part : item.message().parts()) {
    visit(part.text());
    visit(part.refusal());
  }
  visit(item.tool_call().arguments());
  visit(item.tool_result().output());
}

}  // namespace

void ForEachPromptText(const quota::v1::GenerateRequest& request,
                       const std::function<void(const std::string&)>& visit) {
  visit(request.instructions());
  for (const quota::v1::Item& item : request.items()) ForEachItemText(item, visit);
}

int64_t CountItemCharacters(const quota::v1::Item& item) {
  int64_t count = 0;
  ForEachItemText(item, [&](const std::string& text) { count += CountCodePoints(text); });
  return count;
}

int64_t CountPromptCharacters(const quota::v1::GenerateRequest& request) {
  int64_t count = 0;
  ForEachPromptText(request, [&](const std::string& text) { count += CountCodePoints(text); });
  return count;
}

int64_t EstimateTokens(int64_t characters) { return characters / 4 + 2; }

}  // namespace holdfast
