#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "clients/cli/terminal/interrupts.h"
#include "clients/cli/terminal/screen.h"
#include "clients/cli/tools/executor.h"

namespace holdfast::cli {

// Asks with these words until there is an answer; nothing where `stop`, asked several times a second, ends it.
using ApprovalPrompt =
    std::function<std::optional<ApprovalAnswer>(const std::string& question, const std::function<bool()>& stop)>;

// Asks on the terminal; empty where there is none, so that nobody waits for an answer that cannot come. With standard
// input in other use (a prompt from a pipe) the answers come from /dev/tty. `screen` and `interrupts` outlive it.
ApprovalPrompt MakeApprovalPrompt(Screen& screen, Interrupts& interrupts);

// "y", "a" or "n", each also as a word, "n" with a reason behind it. Absent: the answer is none of these.
std::optional<ApprovalAnswer> ParseApprovalAnswer(std::string_view line);

// The question as it is shown.
std::string QuestionText(const ApprovalQuestion& question);

}  // namespace holdfast::cli
