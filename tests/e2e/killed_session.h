#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "holdfast/agent/v1/agent.grpc.pb.h"
#include "tests/e2e/kill_script.h"
#include "tests/e2e/pair.h"
#include "tests/e2e/session_watcher.h"
#include "tests/e2e/store_lock.h"

namespace holdfast::test {

// One process or two of them at once.
enum class Victim {
  kAgent,
  kQuota,
  kCli,
  kRunner,
  kBoth,
  kAgentCli,
  kQuotaCli,
  kAgentRunner,
  kQuotaRunner,
  kCliRunner
};
bool KillsAgent(Victim victim);
bool KillsQuota(Victim victim);
bool KillsCli(Victim victim);
bool KillsRunner(Victim victim);
enum class Moment {
  kWait,      // the call waits for the limit
  kStream,    // its answer streams
  kCommand,   // the turn's slow command runs
  kResult,    // the command's result is in the client's journal, and not in the log
  kCommit,    // the upstream's answer is complete at quota_service, and not in the log
  kBoundary,  // an event of the log has been told to those who watch
  kInstant,   // some time after the session began
};
// Whoever kills a runner does so while a command runs; of the others, at any moment.
inline constexpr Victim kVictims[] = {Victim::kAgent, Victim::kQuota,    Victim::kCli,
                                      Victim::kBoth,  Victim::kAgentCli, Victim::kQuotaCli};
inline constexpr Victim kRunnerVictims[] = {Victim::kRunner, Victim::kAgentRunner, Victim::kQuotaRunner,
                                            Victim::kCliRunner};
inline constexpr Moment kNamedMoments[] = {Moment::kWait, Moment::kStream, Moment::kCommand, Moment::kResult,
                                           Moment::kCommit};
const char* Name(Victim victim);
const char* Name(Moment moment);

struct Kill {
  Victim victim = Victim::kAgent;
  Moment moment = Moment::kInstant;
  int turn = 1;              // counts from 1; not of kBoundary and kInstant
  int64_t boundary = 0;      // of kBoundary: so many events, but for waits
  Duration instant{};        // of kInstant
  Duration away{};           // until what was killed is started again
  bool quota_first = false;  // of kBoth: quota_service starts before agent_service
};

// What a session has left behind, in all places that can be looked at.
struct Evidence {
  std::vector<agent::v1::SessionEvent> log;
  std::map<int64_t, std::string> acknowledged;  // as SessionWatcher has it
  std::map<std::string, std::string> files;     // of the workspace, by path
  std::vector<std::string> upstream_bodies;     // of the requests to which the upstream gave output
  Duration took{};
  bool killed = false;
  std::vector<std::string> troubles;  // what went wrong on the way
};

// A scripted session of real processes, killed with SIGKILL at most once.
class KilledSession {
 public:
  KilledSession(const KillScript& script, const std::optional<Kill>& kill);

  // Says every prompt, starts again what was killed, as its operator or user would, and looks at what is left.
  Evidence Run();

 private:
  bool RunTurn(size_t turn);
  // The moment has come. Of kResult and kCommit: and is held until the strike.
  bool MomentHasCome();
  // There is something to kill.
  bool VictimsLive() const;
  bool HoldResult();
  bool HoldAnswer();
  void Strike();
  bool SlowCommandRuns() const;
  // The process that runs the command, by what it wrote down when it began. 0: none.
  pid_t Runner() const;
  // How often the client's journal has this state.
  int Journaled(const std::string& state) const;
  std::vector<agent::v1::SessionEvent> Log();
  // The log says that this turn, counted from 0, has begun; has ended.
  bool TurnIs(size_t turn, bool ended);
  void Trouble(const std::string& what) { evidence_.troubles.push_back(what); }

  KillScript script_;
  std::optional<Kill> kill_;
  Pair pair_;
  std::shared_ptr<agent::v1::AgentService::StubInterface> stub_;
  std::string session_id_;
  std::unique_ptr<SessionWatcher> watcher_;
  std::unique_ptr<Process> cli_;
  std::unique_ptr<StoreLock> lock_;
  bool agent_away_ = false;
  BootTime began_{};
  Evidence evidence_;
};

}  // namespace holdfast::test
