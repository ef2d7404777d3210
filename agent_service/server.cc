#include "agent_service/server.h"

#include <spdlog/spdlog.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>
#include <utility>

#include "agent_service/host/session_host.h"
#include "agent_service/metrics/metrics.h"
#include "agent_service/quota_client/grpc_quota_client.h"
#include "agent_service/salvage/salvage.h"
#include "agent_service/service/agent_service.h"
#include "agent_service/service/identity.h"
#include "agent_service/service/stranded_sessions.h"
#include "agent_service/store/sqlite_store.h"
#include "common/config/listen_remedy.h"
#include "common/loop/asio_loop.h"
#include "common/loop/stop_signals.h"
#include "common/metrics/endpoint.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"

namespace holdfast::agent {
namespace {

// Unary calls finish in milliseconds; watchers have been ended by then.
constexpr Duration kDrain = std::chrono::seconds(5);
// How long a refused write counts, where none follows that would tell: as long as probes mostly pause.
constexpr Duration kRefusedFor = std::chrono::seconds(10);

// False: nothing was changed.
bool SaveDamaged(const std::string& path, const absl::Status& how) {
  const absl::StatusOr<SalvageReport> report = Salvage(path);
  if (!report.ok()) return false;
  spdlog::error("{}", std::string(how.message()));
  for (const std::string& line : Describe(*report)) spdlog::error("{}", line);
  return true;
}

}  // namespace

struct AgentServer::Impl final : SessionObserver {
  explicit Impl(const AgentConfig& config)
      : loop(context),
        quota(std::make_unique<GrpcQuotaClient>(loop, MakeChannel(config.quota, config.quota_tls),
                                                config.quota_credential)) {}

  // Callers that are still there are answered before the loop goes away.
  ~Impl() override {
    if (rpc != nullptr && !stopped) {
      drain = Duration::zero();
      BeginStop();
      context.run();
    }
    if (drainer.joinable()) drainer.join();
  }

  // Its destruction order is the reverse.
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
  AsioLoop loop;
  std::unique_ptr<GrpcQuotaClient> quota;
  Metrics metrics;
  std::unique_ptr<SqliteStore> store;
  std::unique_ptr<SessionHost> host;
  std::unique_ptr<Identity> identity;
  std::unique_ptr<AgentServiceImpl> service;
  std::unique_ptr<Loop::Timer> second_timer;
  std::unique_ptr<StrandedSessions> stranded;
  std::unique_ptr<Loop::Timer> refused_timer;
  bool resumed = false;
  bool refused = false;    // the store took nothing when it was last asked, and that was not long ago
  bool misplaced = false;  // the store's files are not where they were
  bool looking = false;
  int stalled = 0;
  Duration drain = kDrain;
  bool stopping = false;
  bool stopped = false;
  std::unique_ptr<StopSignals> signals;
  std::unique_ptr<MetricsEndpoint> endpoint;
  std::unique_ptr<RpcServer> rpc;
  std::thread drainer;

  void OnTurnEnded(const std::string& outcome) override { metrics.OnTurnEnded(outcome); }
  void OnStalled(bool now_stalled) override {
    stalled += now_stalled ? 1 : -1;
    metrics.SetStalledSessions(static_cast<size_t>(stalled));
    PublishReadiness();
  }

  void OnStoreTakes(bool takes) override {
    if (takes && !refused) return;
    refused = !takes;
    if (refused) {
      refused_timer->ArmAt(loop.Now() + kRefusedFor, [this] {
        refused = false;
        PublishReadiness();
      });
    } else {
      refused_timer->Disarm();
    }
    PublishReadiness();
  }

  // Not before running turns were taken up, nor while the store keeps one from going on, has just refused a write, or
  // is not where it was.
  void PublishReadiness() {
    if (!stopping) rpc->SetServing(resumed && stalled == 0 && !refused && !misplaced);
  }

  void LookAfterStore() {
    if (stopping || std::exchange(looking, true)) return;
    store->CheckFiles([this](const absl::Status& status) {
      looking = false;
      if (status.ok() != misplaced) return;
      misplaced = !status.ok();
      PublishReadiness();
      if (misplaced) {
        spdlog::error("{}", std::string(status.message()));
      } else {
        spdlog::info("the store is in its place again");
      }
    });
  }

