#include "quota_service/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <random>
#include <thread>
#include <utility>

#include "common/base/descriptor_limit.h"
#include "common/base/duration_text.h"
#include "common/config/listen_remedy.h"
#include "common/http/http_server.h"
#include "common/loop/asio_loop.h"
#include "common/loop/stop_signals.h"
#include "common/metrics/endpoint.h"
#include "common/rpc/server.h"
#include "quota_service/call/registry.h"
#include "quota_service/checkpoint/checkpointer.h"
#include "quota_service/checkpoint/sqlite_checkpoint.h"
#include "quota_service/frontdoor/front_door.h"
#include "quota_service/ledger/in_process_ledger.h"
#include "quota_service/metrics/metrics.h"
#include "quota_service/service/own_address.h"
#include "quota_service/service/quota_service.h"
#include "quota_service/upstream/http_client.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMostHttpConnections = 16'384;

// Each needs a descriptor; a waiting stream has one and no other. Upstreams, gRPC and files have what is left.
size_t MostHttpConnections() {
  const size_t descriptors = DescriptorLimit();
  const size_t others = std::max<size_t>(256, descriptors / 5);
  return std::clamp<size_t>(descriptors - std::min(descriptors, others), 64, kMostHttpConnections);
}

constexpr Duration kFlush = std::chrono::milliseconds(100);
constexpr Duration kGroupMetricsInterval = std::chrono::seconds(1);

BudgetOptions BudgetOptionsOf(const QuotaConfig& config) {
  BudgetOptions options;
  for (const TenantConfig& tenant : config.tenants) {
    if (tenant.tokens_per_day > 0) options.limits[tenant.name] = {tenant.tokens_per_day, tenant.budget_warning};
  }
  options.most_waiting = config.queue_per_tenant;
  options.most_waiting_bytes = config.queue_bytes_per_tenant;
  return options;
}

TenantPolicy TenantPolicyOf(const QuotaConfig& config) {
  TenantPolicy policy;
  for (const TenantConfig& tenant : config.tenants) policy.weights[tenant.name] = tenant.weight;
  policy.most_waiting = config.queue_per_tenant;
  policy.most_waiting_bytes = config.queue_bytes_per_tenant;
  return policy;
}

// Neither a folder that cannot be used nor a file that is damaged keeps the service from its work.
SqliteCheckpoint::Opened OpenCheckpoint(Loop& loop, const std::string& directory) {
  constexpr char kLost[] = "budgets and learnt limits will not survive a restart";
  SqliteCheckpoint::Opened opened;
  if (directory.empty()) {
    opened.trouble = fmt::format("{}: set data.dir, XDG_STATE_HOME or HOME", kLost);
    return opened;
  }
  absl::StatusOr<SqliteCheckpoint::Opened> found = SqliteCheckpoint::Open(loop, directory);
  if (found.ok()) return *std::move(found);
  opened.trouble = fmt::format("{}: {}", kLost, std::string(found.status().message()));
  return opened;
}

}  // namespace

struct QuotaServer::Impl {
  explicit Impl(const QuotaConfig& config)
      : loop(context),
        router(config),
        authenticator(config),
        budgets(loop, BudgetOptionsOf(config), [this](const BudgetStanding& standing) { Warn(standing); }),
        opened(OpenCheckpoint(loop, config.data_dir)),
        ledger(loop, router.ConfiguredGroups(), TenantPolicyOf(config)),
        upstream(context, {}),
        gates(
            loop, [this](const std::string& account, const AccountGate& gate) { LogGate(account, gate); }, LogStreak),
        metrics([this](const std::string& model) { return router.Knows(model); }),
        calls{loop,   budgets, ledger, upstream, retry_budgets, gates, {}, [this] { return uniform(generator); },
              metrics},
        registry(calls, {.finished_bytes = config.finished_calls_bytes}),
        service(loop, budgets, ledger, registry, gates, router, authenticator),
        responses(loop, config.data_dir),
        door(calls, config, router, authenticator, responses),
        checkpointer(loop, opened.store.get(), opened.trouble, [this] { return Known(); }),
        group_timer(loop.NewTimer()),
        drain_end(loop.NewTimer()),
        drain(config.drain) {
    Restore(std::move(opened.state));
  }

  // Calls that are still there are cancelled, and answered, before the loop goes away.
  ~Impl() {
    if (rpc != nullptr && !stopped) {
      drain = Duration::zero();
      BeginStop();
      context.run();
    }
    if (drainer.joinable()) drainer.join();
  }

