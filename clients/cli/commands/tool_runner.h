#pragma once

#include <grpcpp/support/status.h>

#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/commands/link.h"
#include "clients/cli/tools/tool_outcome.h"
#include "holdfast/agent/v1/agent.pb.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

// Whether this client may run the session's tools now.
struct Seat {
  enum class Kind {
    kMine,
    kTaken,      // another client of this workspace runs them; it may leave
    kElsewhere,  // they are run in another place until the turn has ended
    kFailed,     // neither, for the reason in `status`
  };
  Kind kind = Kind::kFailed;
  grpc::Status status;
};

// Runs a session's tool calls; see ToolExecutor for what "once" means.
class ToolRunner {
 public:
  virtual ~ToolRunner() = default;
  virtual std::vector<quota::v1::Tool> Declarations() const = 0;
  // Where the tools run; absent where that does not matter.
  virtual agent::v1::ToolPlace Place() const { return {}; }
  // Takes the seat, or makes sure that it is still ours: before each start.
  virtual Seat TakeSeat(Link&) { return {.kind = Seat::Kind::kMine, .status = {}}; }
  // Somebody else may have it.
  virtual void LeaveSeat() {}
  // Of the seat; 0: without one.
  virtual int64_t lease_generation() const { return 0; }
  // Blocks; only while the seat is ours. ABORTED: it no longer was, and nothing was started. Another error: the call
  // may or may not have run, and nothing may be submitted for it. Once the turn is over elsewhere the tool is ended.
  virtual absl::StatusOr<ToolOutcome> Run(const quota::v1::ToolCall& call, const std::string& turn_id) = 0;
  // The holder of the seat, not us, asks whether a call may run: lets the user answer, if one is here. Blocks until
  // somebody has. `sequence`: of the last event that was seen.
  virtual void Offer(const agent::v1::ApprovalRequested&, int64_t /*sequence*/) {}
};

}  // namespace holdfast::cli