  void EverySecond() {
    metrics.SetActiveSessions(host->active());
    LookAfterStore();
    second_timer->ArmAt(loop.Now() + std::chrono::seconds(1), [this] { EverySecond(); });
  }

  void StopOnSignals() {
    signals = std::make_unique<StopSignals>(context, [this](int number) {
      spdlog::info("signal {}: stopping; running turns go on in the next process", number);
      BeginStop();
    });
  }

  void BeginStop() {
    if (stopping) return;
    stopping = true;
    rpc->SetServing(false);
    host->Close();
    if (stranded != nullptr) stranded->Stop();
    drainer = std::thread([this] {
      rpc->Drain(drain);
      // Nobody asks for anything any more: what the store and quota_service still owe comes before the loop ends.
      store.reset();
      quota.reset();
      loop.Post([this] {
        spdlog::info("stopped");
        stopped = true;
        context.stop();
      });
    });
  }
};

absl::StatusOr<std::unique_ptr<AgentServer>> AgentServer::Start(const AgentConfig& config, Signals signals) {
  auto impl = std::make_unique<Impl>(config);
  Impl& self = *impl;
  if (signals == Signals::kStop) self.StopOnSignals();
  const auto on_loop = [&loop = self.loop](absl::AnyInvocable<void()> task) { loop.Post(std::move(task)); };
  const auto finished = FinishSalvage(config.store_path);
  if (!finished.ok()) return finished.status();
  for (const std::string& line : *finished) spdlog::error("{}", line);
  auto store = SqliteStore::Open(config.store_path, on_loop);
  if (IsDamage(store.status()) && SaveDamaged(config.store_path, store.status()))
    store = SqliteStore::Open(config.store_path, on_loop);
  if (!store.ok()) return store.status();
  self.store = *std::move(store);
  self.host =
      std::make_unique<SessionHost>(SessionServices{.loop = self.loop,
                                                    .store = *self.store,
                                                    .quota = *self.quota,
                                                    .observer = self,
                                                    .default_max_wait = config.default_max_wait,
                                                    .default_attended_max_wait = config.default_attended_max_wait,
                                                    .snapshot_every_turns = config.snapshot_every_turns,
                                                    .compact_after_turn = config.compact_after_turn,
                                                    .compaction_target = config.compaction_target});
  self.identity = std::make_unique<Identity>(self.loop, *self.quota);
  self.service =
      std::make_unique<AgentServiceImpl>(self.loop, *self.host, *self.store, *self.identity, config.default_model);
  self.second_timer = self.loop.NewTimer();
  self.stranded = std::make_unique<StrandedSessions>(self.loop, *self.store, *self.identity,
                                                     [](const std::string& words) { spdlog::warn("{}", words); });
  self.refused_timer = self.loop.NewTimer();

  auto endpoint = MetricsEndpoint::Start(config.metrics, self.metrics.registry());
  if (!endpoint.ok()) return WithListenRemedy(endpoint.status(), "metrics");
  self.endpoint = *std::move(endpoint);
  auto rpc = RpcServer::Start(config.grpc, {self.service.get()}, config.tls);
  if (!rpc.ok()) return WithListenRemedy(rpc.status(), "grpc");
  self.rpc = *std::move(rpc);

  self.loop.Post([&self] {
    self.EverySecond();
    if (!self.stopping) self.stranded->Look();
    self.host->ResumeRunning([&self] {
      self.resumed = true;
      self.PublishReadiness();
    });
  });
  spdlog::info("sessions in {}", config.store_path);
  spdlog::info("listening: grpc {}, metrics {}; quota_service at {}", self.rpc->address().ToString(),
               self.endpoint->address().ToString(), config.quota.ToString());
  return std::unique_ptr<AgentServer>(new AgentServer(std::move(impl)));
}

AgentServer::AgentServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AgentServer::~AgentServer() = default;

const Address& AgentServer::grpc() const { return impl_->rpc->address(); }
const Address& AgentServer::metrics() const { return impl_->endpoint->address(); }

void AgentServer::Run() { impl_->context.run(); }

void AgentServer::Stop() {
  impl_->loop.Post([impl = impl_.get()] { impl->BeginStop(); });
}

}  // namespace holdfast::agent