  // Its destruction order is the reverse: servers, service, calls, then what they used.
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
  AsioLoop loop;
  Router router;
  Authenticator authenticator;
  BudgetGate budgets;
  SqliteCheckpoint::Opened opened;
  InProcessLedger ledger;
  HttpClient upstream;
  RetryBudgets retry_budgets;
  AccountGates gates;
  std::mt19937_64 generator{std::random_device{}()};
  std::uniform_real_distribution<double> uniform{0, 1};
  Metrics metrics;
  CallServices calls;
  CallRegistry registry;
  QuotaServiceImpl service;
  ResponseMemory responses;
  FrontDoor door;
  Checkpointer checkpointer;
  std::unique_ptr<Loop::Timer> group_timer;
  std::unique_ptr<Loop::Timer> drain_end;
  Duration drain;
  bool stopping = false;
  bool rpc_drained = false;
  bool finishing = false;
  bool http_drained = false;
  bool flush = false;     // answers were under way when the stop began: the last of them get time to go out
  bool flushing = false;  // and now they have it
  bool stopped = false;
  std::unique_ptr<StopSignals> signals;
  std::unique_ptr<MetricsEndpoint> exposer;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<RpcServer> rpc;
  std::thread drainer;

  CheckpointState Known() {
    CheckpointState state{
        .saved = loop.WallNow(), .budgets = budgets.Export(), .upstreams = {}, .groups = ledger.Export()};
    for (const auto& account : router.accounts()) state.upstreams[account->name] = account->base_url;
    return state;
  }

  // Limits are known of an upstream that is configured still, and is where it was.
  void Restore(CheckpointState state) {
    budgets.Restore(state.budgets);
    std::erase_if(state.groups, [&](const LimitGroupState& group) {
      return std::ranges::none_of(router.accounts(), [&](const auto& account) {
        return group.name.starts_with(account->name + "/") && state.upstreams[account->name] == account->base_url;
      });
    });
    ledger.Restore(state.groups, loop.WallNow() - state.saved);
  }

  void Warn(const BudgetStanding& standing) {
    spdlog::warn("tenant {}: {} of the {} tokens of its day (UTC) are spent; {} to the reset", standing.tenant,
                 standing.spent, standing.limit, FormatDuration(standing.until_reset));
    metrics.OnBudgetWarning(standing.tenant);
  }

  // Not ready where no upstream can be used, until a call may ask one of them again: it is calls that find out.
  HttpPage Readiness() {
    if (stopping) return {.status = 503, .text = "shutting down\n"};
    std::string unusable;
    bool all_closed = true;
    for (const auto& account : router.accounts()) {
      const AccountGate& gate = gates.Of(account->name);
      all_closed = all_closed && gate.closed();
      if (gate.outage() == nullptr) continue;
      unusable +=
          fmt::format("upstream {} {}\n", account->name, DescribeOutage(*gate.outage(), loop.Now(), loop.WallNow()));
    }
    if (all_closed) return {.status = 503, .text = "not ready: no upstream can be used\n" + unusable};
    return {.text = (unusable.empty() ? "ready\n" : "ready, but not all upstreams can be used\n") + unusable};
  }

  void LogGate(const std::string& account, const AccountGate& gate) {
    if (const Outage* outage = gate.outage()) {
      spdlog::error("upstream {} {}", account, DescribeOutage(*outage, loop.Now(), loop.WallNow()));
    } else if (gate.holds()) {
      spdlog::warn("upstream {} fails for all calls: they are held, and one at a time asks it", account);
    } else {
      spdlog::info("upstream {} answers again", account);
    }
  }

  static void LogStreak(const std::string& account, const UpstreamFailure* failure, int64_t failed) {
    if (failure != nullptr) {
      spdlog::warn("upstream {} fails: {}; what may be sent again is, after a pause", account, DescribeCause(*failure));
    } else {
      spdlog::info("upstream {} answers, after {} failed attempts", account, failed);
    }
  }

  void PublishGroups() {
    metrics.SetBudgets(budgets.Standings());
    service.set_checkpoint_trouble(checkpointer.trouble());
    ledger.GetGroups([this](std::vector<GroupState> groups) { metrics.SetGroups(groups); });
    for (const auto& account : router.accounts()) metrics.SetUpstream(account->name, gates.Of(account->name));
    group_timer->ArmAt(loop.Now() + kGroupMetricsInterval, [this] { PublishGroups(); });
  }

