#include "quota_service/provider/dialect.h"

#include "quota_service/provider/chat_dialect.h"
#include "quota_service/provider/responses_dialect.h"

namespace holdfast::quota {

const Dialect* FindDialect(std::string_view name) {
  static const ResponsesDialect kResponses;
  static const ChatDialect kChat;
  for (const Dialect* dialect : {static_cast<const Dialect*>(&kResponses), static_cast<const Dialect*>(&kChat)}) {
    if (dialect->name() == name) return dialect;
  }
  return nullptr;
}

}  // namespace holdfast::quota
