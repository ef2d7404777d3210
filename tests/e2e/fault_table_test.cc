// Faults of the upstream, one row for each fault, moment and dialect: what the user saw, what the upstream got, what
// was committed. The rows share one set of services, run many at a time, and have an upstream account each, so that
// none feels another's backoff. HOLDFAST_FAULT_TABLE names a file that gets what was observed, as Markdown.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "tests/e2e/fault_rows.h"
#include "tests/e2e/pair.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;

constexpr int kAtATime = 12;
constexpr char kAnswer[] = "The answer is forty-two.";
constexpr char kAnswerAfterTool[] = "The note says hello.";
constexpr char kScript[] = R"({
    "answers": [{"when": {"last_user_contains": "Wait for", "step": 0}, "reasoning": "A note.", "text": "Reading it.",
                 "tool_calls": [{"name": "shell", "arguments":
                     {"command": "until [ -e FILE ]; do sleep 0.05; done; cat note.txt"}}]},
                {"when": {"last_user_contains": "note.txt", "step": 0}, "reasoning": "A note.", "text": "Reading it.",
                 "tool_calls": [{"name": "read_file", "arguments": {"path": "note.txt"}}]},
                {"when": {"last_user_contains": "note.txt"}, "text": "The note says hello."}],
    "default": {"reasoning": "Let me think.", "text": "The answer is forty-two.", "chunks": 6}})";

struct Observation {
  int exit_code = -1;
  std::string out;
  std::string err;
  std::string log;  // `sessions show`, where standard error does not say all that it must
  int calls = 0;    // that the upstream got for the model call which the fault struck
  int answers = 0;  // committed, of that call
  int turns_completed = 0;
  std::string answer;       // the last that was committed
  int again_exit_code = 0;  // of another turn in a session whose turn failed
  std::string again_out;
};

std::string AnswerOf(const FaultRow& row) {
  return row.moment == Moment::kSecondRequest ? kAnswerAfterTool : row.with_tool() ? kAnswerAfterTool : kAnswer;
}

bool SaysAll(const std::string& text, const Outcome& outcome) {
  return std::ranges::all_of(outcome.says,
                             [&](std::string_view words) { return text.find(words) != std::string::npos; });
}

// What the user sees, without the lines that every row has, and with … for what differs from run to run or row to row:
// times, levels, ports, and the row's own name, which is the upstream's and the model's.
std::string Short(const FaultRow& row, const std::string& err) {
  static const std::regex kUsual("session .*|done · .*|A note\\.|Let me think\\.|Reading it\\.|(read_file|shell): .*");
  static const std::regex kVaries(
      "\\b(in [0-9.hms]+|now)(?= ·)|after [0-9]+ ms|[0-9]+(?= used| needed| tokens)|(Used|Requested|port) "
      "[0-9]+|127\\.0\\.0\\.1:[0-9]+");
  constexpr size_t kMostBytes = 220;
  std::vector<std::string> kept;
  int times = 1;
  const auto count = [&] {
    if (times > 1) kept.back() += fmt::format(" ({} times)", times);
    times = 1;
  };
  std::string last;
  std::istringstream lines(err);
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, kUsual)) continue;
    line = std::regex_replace(line, std::regex(row.Name()), "…");
    line = std::regex_replace(line, kVaries, "…");
    if (line.size() > kMostBytes) line = line.substr(0, line.rfind(' ', kMostBytes)) + " …";
    if (line == last) {
      ++times;
      continue;
    }
    count();
    kept.push_back(last = line);
  }
  count();
  if (kept.empty()) return "nothing";
  return fmt::format("{}", fmt::join(kept, " ⏎ "));
}

class FaultTable : public testing::TestWithParam<FaultRow> {
 protected:
  static void SetUpTestSuite() {
    std::vector<FaultRow> rows;
    const testing::TestSuite& suite = *testing::UnitTest::GetInstance()->current_test_suite();
    std::set<std::string> selected;
    for (int i = 0; i < suite.total_test_count(); ++i) {
      const std::string name = suite.GetTestInfo(i)->name();
      if (suite.GetTestInfo(i)->should_run()) selected.insert(name.substr(name.find('/') + 1));
    }
    for (const FaultRow& row : FaultRows()) {
      if (selected.contains(row.Name())) rows.push_back(row);
    }
    pair_ = std::make_unique<Pair>([](const std::string& url) { return Config(url); });
    std::ofstream(pair_->workspace() / "note.txt") << "hello";
    pair_->simulator().SetScript(kScript);

    std::vector<Observation> observations(rows.size());
    std::atomic<size_t> next = 0;
    std::vector<std::thread> runners;
    for (int i = 0; i < kAtATime; ++i) {
      runners.emplace_back([&] {
        for (size_t at = next++; at < rows.size(); at = next++) observations[at] = Run(rows[at]);
      });
    }
    for (std::thread& runner : runners) runner.join();
    for (size_t i = 0; i < rows.size(); ++i) observed_[rows[i].Name()] = observations[i];
  }

