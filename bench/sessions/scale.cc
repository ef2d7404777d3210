// One agent_service with 10,000 sessions, of which 1,000 have a running turn: its memory, and how fast it answers.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "bench/sessions/bench.h"
#include "bench/sessions/service_under_test.h"

namespace holdfast::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kSessions = 10'000;
constexpr int kRunning = 1'000;
constexpr int kAsked = 5'000;
constexpr double kMostMegabytes = 400;
constexpr double kMostMilliseconds = 20;  // the 99th of a hundred

double ResidentMegabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

}  // namespace

bool MeasureScale(const std::filesystem::path& folder) {
  const auto service = ServiceUnderTest::Start(folder);
  if (service == nullptr) return false;
  using Stub = ServiceUnderTest::Stub;
  bool good = true;
  std::vector<std::string> ids;
  for (int i = 0; i < kSessions; ++i) {
    agent::v1::Session session;
    good = good && service->Ask(&Stub::CreateSession, {}, &session);
    ids.push_back(session.session_id());
    if (i % (kSessions / kRunning) != 0) continue;
    agent::v1::SubmitTurnRequest turn;
    turn.set_session_id(session.session_id());
    turn.set_client_key("k");
    turn.add_input()->set_text(std::string(4000, 'p'));
    turn.set_instructions(std::string(8000, 'i'));
    agent::v1::SubmitTurnResponse started;
    good = good && service->Ask(&Stub::SubmitTurn, turn, &started);
  }
  std::vector<double> times;
  for (int i = 0; i < kAsked; ++i) {
    agent::v1::GetSessionRequest get;
    get.set_session_id(ids[static_cast<size_t>(i * 7919) % ids.size()]);
    agent::v1::GetSessionResponse response;
    const auto begin = Clock::now();
    good = good && service->Ask(&Stub::GetSession, get, &response);
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  const double p99 = times[times.size() * 99 / 100];
  const double memory = ResidentMegabytes();
  size_t active = 0;
  service->OnLoop([&] { active = service->host().active(); });
  const int calls = service->quota().calls();
  fmt::print(
      "| sessions | in memory | calls at quota_service | resident, all in one process | GetSession p50 | p99 |\n");
  fmt::print("|---|---|---|---|---|---|\n");
  fmt::print("| {} | {} | {} | {:.0f} MiB | {:.2f} ms | {:.2f} ms |\n", kSessions, active, calls, memory,
             times[times.size() / 2], p99);
  return good && calls == kRunning && memory <= kMostMegabytes && p99 <= kMostMilliseconds;
}

}  // namespace holdfast::bench
