#include "tests/e2e/kill_script.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

namespace holdfast::test {
namespace {

namespace json = boost::json;

// A prompt of so many characters makes each request cost about 11,000 tokens. Under the first limit (tokens a minute)
// they come back in 0.4 s, under the second in 1.1 s.
constexpr size_t kPromptCharacters = 40'000;
constexpr int64_t kShortWaits = 1'700'000;
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

// What an answer does to the limit, as if others used the key too.
enum class Limit { kAsItIs, kExhausted, kUnused };

class Answers {
 public:
  explicit Answers(int64_t limit) : limit_(limit) {}

  void Add(int turn, const std::string& text, json::array tools, Limit limit = Limit::kAsItIs, int chunks = 3) {
    json::object answer{{"when", {{"last_user_contains", PromptOfTurn(turn)}, {"step", step_++}}},
                        {"text", text},
                        {"chunks", chunks},
                        {"event_delay_ms", kEventDelayMs}};
    if (!tools.empty()) answer["tool_calls"] = std::move(tools);
    if (limit != Limit::kAsItIs) answer["set_used"] = json::object{{"tokens", limit == Limit::kExhausted ? limit_ : 0}};
    answers_.push_back(std::move(answer));
  }
  // The last of the turn.
  void Finish(int turn, Limit limit = Limit::kAsItIs) {
    Add(turn, AnswerOfTurn(turn), {}, limit, /*chunks=*/12);
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
  answers.Add(1, "I look first.", {ReadFile("given.txt")}, Limit::kExhausted);
  answers.Add(1, "I run it.", {Command(1, 0, "0.3")});
  answers.Finish(1);
  return Script(std::move(answers), 1);
}

KillScript EightTurns() {
  Answers answers(kShortWaits);
  // Each turn without a wait gives three readings of an unused limit, which is enough for quota_service to believe it.
  // So the next one exhausts all of it at once: of somebody who takes a little again and again it would learn, and keep
  // room free for him, the more the slower the machine is.
  for (const int turn : {1, 5}) {
    answers.Add(turn, "I run it.", {Command(turn, 0, "0.15")}, Limit::kUnused);
    answers.Add(turn, "I add a file.", {Patch(fmt::format("*** Add File: added{}.txt\n+one\n+two\n", turn))},
                Limit::kUnused);
    answers.Finish(turn, Limit::kUnused);

    answers.Add(turn + 1, "I look first.", {ReadFile("given.txt")}, Limit::kExhausted);
    answers.Add(turn + 1, "I run two.", {Command(turn + 1, 0, "0.15"), Command(turn + 1, 1, "0")});
    answers.Finish(turn + 1);

    answers.Add(turn + 2, "I change two files.",
                {Patch(fmt::format("*** Add File: beside{}.txt\n+new\n*** Update File: given.txt\n "
                                   "first\n-second{}\n+second{}\n third\n",
                                   turn, turn == 1 ? "" : "1", turn))},
                Limit::kUnused);
    answers.Add(turn + 2, "I run and read.", {Command(turn + 2, 0, "0.15"), ReadFile("given.txt")}, Limit::kUnused);
    answers.Finish(turn + 2, Limit::kUnused);

    const char* const from = turn == 1 ? "other.txt" : "moved/1.txt";
    answers.Add(turn + 3, "I look first.", {ReadFile(from)}, Limit::kExhausted);
    answers.Add(turn + 3, "I run it.", {Command(turn + 3, 0, "0.15")});
    answers.Add(turn + 3, "I move a file.",
                {Patch(fmt::format("*** Update File: {}\n*** Move to: moved/{}.txt\n-{}\n+young{}\n", from, turn,
                                   turn == 1 ? "old" : "young1", turn))});
    answers.Finish(turn + 3);
  }
  return Script(std::move(answers), 8);
}

}  // namespace holdfast::test
