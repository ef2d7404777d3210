#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "quota_service/provider/dialect.h"

namespace holdfast::quota {

// Chat completions (POST /chat/completions), as Kimi, GLM, OpenRouter, vLLM and llama.cpp speak them. The output cap is
// sent as `max_tokens`, which all of these read; OpenAI's own reasoning models, which ask for another name, speak the
// Responses dialect.
class ChatDialect final : public Dialect {
 public:
  std::string_view name() const override { return "chat"; }
  std::string_view path() const override { return "/chat/completions"; }
  absl::StatusOr<std::string> BuildBody(const v1::GenerateRequest& request, std::string_view upstream_model,
                                        std::string_view account) const override;
  std::unique_ptr<Tap> NewTap(std::string_view account, EmitEvent emit) const override;
};

}  // namespace holdfast::quota
