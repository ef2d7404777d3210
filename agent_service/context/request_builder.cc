#include "agent_service/context/request_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent_service/context/context_items.h"
#include "common/prompt/prompt_characters.h"

namespace holdfast::agent {
quota::v1::GenerateRequest BuildRequest(const std::string& tenant, const std::string& session_id,
                                        const SessionState& state, const v1::ModelCallStarted& call) {
  const v1::TurnStarted& started = state.turn()->started;
  quota::v1::GenerateRequest request;
  request.set_call_id(call.call_id());
  request.set_tenant(tenant);
  request.set_session_id(session_id);
  request.set_model(started.model());
  request.set_instructions(started.instructions());
  *request.mutable_tools() = started.tools();
  request.set_max_output_tokens(call.max_output_tokens());
  request.set_reasoning_effort(started.reasoning_effort());
  request.set_background(!started.attended());
  for (quota::v1::Item& item : ContextItems(state)) *request.add_items() = std::move(item);
  return request;
}

int64_t ContextCeiling(const quota::v1::GetModelResponse& model, int64_t max_output_tokens) {
  int64_t ceiling = model.context_window();
  if (model.largest_admissible_tokens() > 0) {
    ceiling = ceiling == 0 ? model.largest_admissible_tokens() : std::min(ceiling, model.largest_admissible_tokens());
  }
  return ceiling == 0 ? 0 : std::max<int64_t>(1, ceiling - max_output_tokens);
}

absl::Status CheckContext(const ContextSize& size, const quota::v1::GetModelResponse& model,
                          int64_t max_output_tokens) {
  if (Fill(size, model, max_output_tokens) <= 1) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "the context of about {} tokens is larger than the {} that fit (window {}, largest admissible request {}, "
      "output cap {}); begin a new session, or shorten what is read",
      std::max(size.tokens, size.charge), ContextCeiling(model, max_output_tokens), model.context_window(),
      model.largest_admissible_tokens(), max_output_tokens));
}

absl::Status CheckContext(const quota::v1::GenerateRequest& request, const quota::v1::GetModelResponse& model) {
  ContextSize size;
  size.charge = EstimateTokens(CountPromptCharacters(request));
  size.tokens = size.charge;
  return CheckContext(size, model, request.max_output_tokens());
}

}  // namespace holdfast::agent
