#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "agent_service/context/context_size.h"
#include "agent_service/session/session_state.h"
#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast::agent {

// The request of the running turn's present call, from the log alone: the same log gives the same bytes. `max_wait` and
// the cursor are the caller's to set.
quota::v1::GenerateRequest BuildRequest(const std::string& tenant, const std::string& session_id,
                                        const SessionState& state, const v1::ModelCallStarted& call);

// The most input tokens that a request to this model may have: min(window, largest admissible request) less the output
// cap. 0: nothing is known of either.
int64_t ContextCeiling(const quota::v1::GetModelResponse& model, int64_t max_output_tokens);

// FAILED_PRECONDITION names the sizes when the context is estimated to have more tokens than the window has room for,
// or a larger charge than the largest admissible request.
absl::Status CheckContext(const ContextSize& size, const quota::v1::GetModelResponse& model, int64_t max_output_tokens);
// The same for a request of which nothing was measured.
absl::Status CheckContext(const quota::v1::GenerateRequest& request, const quota::v1::GetModelResponse& model);

}  // namespace holdfast::agent
