#include "agent_service/context/request_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/utf8.h"
#include "common/prompt/prompt_characters.h"

namespace holdfast::agent {
namespace {

// What of a tool's output reaches the model; the log keeps the rest.
constexpr size_t kMostToolOutputBytes = 64 * 1024;

// Models do answer with nothing at all; no provider takes that back.
bool IsEmpty(const quota::v1::Item& item) {
  return item.kind_case() == quota::v1::Item::KIND_NOT_SET || (item.has_message() && item.message().parts().empty());
}

}  // namespace

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
  for (const quota::v1::Item& item : state.conversation()) {
    if (IsEmpty(item)) continue;
    quota::v1::Item* copy = request.add_items();
    *copy = item;
    if (copy->has_tool_result() && copy->tool_result().output().size() > kMostToolOutputBytes) {
      copy->mutable_tool_result()->set_output(KeepHeadAndTail(item.tool_result().output(), kMostToolOutputBytes));
    }
  }
  return request;
}

int64_t ContextCeiling(const quota::v1::GetModelResponse& model, int64_t max_output_tokens) {
  int64_t ceiling = model.context_window();
  if (model.largest_admissible_tokens() > 0) {
    ceiling = ceiling == 0 ? model.largest_admissible_tokens() : std::min(ceiling, model.largest_admissible_tokens());
  }
  return ceiling == 0 ? 0 : std::max<int64_t>(1, ceiling - max_output_tokens);
}

absl::Status CheckContext(const quota::v1::GenerateRequest& request, const quota::v1::GetModelResponse& model) {
  const int64_t ceiling = ContextCeiling(model, request.max_output_tokens());
  const int64_t tokens = EstimateTokens(CountPromptCharacters(request));
  if (ceiling == 0 || tokens <= ceiling) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "the context of about {} tokens is larger than the {} that fit (window {}, largest admissible request {}, "
      "output cap {}); begin a new session, or shorten what is read",
      tokens, ceiling, model.context_window(), model.largest_admissible_tokens(), request.max_output_tokens()));
}

}  // namespace holdfast::agent
