#pragma once

#include <string>
#include <vector>

namespace holdfast::test {

// A session whose every step the simulator determines, so that two runs of it can be compared.
struct KillScript {
  std::string simulator;             // its script
  std::vector<std::string> prompts;  // a turn each
  std::vector<std::string> answers;  // the last word of each turn
  // For each turn, the file of the workspace to which its slow command appends a line when it begins.
  std::vector<std::string> slow_commands;
};

// One turn: reads a file, waits a second for the limit, runs a command, and answers in a slow stream.
KillScript OneTurn();
// Eight turns with counted commands and patches; every second one waits less than half a second for the limit.
KillScript EightTurns();

}  // namespace holdfast::test
