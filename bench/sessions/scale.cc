// One agent_service with 10,000 sessions, of which 1,000 have a running turn: its memory, and how fast it answers.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <fstream>
#include <future>
#include <thread>

#include "agent_service/service/agent_service.h"
#include "agent_service/store/sqlite_store.h"
#include "bench/sessions/bench.h"
#include "common/loop/asio_loop.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "tests/fakes/fake_quota_client.h"

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
  boost::asio::io_context context(1);
  auto work = boost::asio::make_work_guard(context);
  AsioLoop loop(context);
  agent::FakeQuotaClient quota(loop);  // silent: every call waits
  quota.SetIdentity("token", "team");
  agent::SessionObserver observer;
  auto store = agent::SqliteStore::Open((folder / "sessions.db").string(),
                                        [&loop](absl::AnyInvocable<void()> task) { loop.Post(std::move(task)); });
  if (!store.ok()) return false;
  std::thread thread([&context] { context.run(); });
  const auto on_loop = [&loop](const std::function<void()>& task) {
    std::promise<void> done;
    loop.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  };
  std::unique_ptr<agent::SessionHost> host;
  on_loop([&] {
    host = std::make_unique<agent::SessionHost>(
        agent::SessionServices{.loop = loop, .store = **store, .quota = quota, .observer = observer});
  });
  agent::Identity identity(loop, quota);
  agent::AgentServiceImpl service(loop, *host, **store, identity, "o4-mini");
  auto server = RpcServer::Start({"127.0.0.1", 0, ""}, {&service});
  if (!server.ok()) return false;
  const auto stub = agent::v1::AgentService::NewStub(MakeChannel((*server)->address()));
  const auto ask = [](auto call) {
    grpc::ClientContext client;
    SetBearerToken(client, "token");
    return call(&client).ok();
  };

  bool good = true;
  std::vector<std::string> ids;
  for (int i = 0; i < kSessions; ++i) {
    agent::v1::CreateSessionRequest create;
    agent::v1::Session session;
    good = good && ask([&](auto* client) { return stub->CreateSession(client, create, &session); });
    ids.push_back(session.session_id());
    if (i % (kSessions / kRunning) != 0) continue;
    agent::v1::SubmitTurnRequest turn;
    turn.set_session_id(session.session_id());
    turn.set_client_key("k");
    turn.add_input()->set_text(std::string(4000, 'p'));
    turn.set_instructions(std::string(8000, 'i'));
    agent::v1::SubmitTurnResponse started;
    good = good && ask([&](auto* client) { return stub->SubmitTurn(client, turn, &started); });
  }
  std::vector<double> times;
  for (int i = 0; i < kAsked; ++i) {
    agent::v1::GetSessionRequest get;
    get.set_session_id(ids[static_cast<size_t>(i * 7919) % ids.size()]);
    agent::v1::GetSessionResponse response;
    const auto begin = Clock::now();
    good = good && ask([&](auto* client) { return stub->GetSession(client, get, &response); });
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  const double p99 = times[times.size() * 99 / 100];
  const double memory = ResidentMegabytes();
  size_t running = 0;
  on_loop([&] { running = host->active(); });
  fmt::print("| sessions | in memory | resident, client and server | GetSession p50 | p99 |\n|---|---|---|---|---|\n");
  fmt::print("| {} | {} | {:.0f} MiB | {:.2f} ms | {:.2f} ms |\n", kSessions, running, memory, times[times.size() / 2],
             p99);

  on_loop([&] { host->Close(); });
  (*server)->Drain(std::chrono::seconds(5));
  store->reset();
  on_loop([&] { host.reset(); });
  work.reset();
  context.stop();
  thread.join();
  return good && memory <= kMostMegabytes && p99 <= kMostMilliseconds;
}

}  // namespace holdfast::bench
