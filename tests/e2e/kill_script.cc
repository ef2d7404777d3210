#include "tests/e2e/kill_script.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

namespace holdfast::test {
namespace {

namespace json = boost::json;

// Tokens a minute. A prompt of kPromptCharacters costs a little more than 10,000 tokens, which come back in less than
// half a second.
constexpr int64_t kLimit = 1'500'000;
constexpr size_t kPromptCharacters = 40'000;
constexpr int kEventDelayMs = 15;

json::object Tool(const std::string& name, json::object arguments) {
  return {{"name", name}, {"arguments", std::move(arguments)}};
}

json::object ReadFile(const std::string& path) { return Tool("read_file", {{"path", path}}); }

std::string CountFile(int turn, int command) { return fmt::format("runs/{}.{}", turn, command); }

// Says in a file that it runs, a line for each run.
json::object Command(int turn, int command, const char* seconds) {
  return Tool("shell", {{"command", fmt::format("mkdir -p runs; echo ran >> {}; sleep {}; echo counted",
                                                CountFile(turn, command), seconds)}});
}

json::object Patch(const std::string& body) {
  return Tool("apply_patch", {{"patch", "*** Begin Patch\n" + body + "*** End Patch\n"}});
}

std::string PromptOfTurn(int turn) { return fmt::format("Turn {}.", turn); }

class Answers {
 public:
  void Add(int turn, const std::string& text, json::array tools, bool exhausts_limit = false, int chunks = 3) {
    json::object answer{{"when", {{"last_user_contains", PromptOfTurn(turn)}, {"step", step_++}}},
                        {"text", text},
                        {"chunks", chunks},
                        {"event_delay_ms", kEventDelayMs}};
    if (!tools.empty()) answer["tool_calls"] = std::move(tools);
    if (exhausts_limit) answer["set_used"] = json::object{{"tokens", kLimit}};
    answers_.push_back(std::move(answer));
  }
  // The last of the turn.
  void Finish(int turn) {
    Add(turn, fmt::format("Turn {} is done, and this sentence takes its time.", turn), {}, false, 12);
    step_ = 0;
  }
  std::string Script() {
    return json::serialize(json::object{{"limits", {{"tokens", {{"limit", kLimit}, {"per", 60}, {"used", 0}}}}},
                                        {"answers", std::move(answers_)}});
  }

 private:
  json::array answers_;
  int step_ = 0;
};

std::vector<std::string> Prompts(int turns) {
  std::vector<std::string> prompts;
  for (int turn = 1; turn <= turns; ++turn) prompts.push_back(PromptOfTurn(turn));
  prompts.front() += std::string(kPromptCharacters, '.');
  return prompts;
}

}  // namespace

KillScript OneTurn() {
  Answers answers;
  answers.Add(1, "I look first.", {ReadFile("given.txt")}, /*exhausts_limit=*/true);
  answers.Add(1, "I run it.", {Command(1, 0, "0.3")});
  answers.Finish(1);
  return {answers.Script(), Prompts(1), {CountFile(1, 0)}};
}

KillScript FourTurns() {
  Answers answers;
  answers.Add(1, "I run it.", {Command(1, 0, "0.15")});
  answers.Add(1, "I add a file.", {Patch("*** Add File: added.txt\n+one\n+two\n")});
  answers.Finish(1);

  answers.Add(2, "I look first.", {ReadFile("given.txt")}, /*exhausts_limit=*/true);
  answers.Add(2, "I run two.", {Command(2, 0, "0.15"), Command(2, 1, "0")});
  answers.Finish(2);

  answers.Add(3, "I change two files.",
              {Patch("*** Add File: beside.txt\n+new\n*** Update File: given.txt\n "
                     "first\n-second\n+2nd\n third\n")});
  answers.Add(3, "I run and read.", {Command(3, 0, "0.15"), ReadFile("given.txt")});
  answers.Finish(3);

  answers.Add(4, "I look first.", {ReadFile("other.txt")}, /*exhausts_limit=*/true);
  answers.Add(4, "I run it.", {Command(4, 0, "0.15")});
  answers.Add(4, "I move a file.", {Patch("*** Update File: other.txt\n*** Move to: moved/other.txt\n-old\n+young\n")});
  answers.Finish(4);
  return {answers.Script(), Prompts(4), {CountFile(1, 0), CountFile(2, 0), CountFile(3, 0), CountFile(4, 0)}};
}

}  // namespace holdfast::test