  static void TearDownTestSuite() {
    pair_.reset();
    if (const char* path = std::getenv("HOLDFAST_FAULT_TABLE")) WriteTable(path);
  }

  static const Observation& observed(const FaultRow& row) { return observed_.at(row.Name()); }

 private:
  static std::string Config(const std::string& simulator) {
    std::string accounts;
    std::string models;
    for (const FaultRow& row : FaultRows()) {
      const std::string url = row.kind->refused() ? AddressOfNobody(row) : simulator;
      accounts += fmt::format(
          "  - {{name: {}, base_url: \"{}\", profile: openai, dialect: {}, stall_timeout: 3s, api_key: {{env: "
          "OPENAI_API_KEY}}}}\n",
          row.Name(), url, row.dialect);
      models += fmt::format("  - {{name: {0}, upstreams: [{0}]}}\n", row.Name());
    }
    return "upstreams:\n" + accounts + "models:\n" + models;
  }

  // An upstream that was there, and may come back.
  static std::string AddressOfNobody(const FaultRow& row) {
    const SimulatorProcess gone;
    nobody_[row.Name()] = gone.url();
    return gone.url();
  }

  static std::unique_ptr<SimulatorProcess> ComeBack(const FaultRow& row) {
    const std::string& url = nobody_.at(row.Name());
    const size_t begin = url.find("//") + 2;
    const std::vector<std::string> listen = {"--listen", url.substr(begin, url.find('/', begin) - begin)};
    auto simulator = std::make_unique<SimulatorProcess>(listen);
    std::string script = kScript;
    simulator->control().SetScript(script.replace(script.find("FILE"), 4, row.Name()));
    return simulator;
  }

  static void PushFault(const FaultRow& row) {
    json::object fault{{"fault", row.kind->name},
                       {"count", row.kind->times},
                       {"seconds", row.kind->seconds},
                       {"when", {{"model", row.Name()}, {"step", row.moment == Moment::kSecondRequest ? 1 : 0}}}};
    if (row.kind->name == "redirect") fault["location"] = "http://localhost:9/v1/responses";
    if (row.moment == Moment::kAfterHeaders) fault["after_events"] = 1;
    if (row.moment == Moment::kReasoning) fault["after"] = "reasoning";
    if (row.moment == Moment::kOutput) fault["after"] = "text";
    if (row.moment == Moment::kArguments) fault["after"] = "arguments";
    if (row.moment == Moment::kSecondRequest && row.kind->in_stream) fault["after"] = "text";
    pair_->simulator().PushFault(json::serialize(fault));
  }

  static int CallsOf(const FaultRow& row, const SimulatorControl& simulator) {
    const auto requests = simulator.Requests();
    return static_cast<int>(std::count_if(requests.begin(), requests.end(), [&](const json::value& request) {
      return request.at("model").as_string().compare(row.Name()) == 0;
    }));
  }

  static Observation Run(const FaultRow& row) {
    Observation seen;
    std::unique_ptr<Process> exec;
    const auto start = [&](const std::string& prompt) {
      std::vector<std::string> flags = {"--model", row.Name()};
      if (!row.kind->max_wait.empty()) flags.insert(flags.end(), {"--max-wait", std::string(row.kind->max_wait)});
      exec = pair_->Exec(prompt, flags);
    };
    if (!row.kind->refused()) {
      PushFault(row);
      start(row.with_tool() ? "What does note.txt say?" : "What is the answer?");
      seen.exit_code = exec->WaitForExit(std::chrono::seconds(60)).value_or(-1);
      seen.calls = CallsOf(row, pair_->simulator());
    } else {
      if (row.with_tool()) {
        const auto first = ComeBack(row);
        start("Wait for " + row.Name() + ", then say what note.txt says.");
        EXPECT_TRUE(exec->WaitForLine(Process::Stream::kErr, "shell")) << exec->err();
        seen.calls = CallsOf(row, first->control());
      } else {
        start("What is the answer?");
      }
      std::ofstream(pair_->workspace() / row.Name()) << "go";
      EXPECT_TRUE(exec->WaitForLine(Process::Stream::kErr, "context saved")) << exec->err();
      std::unique_ptr<SimulatorProcess> back;
      if (row.kind->max_wait.empty()) back = ComeBack(row);
      seen.exit_code = exec->WaitForExit(std::chrono::seconds(60)).value_or(-1);
      if (back != nullptr) seen.calls += CallsOf(row, back->control());
    }
    seen.out = exec->out();
    seen.err = exec->err();
    const int before = row.moment == Moment::kSecondRequest ? 1 : 0;
    const int after = row.moment == Moment::kArguments && seen.exit_code == 0 ? 1 : 0;
    seen.calls -= before + after;

    const auto session = exec->WaitForLine(Process::Stream::kErr, "session ", Duration::zero());
    if (!session) return seen;
    const std::string session_id = session->substr(session->find(' ') + 1);
    if (!SaysAll(seen.err, row.kind->outcome)) {
      const auto show = pair_->Cli({"sessions", "show", session_id});
      show->WaitForExit();
      seen.log = show->out();
    }
    for (const json::value& event : pair_->Events(session_id)) {
      const json::object& object = event.as_object();
      if (object.contains("turn_completed")) ++seen.turns_completed;
      if (!object.contains("model_answered")) continue;
      ++seen.answers;
      seen.answer.clear();
      for (const json::value& item : object.at("model_answered").at("items").as_array()) {
        if (!item.as_object().contains("message")) continue;
        for (const json::value& part : item.at("message").at("parts").as_array()) {
          seen.answer += part.at("text").as_string();
        }
      }
    }
    seen.answers -= before + after;
    if (seen.exit_code == 0) return seen;
    const auto there = row.kind->refused() ? ComeBack(row) : nullptr;
    auto again = pair_->Exec("What is the answer?", {"--session", session_id});
    seen.again_exit_code = again->WaitForExit(std::chrono::seconds(60)).value_or(-1);
    seen.again_out = again->out();
    return seen;
  }

