#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "quota_service/provider/dialect.h"

namespace holdfast::quota {

// OpenAI's Responses API (POST /responses), stateless: `store` is false and reasoning travels encrypted.
class ResponsesDialect final : public Dialect {
 public:
  std::string_view name() const override { return "responses"; }
  std::string_view path() const override { return "/responses"; }
  absl::StatusOr<std::string> BuildBody(const v1::GenerateRequest& request, std::string_view upstream_model,
                                        std::string_view account) const override;
  std::unique_ptr<Tap> NewTap(std::string_view account, EmitEvent emit) const override;
};

}  // namespace holdfast::quota
