#pragma once

#include <string>
#include <string_view>

#include "clients/cli/commands/link.h"
#include "clients/cli/commands/turn_view.h"

namespace holdfast::cli {

// Shows a turn to whoever looks: people (TextReporter) or programs (JsonReporter). One thread.
class TurnReporter : public LinkObserver {
 public:
  virtual void OnSession(const std::string& session_id) = 0;
  virtual void OnTurnStarted(const std::string& turn_id) = 0;
  virtual void OnChange(const TurnChange& change) = 0;
  virtual void OnToolStarted(const quota::v1::ToolCall& call) = 0;
  // The turn ends here without the server saying so: refused, out of reach, interrupted. `code` is a grpc::StatusCode.
  virtual void OnTrouble(int code, const std::string& message) = 0;
  // Words for people, on standard error.
  virtual void Note(std::string_view text) = 0;
  // Nobody reads the output any more.
  virtual bool Broken() const = 0;
};

}  // namespace holdfast::cli