  // What was observed of one row, as the cells of the table after the dialect.
  static std::string Cells(const FaultRow& row, const Observation& seen) {
    std::string out = "`" + seen.out + "`";
    if (seen.out.empty()) out = "nothing";
    if (seen.out == AnswerOf(row) + "\n") out = "the answer";
    return fmt::format("{} | {} | {} | {} | {} |\n", seen.calls, seen.exit_code, out, seen.answers,
                       Short(row, seen.err));
  }

  // One line for all moments of a kind with the same outcome, and for both dialects where they agree.
  static void WriteTable(const std::string& path) {
    std::vector<std::pair<const FaultKind*, std::string>> outcomes;
    std::map<std::pair<const FaultKind*, std::string>, std::map<std::string, std::string>> moments;
    for (const FaultRow& row : FaultRows()) {
      const auto found = observed_.find(row.Name());
      if (found == observed_.end()) continue;
      const std::pair outcome(row.kind, Cells(row, found->second));
      if (!moments.contains(outcome)) outcomes.push_back(outcome);
      std::string& of_dialect = moments[outcome][row.dialect];
      of_dialect += fmt::format("{}{}", of_dialect.empty() ? "" : "; ", MomentWords(row.moment));
    }
    std::ofstream table(path);
    table << "| fault | moment | dialect | requests | exit | standard output | answers committed | standard error |\n"
             "|---|---|---|---|---|---|---|---|\n";
    for (const auto& outcome : outcomes) {
      auto& dialects = moments[outcome];
      if (dialects["chat"] == dialects["responses"]) dialects = {{"both", dialects["chat"]}};
      for (const auto& [dialect, when] : dialects) {
        if (!when.empty()) {
          table << fmt::format("| {} | {} | {} | {}", outcome.first->words, when, dialect, outcome.second);
        }
      }
    }
  }

  static inline std::map<std::string, std::string> nobody_;  // the URLs where nobody listens, by row
  static inline std::unique_ptr<Pair> pair_;
  static inline std::map<std::string, Observation> observed_;
};

TEST_P(FaultTable, Holds) {
  const FaultRow& row = GetParam();
  const Outcome& outcome = row.kind->outcome;
  const Observation& seen = observed(row);
  EXPECT_EQ(seen.exit_code, outcome.exit_code) << seen.err;
  EXPECT_EQ(seen.calls, outcome.calls) << seen.err;
  // A short wait may be over before the command watches; then it is in the log alone.
  const std::string told = outcome.exit_code == 0 ? seen.err + seen.log : seen.err;
  EXPECT_TRUE(SaysAll(told, outcome)) << seen.err << seen.log;
  if (outcome.exit_code == 0) {
    EXPECT_EQ(seen.out, AnswerOf(row) + "\n");
    EXPECT_EQ(seen.answers, 1);
    EXPECT_EQ(seen.answer, AnswerOf(row));
    EXPECT_EQ(seen.turns_completed, 1);
  } else {
    EXPECT_EQ(seen.out, "");
    EXPECT_EQ(seen.answers, 0);
    EXPECT_EQ(seen.turns_completed, 0);
    EXPECT_EQ(seen.again_exit_code, 0) << "the session does not go on";
    EXPECT_EQ(seen.again_out, std::string(kAnswer) + "\n");
  }
}

INSTANTIATE_TEST_SUITE_P(Upstream, FaultTable, testing::ValuesIn(FaultRows()),
                         [](const auto& instance) { return instance.param.Name(); });

}  // namespace
}  // namespace holdfast::test
