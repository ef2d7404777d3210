#include "tests/e2e/kill_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string_view>

namespace holdfast::test {
namespace {

using agent::v1::SessionEvent;

// What a client says of a command, and of a patch, that it was interrupted in (clients/cli/tools/executor.cc).
constexpr std::string_view kMayHaveRun = "may or may not have run";
constexpr std::string_view kUnclear = "the files do not tell how far it came";
constexpr std::string_view kWasApplied = "The patch was already applied";

// A line of a transcript: what an event says, without the times and ids that differ between any two runs.
struct Line {
  std::string text;
  bool ambiguous = false;
  bool settled = false;        // a patch that was found to be applied
  std::string arguments = "";  // of the tool call that has this result
};

std::string TextOf(const quota::v1::Item& item) {
  if (item.has_tool_call()) return item.tool_call().name() + " " + item.tool_call().arguments();
  std::string text;
  for (const auto& part : item.message().parts()) text += part.text();
  return text;
}

std::vector<Line> TranscriptOf(const std::vector<SessionEvent>& log) {
  static const std::regex duration("after [0-9.]+ ?[a-z]+");
  std::vector<Line> lines;
  std::map<std::string, std::string> arguments;  // by call id
  for (const SessionEvent& event : log) {
    switch (event.kind_case()) {
      // How long it waits, which client runs the tools, and what is kept apart, is not what a session is about.
      case SessionEvent::kSnapshotTaken:
      case SessionEvent::kWaitNoted:
      case SessionEvent::kToolLeaseGranted:
      case SessionEvent::kToolLeaseReleased:
        break;
      case SessionEvent::kSessionCreated:
        lines.push_back({"created " + event.session_created().model()});
        break;
      case SessionEvent::kTurnStarted:
        lines.push_back({"user: " + event.turn_started().input(0).text()});
        break;
      case SessionEvent::kModelCallStarted:
        lines.push_back({fmt::format("call {}", event.model_call_started().step())});
        break;
      case SessionEvent::kModelAnswered:
        for (const auto& item : event.model_answered().items()) {
          lines.push_back({"model: " + TextOf(item)});
          if (item.has_tool_call()) arguments[item.tool_call().call_id()] = item.tool_call().arguments();
        }
        break;
      case SessionEvent::kToolResultRecorded: {
        const auto& result = event.tool_result_recorded().result();
        const std::string& output = result.output();
        lines.push_back(
            {.text = fmt::format("result, error {}: {}", result.is_error(),
                                 std::regex_replace(output, duration, "after a time")),
             .ambiguous = output.find(kMayHaveRun) != std::string::npos || output.find(kUnclear) != std::string::npos,
             .settled = output.starts_with(kWasApplied),
             .arguments = arguments[result.call_id()]});
        break;
      }
      case SessionEvent::kTurnCompleted:
        lines.push_back({"completed"});
        break;
      default:
        lines.push_back({event.ShortDebugString()});
    }
  }
  return lines;
}

int Missing(const Evidence& killed, std::vector<std::string>* troubles) {
  std::map<int64_t, std::string> log;
  for (const SessionEvent& event : killed.log) log[event.sequence()] = event.SerializeAsString();
  if (log.size() != killed.log.size() || (!log.empty() && log.rbegin()->first != static_cast<int64_t>(log.size())))
    troubles->push_back("the log's sequence has gaps or repeats");
  return static_cast<int>(
      std::count_if(killed.acknowledged.begin(), killed.acknowledged.end(), [&](const auto& acknowledged) {
        const auto found = log.find(acknowledged.first);
        return found == log.end() || found->second != acknowledged.second;
      }));
}

quota::v1::Wait LongestWait(const std::vector<SessionEvent>& log) {
  quota::v1::Wait longest;
  for (const SessionEvent& event : log) {
    const quota::v1::Wait& wait = event.wait_noted().wait();
    if (wait.reason() == quota::v1::WAIT_REASON_RATE_LIMIT && wait.seconds() > longest.seconds()) longest = wait;
  }
  return longest;
}

int AnswersTwice(const std::vector<SessionEvent>& log) {
  std::set<std::string> answered;
  return static_cast<int>(std::count_if(log.begin(), log.end(), [&](const SessionEvent& event) {
    return event.has_model_answered() && !answered.insert(event.model_answered().call_id()).second;
  }));
}

bool IsCounter(const std::string& path) { return path.starts_with("runs/"); }

int SideEffectsTwice(const Evidence& killed) {
  int twice = 0;
  for (const auto& [path, text] : killed.files) {
    if (IsCounter(path)) twice += std::max(0, static_cast<int>(std::count(text.begin(), text.end(), '\n')) - 1);
  }
  return twice;
}

void CompareTranscripts(const Evidence& undisturbed, const Evidence& killed, std::string* excused,
                        KillFindings* findings) {
  const std::vector<Line> wanted = TranscriptOf(undisturbed.log);
  const std::vector<Line> got = TranscriptOf(killed.log);
  if (wanted.size() != got.size())
    findings->troubles.push_back(fmt::format("the transcript has {} lines instead of {}", got.size(), wanted.size()));
  for (size_t i = 0; i < std::min(wanted.size(), got.size()); ++i) {
    if (got[i].ambiguous) {
      ++findings->ambiguous;
      *excused += got[i].arguments;
    } else if (got[i].text != wanted[i].text && !got[i].settled) {
      findings->troubles.push_back(fmt::format("line {} of the transcript is \"{:.300}\" instead of \"{:.300}\"", i,
                                               got[i].text, wanted[i].text));
    }
  }
}

// A file that an ambiguous call names may be as it was before the call, or after.
void CompareFiles(const Evidence& undisturbed, const Evidence& killed, const std::string& excused,
                  KillFindings* findings) {
  std::set<std::string> paths;
  for (const auto& [path, text] : undisturbed.files) paths.insert(path);
  for (const auto& [path, text] : killed.files) paths.insert(path);
  const auto content = [](const Evidence& evidence, const std::string& path) {
    const auto found = evidence.files.find(path);
    return found == evidence.files.end() ? std::string("(absent)") : found->second;
  };
  for (const std::string& path : paths) {
    const std::string wanted = content(undisturbed, path);
    const std::string got = content(killed, path);
    if (got == wanted || excused.find(path) != std::string::npos) continue;
    findings->troubles.push_back(fmt::format("{} holds \"{:.200}\" instead of \"{:.200}\"", path, got, wanted));
  }
}

}  // namespace

void KillFindings::Add(const KillFindings& other) {
  events_missing += other.events_missing;
  answers_twice += other.answers_twice;
  side_effects_twice += other.side_effects_twice;
  ambiguous += other.ambiguous;
  extra_upstream += other.extra_upstream;
  if (other.longest_wait.seconds() > longest_wait.seconds()) longest_wait = other.longest_wait;
  troubles.insert(troubles.end(), other.troubles.begin(), other.troubles.end());
}

KillFindings Compare(const Evidence& undisturbed, const Evidence& killed) {
  KillFindings findings;
  findings.troubles = killed.troubles;
  findings.events_missing = Missing(killed, &findings.troubles);
  findings.answers_twice = AnswersTwice(killed.log);
  findings.longest_wait = LongestWait(killed.log);
  findings.side_effects_twice = SideEffectsTwice(killed);
  findings.extra_upstream =
      static_cast<int>(killed.upstream_bodies.size()) - static_cast<int>(undisturbed.upstream_bodies.size());
  if (findings.extra_upstream < 0) findings.troubles.push_back("the upstream was asked less than undisturbed");
  std::string excused;
  CompareTranscripts(undisturbed, killed, &excused, &findings);
  CompareFiles(undisturbed, killed, excused, &findings);
  const bool told = std::any_of(killed.upstream_bodies.begin(), killed.upstream_bodies.end(), [](const auto& body) {
    return body.find(kMayHaveRun) != std::string::npos || body.find(kUnclear) != std::string::npos;
  });
  if (findings.ambiguous > 0 && !told) findings.troubles.push_back("the model was not told of the ambiguous call");
  return findings;
}

}  // namespace holdfast::test
