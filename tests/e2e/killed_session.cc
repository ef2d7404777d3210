#include "tests/e2e/killed_session.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iterator>
#include <regex>
#include <thread>
#include <utility>

#include "common/base/address.h"
#include "common/rpc/channel.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using agent::v1::SessionEvent;

constexpr Duration kPoll = std::chrono::milliseconds(1);
// A session of a few seconds that has not ended after this has been lost.
constexpr Duration kLongestTurn = std::chrono::seconds(60);

std::string Content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::map<std::string, std::string> Files(const fs::path& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) files[entry.path().lexically_relative(root).string()] = Content(entry.path());
  }
  return files;
}

std::shared_ptr<agent::v1::AgentService::StubInterface> StubOf(const std::string& address) {
  return agent::v1::AgentService::NewStub(MakeChannel(ParseAddress(address).value()));
}

// The same call until it gets through: services come back while it is made.
template <typename Call>
grpc::Status Insist(const Call& call) {
  const BootTime end = BootClock::now() + kPatience;
  for (;;) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    const grpc::Status status = call(&context);
    if (status.ok() || BootClock::now() > end) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// False: it did not happen.
template <typename Condition>
bool Await(const Condition& holds) {
  const BootTime end = BootClock::now() + kPatience;
  while (!holds()) {
    if (BootClock::now() > end) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

}  // namespace

bool KillsAgent(Victim victim) {
  return victim == Victim::kAgent || victim == Victim::kBoth || victim == Victim::kAgentCli ||
         victim == Victim::kAgentRunner;
}

bool KillsQuota(Victim victim) {
  return victim == Victim::kQuota || victim == Victim::kBoth || victim == Victim::kQuotaCli ||
         victim == Victim::kQuotaRunner;
}

bool KillsCli(Victim victim) {
  return victim == Victim::kCli || victim == Victim::kAgentCli || victim == Victim::kQuotaCli ||
         victim == Victim::kCliRunner;
}

bool KillsRunner(Victim victim) {
  return victim == Victim::kRunner || victim == Victim::kAgentRunner || victim == Victim::kQuotaRunner ||
         victim == Victim::kCliRunner;
}

const char* Name(Victim victim) {
  switch (victim) {
    case Victim::kAgent:
      return "agent_service";
    case Victim::kQuota:
      return "quota_service";
    case Victim::kCli:
      return "holdfast";
    case Victim::kRunner:
      return "the runner";
    case Victim::kBoth:
      return "both services";
    case Victim::kAgentCli:
      return "agent_service and holdfast";
    case Victim::kQuotaCli:
      return "quota_service and holdfast";
    case Victim::kAgentRunner:
      return "agent_service and the runner";
    case Victim::kQuotaRunner:
      return "quota_service and the runner";
    case Victim::kCliRunner:
      return "holdfast and the runner";
  }
  return "";
}

const char* Name(Moment moment) {
  switch (moment) {
    case Moment::kWait:
      return "in a wait";
    case Moment::kStream:
      return "in a stream";
    case Moment::kCommand:
      return "while a command runs";
    case Moment::kResult:
      return "result journaled, not recorded";
    case Moment::kCommit:
      return "answer complete, not committed";
    case Moment::kBoundary:
      return "at a boundary of the log";
    case Moment::kInstant:
      return "at any instant";
  }
  return "";
}

KilledSession::KilledSession(const KillScript& script, const std::optional<Kill>& kill) : script_(script), kill_(kill) {
  std::ofstream(pair_.workspace() / "given.txt") << "first\nsecond\nthird\n";
  std::ofstream(pair_.workspace() / "other.txt") << "old\n";
  pair_.simulator().SetScript(script.simulator);
  stub_ = StubOf(pair_.agent_grpc());
  agent::v1::CreateSessionRequest request;
  request.set_client_key("the session");
  request.set_model("o4-mini");
  request.set_workspace(pair_.workspace());
  agent::v1::Session session;
  const grpc::Status created =
      Insist([&](grpc::ClientContext* context) { return stub_->CreateSession(context, request, &session); });
  EXPECT_TRUE(created.ok()) << created.error_message();
  session_id_ = session.session_id();
  watcher_ = std::make_unique<SessionWatcher>(StubOf(pair_.agent_grpc()), session_id_);
}

Evidence KilledSession::Run() {
  began_ = BootClock::now();
  for (size_t turn = 0; turn < script_.prompts.size() && RunTurn(turn); ++turn) {
  }
  evidence_.took = BootClock::now() - began_;
  evidence_.log = Log();
  // The watcher is told what it has missed; what the log has lost it cannot be told.
  const auto last = static_cast<int64_t>(evidence_.log.size());
  Await([&] {
    evidence_.acknowledged = watcher_->acknowledged();
    return !evidence_.acknowledged.empty() && evidence_.acknowledged.rbegin()->first >= last;
  });
  evidence_.files = Files(pair_.workspace());
  for (const json::value& request : pair_.simulator().Requests()) {
    const json::value& status = request.at("status");
    if (!status.is_int64() || status.as_int64() != 200) continue;
    evidence_.upstream_bodies.push_back(json::serialize(pair_.simulator().RequestBody(request.at("index").as_int64())));
  }
  return std::move(evidence_);
}

bool KilledSession::RunTurn(size_t turn) {
  const std::string name = fmt::format("turn {}", turn + 1);
  const BootTime end = BootClock::now() + kLongestTurn;
  cli_ = pair_.Exec(script_.prompts[turn], {"--session", session_id_});
  bool executes = true;  // and so prints the answer alone
  while (BootClock::now() < end) {
    if (kill_ && !evidence_.killed && VictimsLive() && MomentHasCome()) Strike();
    const std::optional<int> code = cli_->WaitForExit(kPoll);
    if (!code) continue;
    // Killed before it was told that its turn runs, a client leaves a turn behind that its user does not know of.
    const bool told_of_own_turn = evidence_.killed && KillsCli(kill_->victim) &&
                                  cli_->err().find("is busy with another turn") != std::string::npos;
    if (*code != 0 && *code != 128 + SIGKILL && !told_of_own_turn) {
      Trouble(fmt::format("{}: holdfast left with {}: {}", name, *code, cli_->err()));
      return false;
    }
    if (*code == 0 && executes && cli_->out() != script_.answers[turn] + "\n") {
      Trouble(fmt::format("{}: holdfast prints \"{}\"", name, cli_->out()));
    }
    if (TurnIs(turn, /*ended=*/true)) return true;
    if (*code == 0) {
      Trouble(name + " has not ended, and holdfast left as if it had");
      return false;
    }
    executes = !TurnIs(turn, /*ended=*/false);
    if (!executes) {
      cli_ = pair_.Cli({"chat", "--session", session_id_, "--cwd", pair_.workspace(), "--approve", "full"});
    } else {
      cli_ = pair_.Exec(script_.prompts[turn], {"--session", session_id_});
    }
  }
  Trouble(fmt::format("{} did not end: {}", name, cli_->err()));
  return false;
}

bool KilledSession::MomentHasCome() {
  const SessionWatcher::Place place = watcher_->place();
  switch (kill_->moment) {
    case Moment::kWait:
      return place.turn == kill_->turn && place.waiting;
    case Moment::kStream:
      return place.turn == kill_->turn && place.streaming;
    case Moment::kCommand:
      return SlowCommandRuns();
    case Moment::kResult:
      return SlowCommandRuns() && HoldResult();
    case Moment::kCommit:
      return place.turn == kill_->turn && place.streaming && HoldAnswer();
    case Moment::kBoundary:
      return place.events >= kill_->boundary;
    case Moment::kInstant:
      return BootClock::now() - began_ >= kill_->instant;
  }
  return false;
}

bool KilledSession::VictimsLive() const {
  if (KillsCli(kill_->victim) && cli_->WaitForExit(Duration::zero())) return false;
  return !KillsRunner(kill_->victim) || Runner() > 0;
}

bool KilledSession::SlowCommandRuns() const {
  const std::string& file = script_.slow_commands[static_cast<size_t>(kill_->turn) - 1];
  return fs::exists(pair_.workspace() / file) && Journaled("started") > Journaled("result") && Runner() > 0;
}

bool KilledSession::HoldResult() {
  lock_ = std::make_unique<StoreLock>(pair_.database());
  const int recorded = lock_->Count(SessionEvent::kToolResultRecorded);
  if (Journaled("started") > recorded) {
    // What a client has submitted is recorded also when the client is gone. With agent_service away it submits nothing.
    agent_away_ = KillsCli(kill_->victim) && !KillsAgent(kill_->victim);
    if (agent_away_) pair_.KillAgent();
    if (Await([&] { return Journaled("result") > recorded; })) return true;
    Trouble("a tool's result did not come into the journal");
  }
  lock_.reset();
  return false;
}

bool KilledSession::HoldAnswer() {
  lock_ = std::make_unique<StoreLock>(pair_.database());
  const int calls = lock_->Count(SessionEvent::kModelCallStarted);
  if (calls > lock_->Count(SessionEvent::kModelAnswered)) {
    const auto completed = [&] {
      return pair_.QuotaMetric("holdfast_calls_total", "outcome=\"completed\"").value_or(0) >= calls;
    };
    if (Await(completed)) return true;
    Trouble("an answer did not become complete");
  }
  lock_.reset();
  return false;
}

void KilledSession::Strike() {
  evidence_.killed = true;
  const Victim victim = kill_->victim;
  // At once: neither sees the other die.
  if (KillsRunner(victim)) {
    if (const pid_t runner = Runner(); runner > 0) kill(runner, SIGKILL);
  }
  if (KillsAgent(victim)) pair_.agent().Signal(SIGKILL);
  if (KillsQuota(victim)) pair_.quota().Signal(SIGKILL);
  if (KillsCli(victim)) cli_->Kill();
  if (KillsAgent(victim)) pair_.KillAgent();
  if (KillsQuota(victim)) pair_.KillQuota();
  lock_.reset();
  std::this_thread::sleep_for(kill_->away);
  if (KillsQuota(victim) && kill_->quota_first) pair_.StartQuota();
  if (KillsAgent(victim) || agent_away_) pair_.StartAgent();
  if (KillsQuota(victim) && !kill_->quota_first) pair_.StartQuota();
}

pid_t KilledSession::Runner() const {
  static const std::regex runner("\"runner\":([0-9]+)");
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(pair_.runs(), ignored)) {
    const std::string text = Content(entry.path());
    std::smatch match;
    if (std::regex_search(text, match, runner) && text.find("\"end\"") == std::string::npos) return std::stoi(match[1]);
  }
  return 0;
}

int KilledSession::Journaled(const std::string& state) const {
  const std::string text = Content(pair_.journal(session_id_));
  const std::string wanted = fmt::format("\"state\":\"{}\"", state);
  int count = 0;
  for (size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) ++count;
  return count;
}

std::vector<SessionEvent> KilledSession::Log() {
  std::vector<SessionEvent> log;
  agent::v1::GetSessionResponse response;
  do {
    agent::v1::GetSessionRequest request;
    request.set_session_id(session_id_);
    request.set_page_size(1000);
    request.set_after_sequence(log.empty() ? 0 : log.back().sequence());
    response.Clear();
    const grpc::Status status =
        Insist([&](grpc::ClientContext* context) { return stub_->GetSession(context, request, &response); });
    if (!status.ok()) Trouble("the log cannot be read: " + status.error_message());
    log.insert(log.end(), response.events().begin(), response.events().end());
  } while (response.more());
  return log;
}

bool KilledSession::TurnIs(size_t turn, bool ended) {
  const std::vector<SessionEvent> log = Log();
  const auto count = std::count_if(log.begin(), log.end(), [&](const SessionEvent& event) {
    return ended ? event.has_turn_completed() || event.has_turn_failed() : event.has_turn_started();
  });
  return static_cast<size_t>(count) > turn;
}

}  // namespace holdfast::test
