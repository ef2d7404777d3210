// Plays workloads of agent sessions under what people use today and under quota_service's admission, in simulated time,
// and prints what became of them as Markdown.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "bench/policies/judge.h"
#include "bench/policies/report.h"
#include "bench/policies/scenarios.h"

namespace holdfast::bench {
namespace {

struct Arguments {
  std::vector<std::string> scenarios = {"sole"};
  std::vector<std::string> policies;  // all where empty
  double tokens_per_minute = 0;       // 0: as the scenario has it
  double hours = 0;                   // 0: as the scenario has it
  int seeds = 3;
  std::string csv;
  bool judge = false;
};

std::string Names() {
  std::string text = "Scenarios:\n";
  for (const Scenario& scenario : Scenarios()) text += fmt::format("  {:20} {}\n", scenario.name, scenario.about);
  text += "Policies:\n";
  for (const PolicyMaker& policy : Policies()) text += fmt::format("  {:20} {}\n", policy.name, policy.title);
  return text;
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

void PlayAndPrint(const Arguments& arguments, Scenario scenario, CallLog* log) {
  if (arguments.tokens_per_minute > 0) scenario = At(std::move(scenario), arguments.tokens_per_minute);
  if (arguments.hours > 0) scenario.workload.length = FromSeconds(arguments.hours * 3600);
  fmt::print("{}: {}. {:.0f} tokens a minute, {} sessions, {:.1f} h, seeds 1 to {}.\n\n", scenario.name, scenario.about,
             scenario.provider.tokens_per_minute, scenario.workload.sessions,
             ToSeconds(scenario.workload.length) / 3600, arguments.seeds);
  std::vector<Row> rows;
  for (const PolicyMaker& policy : Policies()) {
    const auto& wanted = arguments.policies;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), policy.name) == wanted.end()) continue;
    Row row{policy.title, {}};
    for (int number = 1; number <= arguments.seeds; ++number) {
      const auto seed = static_cast<uint64_t>(number);
      Workload::OnCall note;
      if (log != nullptr) note = [&, seed](const Call& call) { log->Add(scenario.name, policy.name, seed, call); };
      row.seeds.push_back(Play(policy, scenario, seed, note));
    }
    rows.push_back(std::move(row));
  }
  fmt::print("{}\n", TableOf(rows));
  if (const std::string lessons = LessonsOf(rows); !lessons.empty()) fmt::print("{}\n", lessons);
}

int PrintJudgement(int seeds) {
  const auto verdicts =
      Judge(Policies().back(), seeds, [](const std::string& what) { fmt::print(stderr, "playing {}\n", what); });
  fmt::print("{}", TableOf(verdicts));
  return std::all_of(verdicts.begin(), verdicts.end(), [](const Verdict& v) { return v.holds; }) ? 0 : 1;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Plays agent sessions before a simulated provider under several policies.", "policies");
  app.footer(Names());
  std::vector<std::string> scenario_names, policy_names;
  for (const Scenario& scenario : Scenarios()) scenario_names.push_back(scenario.name);
  for (const PolicyMaker& policy : Policies()) policy_names.push_back(policy.name);
  app.add_option("--scenario", arguments.scenarios, "What is played; may be repeated")
      ->check(CLI::IsMember(scenario_names))
      ->capture_default_str();
  app.add_option("--policy", arguments.policies, "Who plays; may be repeated (default: all)")
      ->check(CLI::IsMember(policy_names));
  app.add_option("--tpm", arguments.tokens_per_minute, "Tokens a minute; sessions and requests follow it")
      ->check(CLI::Range(1'000.0, 1e9));
  app.add_option("--hours", arguments.hours, "Of simulated time")->check(CLI::Range(0.01, 1000.0));
  app.add_option("--seeds", arguments.seeds, "Worlds, numbered from 1")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--csv", arguments.csv, "Write one line a call into this file");
  app.add_flag("--judge", arguments.judge,
               "Instead: play what docs/admission.md asks of Holdfast, print each figure, exit 1 where one is missed");
  CLI11_PARSE(app, argc, argv);

  if (arguments.judge) return PrintJudgement(arguments.seeds);
  File file(arguments.csv.empty() ? nullptr : std::fopen(arguments.csv.c_str(), "w"), &std::fclose);
  if (!arguments.csv.empty() && !file) {
    fmt::print(stderr, "policies: cannot write {}\n", arguments.csv);
    return 1;
  }
  std::unique_ptr<CallLog> log;
  if (file) log = std::make_unique<CallLog>(file.get());
  for (const std::string& name : arguments.scenarios) PlayAndPrint(arguments, *FindScenario(name), log.get());
  return 0;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) { return holdfast::bench::Main(argc, argv); }
