// How long it takes until a session that is in no memory can be used: its log read, checked and folded.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>

#include "agent_service/host/log_row.h"
#include "agent_service/host/session_host.h"
#include "agent_service/store/sqlite_store.h"
#include "bench/sessions/bench.h"
#include "common/loop/asio_loop.h"
#include "tests/fakes/fake_quota_client.h"

namespace holdfast::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kMostMilliseconds = 100;  // for the largest
constexpr int64_t kBytesPerTurn = 4000;

// A log with so many bytes of conversation, a quarter of them said and the rest read by tools.
agent::AppendRequest LogOf(const std::string& id, int64_t bytes, int64_t generation) {
  agent::AppendRequest append;
  append.session.tenant = "team";
  append.session.session_id = id;
  append.generation = generation;
  const WallTime now = std::chrono::system_clock::now();
  const auto add = [&](const agent::v1::SessionEvent& event) {
    append.events.push_back(agent::RowOfEvent(event, now));
  };
  agent::v1::SessionEvent created;
  created.mutable_session_created()->set_model("o4-mini");
  add(created);
  for (int64_t turn = 0; turn * kBytesPerTurn < bytes; ++turn) {
    const std::string n = std::to_string(turn);
    agent::v1::SessionEvent started;
    started.mutable_turn_started()->set_turn_id("t" + n);
    started.mutable_turn_started()->set_client_key("k" + n);
    started.mutable_turn_started()->add_input()->set_text("request " + n);
    add(started);
    agent::v1::SessionEvent asked;
    quota::v1::ToolCall* call = asked.mutable_model_answered()->add_items()->mutable_tool_call();
    call->set_call_id("c" + n);
    call->set_name("read_file");
    call->set_arguments(R"({"path":"src/main.cc"})");
    add(asked);
    agent::v1::SessionEvent result;
    result.mutable_tool_result_recorded()->mutable_result()->set_call_id("c" + n);
    result.mutable_tool_result_recorded()->mutable_result()->set_output(std::string(kBytesPerTurn * 3 / 4, 'r'));
    add(result);
    agent::v1::SessionEvent said;
    said.mutable_model_answered()->add_items()->mutable_message()->add_parts()->set_text(
        std::string(kBytesPerTurn / 4, 's'));
    add(said);
    agent::v1::SessionEvent done;
    done.mutable_turn_completed()->set_turn_id("t" + n);
    add(done);
  }
  return append;
}

}  // namespace

bool MeasureOpening(const std::filesystem::path& folder) {
  boost::asio::io_context context(1);
  const auto work = boost::asio::make_work_guard(context);
  AsioLoop loop(context);
  agent::FakeQuotaClient quota(loop);
  agent::SessionObserver observer;
  auto store = agent::SqliteStore::Open((folder / "sessions.db").string(),
                                        [&loop](absl::AnyInvocable<void()> task) { loop.Post(std::move(task)); });
  if (!store.ok()) return false;
  agent::SessionHost host({.loop = loop, .store = **store, .quota = quota, .observer = observer});

  fmt::print("| tokens | events | opened in, median of 5 |\n|---|---|---|\n");
  double median = 0;
  for (const int64_t tokens : {10'000, 100'000, 1'000'000}) {
    std::vector<double> times;
    size_t events = 0;
    for (int run = 0; run < 5; ++run) {
      const std::string id = fmt::format("s{}-{}", tokens, run);
      agent::AppendRequest log = LogOf(id, tokens * 4, (*store)->generation());
      events = log.events.size();
      bool written = false;
      (*store)->Append(std::move(log), [&](absl::StatusOr<int64_t> last) { written = last.ok(); });
      while (!written) context.run_one();
      bool opened = false;
      const auto begin = Clock::now();
      host.With("team", id, [&](const auto& session) { opened = session.ok(); });
      while (!opened) context.run_one();
      times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    }
    std::sort(times.begin(), times.end());
    median = times[times.size() / 2];
    fmt::print("| {} | {} | {:.1f} ms |\n", tokens, events, median);
  }
  host.Close();
  store->reset();
  context.poll();
  return median < kMostMilliseconds;
}

}  // namespace holdfast::bench
