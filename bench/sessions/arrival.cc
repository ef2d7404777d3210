// How long it takes from SubmitTurn until the call arrives at quota_service, on a machine with nothing else to do, next
// to a bare call over gRPC and back, and to one commit.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <vector>

#include "bench/sessions/bench.h"
#include "bench/sessions/service_under_test.h"

namespace holdfast::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kWarmUp = 50;
constexpr int kMeasured = 500;

struct Percentiles {
  double p50 = 0;
  double p99 = 0;
};

double Micros(Clock::duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

Percentiles Of(std::vector<double> values) {
  values.erase(values.begin(), values.begin() + kWarmUp);
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values[values.size() * 99 / 100]};
}

bool EchoOnce(ServiceUnderTest& service, std::vector<double>& times) {
  quota::v1::GetModelRequest request;
  request.set_model("o4-mini");
  quota::v1::GetModelResponse response;
  grpc::ClientContext context;
  const auto begin = Clock::now();
  const bool good = service.quota_stub().GetModel(&context, request, &response).ok();
  times.push_back(Micros(Clock::now() - begin));
  return good;
}

bool CommitOnce(ServiceUnderTest& service, int number, std::vector<double>& times) {
  agent::AppendRequest append;
  append.session.tenant = "team";
  append.session.session_id = fmt::format("commit{}", number);
  append.generation = service.store().generation();
  append.events.push_back({.time = std::chrono::system_clock::now(), .type = 4, .bytes = std::string(1000, 'e')});
  std::promise<bool> durable;
  const auto begin = Clock::now();
  service.store().Append(std::move(append), [&](absl::StatusOr<int64_t> last) { durable.set_value(last.ok()); });
  const bool good = durable.get_future().get();
  times.push_back(Micros(Clock::now() - begin));
  return good;
}

bool TurnOnce(ServiceUnderTest& service, std::vector<double>& times) {
  agent::v1::Session session;
  if (!service.Ask(&ServiceUnderTest::Stub::CreateSession, {}, &session)) return false;
  std::promise<Clock::time_point> arrived;
  service.quota().on_call = [&] { arrived.set_value(Clock::now()); };
  agent::v1::SubmitTurnRequest turn;
  turn.set_session_id(session.session_id());
  turn.set_client_key("k");
  turn.add_input()->set_text("What does this repository do?");
  turn.set_instructions(std::string(2000, 'i'));
  agent::v1::SubmitTurnResponse started;
  const auto begin = Clock::now();
  if (!service.Ask(&ServiceUnderTest::Stub::SubmitTurn, turn, &started)) return false;
  times.push_back(Micros(arrived.get_future().get() - begin));
  service.quota().on_call = nullptr;
  agent::v1::CancelTurnRequest cancel;
  cancel.set_session_id(session.session_id());
  agent::v1::CancelTurnResponse cancelled;
  return service.Ask(&ServiceUnderTest::Stub::CancelTurn, cancel, &cancelled);
}

}  // namespace

bool MeasureArrival(const std::filesystem::path& folder) {
  const auto service = ServiceUnderTest::Start(folder);
  if (service == nullptr) return false;
  std::vector<double> echoes;
  std::vector<double> commits;
  std::vector<double> turns;
  // In turns, so that what else the machine does meets all three.
  for (int i = 0; i < kWarmUp + kMeasured; ++i) {
    if (!EchoOnce(*service, echoes) || !CommitOnce(*service, i, commits) || !TurnOnce(*service, turns)) return false;
  }
  const Percentiles echo = Of(echoes);
  const Percentiles commit = Of(commits);
  const Percentiles turn = Of(turns);
  const double allowed = 2 * echo.p50 + commit.p50;
  fmt::print("| | p50 | p99 |\n|---|---|---|\n");
  fmt::print("| a bare call over gRPC and back | {:.0f} µs | {:.0f} µs |\n", echo.p50, echo.p99);
  fmt::print("| one commit | {:.0f} µs | {:.0f} µs |\n", commit.p50, commit.p99);
  fmt::print("| SubmitTurn until the call arrives at quota_service | {:.0f} µs | {:.0f} µs |\n", turn.p50, turn.p99);
  fmt::print("| twice the bare call, and one commit | {:.0f} µs | |\n", allowed);
  return turn.p50 <= allowed;
}

}  // namespace holdfast::bench