  void StopOnSignals() {
    signals = std::make_unique<StopSignals>(context, [this](int number) {
      spdlog::info("signal {}: finishing running calls, at most {} s; again to exit at once", number, ToSeconds(drain));
      BeginStop();
    });
  }

  void BeginStop() {
    if (stopping) return;
    stopping = true;
    rpc->SetServing(false);
    service.BeginShutdown();
    flush = !door.idle();
    door.BeginShutdown();
    drain_end->ArmAt(loop.Now() + drain, [this] { StopIfDrained(true); });
    door.set_on_idle([this] { loop.Post([this] { StopIfDrained(false); }); });
    drainer = std::thread([this] {
      rpc->Drain(drain);
      loop.Post([this] {
        rpc_drained = true;
        StopIfDrained(false);
      });
    });
  }

  // gRPC keeps its own time; HTTP is waited for until `late`.
  void StopIfDrained(bool late) {
    http_drained = http_drained || late || door.idle();
    if (!rpc_drained || !http_drained || finishing) return;
    if (flush && !late) {
      // The last answers are on their way out. Both drains may say that they are done, and only the first begins this.
      if (std::exchange(flushing, true)) return;
      drain_end->ArmAt(loop.Now() + kFlush, [this] { StopIfDrained(true); });
      return;
    }
    finishing = true;
    checkpointer.Finish([this] {
      stopped = true;
      context.stop();
    });
  }
};

absl::StatusOr<std::unique_ptr<QuotaServer>> QuotaServer::Start(const QuotaConfig& config, Signals signals) {
  auto impl = std::make_unique<Impl>(config);
  Impl& self = *impl;
  if (signals == Signals::kStop) self.StopOnSignals();

  auto http = HttpServer::Start(
      self.context, config.http,
      {{"/healthz", [] { return HttpPage{.text = "ok\n"}; }}, {"/readyz", [&self] { return self.Readiness(); }}},
      {.handler = &self.door,
       .bounds = {.body_bytes = config.frontdoor.max_body},
       .most_connections = MostHttpConnections()});
  if (!http.ok()) return WithListenRemedy(http.status(), "http");
  self.http = *std::move(http);
  auto exposer = MetricsEndpoint::Start(config.metrics, self.metrics.registry());
  if (!exposer.ok()) return WithListenRemedy(exposer.status(), "metrics");
  self.exposer = *std::move(exposer);
  auto rpc = RpcServer::Start(config.grpc, {&self.service}, config.tls);
  if (!rpc.ok()) return WithListenRemedy(rpc.status(), "grpc");
  self.rpc = *std::move(rpc);

  for (const auto& account : self.router.accounts()) {
    for (const Address& own : {self.http->address(), self.rpc->address(), self.exposer->address()}) {
      if (ReachesListener(account->base_url, own)) {
        return absl::FailedPreconditionError(
            fmt::format("upstream {}: {} is this server's own address {}; set the provider's URL (OPENAI_BASE_URL is "
                        "for clients, HOLDFAST_UPSTREAM_URL for us)",
                        account->name, account->base_url, own.ToString()));
      }
    }
    spdlog::info("upstream {}: {} ({})", account->name, account->base_url, account->dialect);
  }
  for (const std::string& warning : config.warnings) spdlog::warn("{}", warning);
  self.checkpointer.Begin();
  self.PublishGroups();
  self.rpc->SetServing(true);
  spdlog::info("listening: grpc {}, http {}, metrics {}", self.rpc->address().ToString(),
               self.http->address().ToString(), self.exposer->address().ToString());
  return std::unique_ptr<QuotaServer>(new QuotaServer(std::move(impl)));
}

QuotaServer::QuotaServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

QuotaServer::~QuotaServer() = default;

const Address& QuotaServer::grpc() const { return impl_->rpc->address(); }
const Address& QuotaServer::http() const { return impl_->http->address(); }
const Address& QuotaServer::metrics() const { return impl_->exposer->address(); }

void QuotaServer::Run() {
  impl_->context.run();
  spdlog::info("stopped");
}

void QuotaServer::Stop() {
  impl_->loop.Post([impl = impl_.get()] { impl->BeginStop(); });
}

}  // namespace holdfast::quota
