// Rows of a session's log as a store may give them back, folded to a state: also such as no session would write, of a
// later version, or damaged. Nothing is lost on the way through a row, a head agrees with the whole fold, and what is
// decided from a log is bounded.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent_service/context/compaction.h"
#include "agent_service/context/request_builder.h"
#include "agent_service/host/log_row.h"
#include "agent_service/session/session_state.h"
#include "agent_service/turn/next_step.h"
#include "agent_service/turn/patience.h"
#include "common/base/utf8.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::agent {
namespace {

using fuzz::Check;

constexpr auto kFirst = WallTime(std::chrono::seconds(1'750'000'000));

// Each row: two bytes for the length of what follows, one for the seconds since the row before.
std::vector<LogRow> ReadRows(fuzz::Input input) {
  std::vector<LogRow> rows;
  WallTime time = kFirst;
  while (!input.empty() && rows.size() < 48) {
    const size_t length = input.Number(2);
    time += std::chrono::seconds(input.Byte());
    LogRow row;
    row.sequence = static_cast<int64_t>(rows.size()) + 1;
    row.time = time;
    row.bytes = input.Text(length);
    rows.push_back(std::move(row));
  }
  return rows;
}

void CheckRow(const LogRow& row, const v1::SessionEvent& event) {
  Check(event.sequence() == row.sequence, "a row's sequence is its event's");
  const LogRow written = RowOfEvent(event, row.time);
  Check(written.type == static_cast<int32_t>(event.kind_case()), "a row says what kind its event is of");
  const auto read = EventOfRow({.sequence = row.sequence, .time = written.time, .bytes = written.bytes});
  Check(read.ok() && RowOfEvent(*read, row.time).bytes == written.bytes, "an event survives being stored");
}

void CheckDecisions(const SessionState& state, WallTime now) {
  const NextStep next = DecideNextStep("s", state);
  if (state.compaction() != nullptr) {
    Check(next.kind == NextStep::Kind::kAwaitCompaction, "a compaction that was begun is awaited");
    const auto request = BuildCompactionRequest("tenant", "s", state, *state.compaction());
    Check(request.SerializeAsString() ==
              BuildCompactionRequest("tenant", "s", state, *state.compaction()).SerializeAsString(),
          "the same log gives the same request");
    return;
  }
  Check((next.kind == NextStep::Kind::kIdle) == (state.turn() == nullptr), "idle is what has no turn");
  if (state.turn() == nullptr) return;
  const TurnState& turn = *state.turn();
  Check((next.kind == NextStep::Kind::kAwaitCall) == turn.call.has_value(), "a call that was begun is awaited");
  if (next.kind == NextStep::Kind::kAwaitTools)
    Check(!turn.open_tools.empty(), "tools are awaited where some are open");
  if (next.kind == NextStep::Kind::kEnd) {
    Check(next.end.has_turn_completed() || next.end.has_turn_failed(), "a turn ends by an event of the log");
    SessionState ended = state;
    ended.Apply(next.end);
    Check(ended.turn() == nullptr, "and that event ends it");
  }
  if (next.kind == NextStep::Kind::kBeginCall) {
    Check(next.call.step() == turn.steps + 1, "steps count up");
    v1::SessionEvent begun;
    *begun.mutable_model_call_started() = next.call;
    SessionState after = state;
    after.Apply(begun);
    Check(DecideNextStep("s", after).kind == NextStep::Kind::kAwaitCall, "a call that is begun is then awaited");
    const auto request = BuildRequest("tenant", "s", state, next.call);
    Check(request.SerializeAsString() == BuildRequest("tenant", "s", state, next.call).SerializeAsString(),
          "the same log gives the same request");
    Check(CheckContext(request, quota::v1::GetModelResponse()).ok(), "a model of which nothing is known takes it");
  }
  const Duration left = PatienceLeft(turn, now);
  Check(left >= Duration::zero(), "patience is not negative");
  if (turn.started.max_wait().seconds() >= 0 && turn.waited_seconds >= 0) {
    const double bound = static_cast<double>(turn.started.max_wait().seconds()) + turn.started.max_wait().nanos() / 1e9;
    Check(ToSeconds(left) <= std::max(0.0, bound) * (1 + 1e-9) + 1e-6, "nor more than the turn was given");
  }
}

void Test(fuzz::Input input) {
  SessionState state;
  SessionState again;
  WallTime now = kFirst;
  for (const LogRow& row : ReadRows(input)) {
    const auto event = EventOfRow(row);
    if (!event.ok()) {
      Check(event.status().code() == absl::StatusCode::kDataLoss, event.status().ToString());
      continue;  // the host stops here; going on finds more
    }
    CheckRow(row, *event);
    now = row.time;
    SessionState head = state.Head();
    head.Apply(*event);
    state.Apply(*event);
    again.Apply(*event);
    Check(state.last_sequence() == row.sequence, "the fold knows how far it is");
    const std::string summary = state.Summary().SerializeAsString();
    Check(head.Summary().SerializeAsString() == summary, "a head agrees with the whole");
    Check(again.Summary().SerializeAsString() == summary, "the same log gives the same state");
    Check(IsValidUtf8(state.Summary().title()) && state.Summary().title().size() <= 80, "a title is UTF-8 and short");
    CheckDecisions(state, now);
  }
}

}  // namespace
}  // namespace holdfast::agent

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);  // it tells of every text that is not UTF-8
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::agent::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
