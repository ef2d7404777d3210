#pragma once

#include "clients/cli/commands/turn_reporter.h"
#include "clients/cli/commands/wait_log.h"
#include "clients/cli/terminal/screen.h"

namespace holdfast::cli {

// For people: progress on standard error; on a terminal with a line at the bottom that counts down.
class TextReporter final : public TurnReporter {
 public:
  enum class Answer {
    kLater,   // the caller prints the final answer
    kStream,  // the text goes to standard output as it comes
  };

  // `screen` outlives the reporter.
  TextReporter(Screen& screen, Answer answer) : screen_(screen), answer_(answer) {}

  void OnSession(const std::string& session_id) override;
  void OnTurnStarted(const std::string& turn_id) override;
  void OnChange(const TurnChange& change) override;
  void OnToolStarted(const quota::v1::ToolCall& call) override;
  void OnTrouble(int code, const std::string& message) override;
  void Note(std::string_view text) override { screen_.Err(text); }
  bool Broken() const override { return screen_.out_failed(); }
  void OnLinkLost(const std::string& reason) override;
  void OnLinkBack() override;
  void OnIdle() override;

 private:
  void Show(const ItemBegun& change);
  void Show(const TextGrown& change);
  void Show(const TextVoided& change);
  void Show(const WaitAnnounced& change);
  void Show(const WaitUnsure& change);
  void Show(const CallRuns& change);
  void Show(const LogWentBack& change);
  void Show(const ItemDone& change);
  void Show(const ResultRecorded& change);
  void Show(const ApprovalAsked& change);
  void Show(const ApprovalGiven& change);
  void Show(const TurnDone& change);
  void Show(const TurnBroke& change);

  Screen& screen_;
  Answer answer_;
  WaitLog wait_;
  BootTime started_ = BootClock::now();
  bool has_session_ = false;
  bool link_lost_ = false;
  std::string link_reason_;
  bool streaming_ = false;  // the line on standard output is not complete
};

}  // namespace holdfast::cli
