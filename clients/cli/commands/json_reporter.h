#pragma once

#include <boost/json/object.hpp>

#include "clients/cli/commands/turn_reporter.h"
#include "clients/cli/commands/wait_log.h"
#include "clients/cli/terminal/screen.h"

namespace holdfast::cli {

// For programs: one JSON object a line on standard output. `type` is thread.started, turn.started, item.started,
// item.completed, wait, approval.requested, approval.decided, turn.completed or turn.failed; readers skip types and
// fields that they do not know. An item.started whose answer broke off is never completed.
class JsonReporter final : public TurnReporter {
 public:
  // `screen` outlives the reporter.
  explicit JsonReporter(Screen& screen) : screen_(screen) {}

  void OnSession(const std::string& session_id) override;
  void OnTurnStarted(const std::string& turn_id) override;
  void OnChange(const TurnChange& change) override;
  void OnToolStarted(const quota::v1::ToolCall& call) override;
  void OnTrouble(int code, const std::string& message) override;
  void Note(std::string_view text) override { screen_.Err(text); }
  bool Broken() const override { return screen_.out_failed(); }
  void OnLinkLost(const std::string& reason) override;
  void OnLinkBack() override;
  void OnIdle() override {}

 private:
  void Show(const ItemBegun& change);
  void Show(const TextGrown&) { wait_.Clear(); }
  void Show(const TextVoided&) { wait_.Clear(); }
  void Show(const WaitAnnounced& change);
  void Show(const WaitUnsure&) { wait_.Doubt(); }
  void Show(const CallRuns&) { wait_.Clear(); }
  void Show(const LogWentBack& change);
  void Show(const ItemDone& change);
  void Show(const ResultRecorded& change);
  void Show(const ApprovalAsked& change);
  void Show(const ApprovalGiven& change);
  void Show(const TurnDone& change);
  void Show(const TurnBroke& change);
  void Write(std::string_view type, boost::json::object fields);

  Screen& screen_;
  WaitLog wait_;
  bool has_session_ = false;
};

}  // namespace holdfast::cli
