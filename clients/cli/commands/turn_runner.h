#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "clients/cli/commands/agent_client.h"
#include "clients/cli/commands/link.h"
#include "clients/cli/commands/tool_runner.h"
#include "clients/cli/commands/turn_reporter.h"
#include "clients/cli/commands/turn_view.h"
#include "clients/cli/terminal/interrupts.h"

namespace holdfast::cli {

// How a turn came out, for this client.
struct TurnResult {
  enum class End {
    kEnded,        // the log says so: completed or failed
    kRefused,      // it never began
    kInterrupted,  // and cancelled at the server, as far as that was reachable
    kLost,         // it may go on at the server
  };
  End end = End::kRefused;
  int exit_code = 1;
  std::string answer;  // of a completed turn
};

// The life of a turn, seen from the client: submit, watch, run the tools that the model asks for, submit their results,
// until the log says that the turn has ended. Broken links are mended from the cursor. One thread.
class TurnRunner {
 public:
  // How long to try where no turn was accepted yet; also the least for a turn that runs.
  static constexpr Duration kPatience = std::chrono::seconds(5);

  // Everything outlives the runner.
  TurnRunner(AgentClient& client, ToolRunner& tools, TurnReporter& reporter, Interrupts& interrupts)
      : client_(client), tools_(tools), reporter_(reporter), interrupts_(interrupts) {}

  // `request` has a client key: it goes out again after a lost reply. `max_outage` is the longest to bear while it
  // runs.
  TurnResult Run(const agent::v1::SubmitTurnRequest& request, Duration max_outage);
  // Takes over a turn that runs already. `max_wait` bounds an outage.
  TurnResult Attach(const std::string& session_id, const std::string& turn_id, Duration max_wait);

 private:
  TurnResult Follow(const std::string& session_id, TurnView& view, Link& link);
  // The first open tool call, if there is one and this client may run it now. False as RunTool.
  bool SeeToTools(const std::string& session_id, TurnView& view, Link& link, TurnResult* result);
  // False where the turn cannot go on; `result` then says why.
  bool RunTool(const std::string& session_id, const quota::v1::ToolCall& call, TurnView& view, Link& link,
               TurnResult* result);
  // The stream has ended with `status`. As RunTool.
  bool Mend(const grpc::Status& status, TurnView& view, Link& link, TurnResult* result);
  // Whether the turn still runs, where its events do not tell: a log that was salvaged may be as long as it was.
  void LookForTurn(const std::string& session_id, TurnView& view, TurnResult* result);
  // What an event has changed.
  void Tell(const std::vector<TurnChange>& changes, TurnResult* result);
  TurnResult Interrupted(const agent::v1::CancelTurnRequest& cancel);
  TurnResult Failed(TurnResult::End end, const grpc::Status& status, const std::string& message);

  AgentClient& client_;
  ToolRunner& tools_;
  TurnReporter& reporter_;
  Interrupts& interrupts_;
  std::set<std::string> announced_;      // calls of which people know
  std::optional<BootTime> next_seat_{};  // when to ask for the seat again
  bool elsewhere_ = false;               // this turn's tools are not ours to run
  bool watching_ = false;                // while another client runs them
  bool mended_ = false;                  // the stream is not the one that it was, and has not caught up
};

}  // namespace holdfast::cli
