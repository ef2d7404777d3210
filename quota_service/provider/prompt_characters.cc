#include "common/base/utf8.h"
#include "quota_service/provider/dialect.h"

namespace holdfast::quota {
namespace {

int64_t CountMessage(const v1::Message& message) {
  int64_t count = 0;
  for (const v1::Part& part : message.parts()) count += CountCodePoints(part.text()) + CountCodePoints(part.refusal());
  return count;
}

}  // namespace

int64_t CountPromptCharacters(const v1::GenerateRequest& request) {
  int64_t count = CountCodePoints(request.instructions());
  for (const v1::Item& item : request.items()) {
    count += CountMessage(item.message());
    count += CountCodePoints(item.tool_call().arguments());
    count += CountCodePoints(item.tool_result().output());
  }
  return count;
}

}  // namespace holdfast::quota
