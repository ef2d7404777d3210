#include "tests/e2e/kill_script.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

namespace holdfast::test {
namespace {

namespace json = boost::json;

// A prompt of so many characters makes each request cost about 11,000 tokens. Under the first limit (tokens a minute)
// they come back in 0.45 s, under the second in 1.1 s.
constexpr size_t kPromptCharacters = 40'000;
constexpr int64_t kShortWaits = 1'500'000;
constexpr int64_t kLongWaits = 600'000;
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

std::string AnswerOfTurn(int turn) { return fmt::format("Turn {} is done, and this sentence takes its time.", turn); }

class Answers {
 public:
  explicit Answers(int64_t limit) : limit_(limit) {}

  void Add(int turn, const std::string& text, json::array tools, bool exhausts_limit = false, int chunks = 3) {
    json::object answer{{"when", {{"last_user_contains", PromptOfTurn(turn)}, {"step", step_++}}},
                        {"text", text},
                        {"chunks", chunks},
                        {"event_delay_ms", kEventDelayMs}};
    if (!tools.empty()) answer["tool_calls"] = std::move(tools);
    if (exhausts_limit) answer["set_used"] = json::object{{"tokens", limit_}};
    answers_.push_back(std::move(answer));
  }
  // The last of the turn.
  void Finish(int turn) {
    Add(turn, AnswerOfTurn(turn), {}, /*exhausts_limit=*/false, /*chunks=*/12);
    step_ = 0;
  }
  std::string Script() {
    return json::serialize(json::object{{"limits", {{"tokens", {{"limit", limit_}, {"per", 60}, {"used", 0}}}}},
                                        {"answers", std::move(answers_)}});
  }

 private:
  int64_t limit_;
  json::array answers_;
  int step_ = 0;
};

KillScript Script(Answers answers, int turns) {
  KillScript script;
  script.simulator = answers.Script();
  for (int turn = 1; turn <= turns; ++turn) {
    script.prompts.push_back(PromptOfTurn(turn));
    script.answers.push_back(AnswerOfTurn(turn));
    script.slow_commands.push_back(CountFile(turn, 0));
  }
  script.prompts.front() += std::string(kPromptCharacters, '.');
  return script;
}

}  // namespace

KillScript OneTurn() {
  Answers answers(kLongWaits);
  answers.Add(1, "I look first.", {ReadFile("given.txt")}, /*exhausts_limit=*/true);
  answers.Add(1, "I run it.", {Command(1, 0, "0.3")});
  answers.Finish(1);
  return Script(std::move(answers), 1);
}

KillScript FourTurns() {
  Answers answers(kShortWaits);
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
  return Script(std::move(answers), 4);
}

}  // namespace holdfast::test
