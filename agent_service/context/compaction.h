#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent_service/session/session_state.h"
#include "holdfast/quota/v1/quota.pb.h"

// How a context becomes smaller (docs/adr/0011): a view over the log, decided from the log and what is known of the
// model. No tool runs for it, and no request that it makes has tools.
namespace holdfast::agent {

struct CompactionStep {
  enum class Kind {
    kNone,  // it need not, or cannot
    kCut,   // commit `cut`: old outputs of tools are shortened, no model is asked
    kCall,  // commit `call`, then send BuildCompactionRequest
  };
  Kind kind = Kind::kNone;
  v1::ContextCompacted cut;
  v1::CompactionCallStarted call;  // without a call id
};

// Begins where more than `begin_at` of the room is used (see Fill), or where a compaction is due to go on; goes on
// until no more than `target` is. Both are parts of 1. For the newest turn, running or not.
CompactionStep DecideCompaction(const SessionState& state, const quota::v1::GetModelResponse& model, double begin_at,
                                double target);

// The request of a compaction's call, from the log alone: the same log gives the same bytes.
quota::v1::GenerateRequest BuildCompactionRequest(const std::string& tenant, const std::string& session_id,
                                                  const SessionState& state, const v1::CompactionCallStarted& call);

// What the call's answer comes to: context_compacted, or compaction_failed where it says nothing or the context would
// not be smaller.
v1::SessionEvent ConcludeCompaction(const SessionState& state, const v1::CompactionCallStarted& call,
                                    const std::vector<quota::v1::Item>& answer, const quota::v1::Completed& completed);

}  // namespace holdfast::agent
