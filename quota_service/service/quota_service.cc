#include "quota_service/service/quota_service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/random_id.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "common/rpc/unary.h"
#include "quota_service/provider/dialect.h"
#include "quota_service/provider/profile.h"
#include "quota_service/service/make_envelope.h"
#include "quota_service/service/status_parts.h"
#include "quota_service/service/validate.h"
#include "quota_service/typed/wire.h"

namespace holdfast::quota {
namespace {

constexpr Duration kDefaultMaxWait = std::chrono::minutes(15);
constexpr Duration kStatusInterval = std::chrono::seconds(1);

Duration MaxWaitOf(const v1::GenerateRequest& request) {
  if (!request.has_max_wait()) return kDefaultMaxWait;
  return FromSeconds(static_cast<double>(request.max_wait().seconds()) + request.max_wait().nanos() / 1e9);
}

void FillMustWait(v1::WaitReason reason, const std::string& scope, const WaitEstimate& estimate, WallTime now,
                  v1::GetHeadroomResponse* response) {
  response->set_verdict(v1::GetHeadroomResponse::MUST_WAIT);
  v1::Wait* wait = response->mutable_wait();
  wait->set_reason(reason);
  wait->set_scope(scope);
  FillWait(estimate, wait);
  FillTimestamp(now + std::chrono::duration_cast<WallTime::duration>(estimate.wait), wait->mutable_retry_at());
}

void FillLimit(const LimitGroup::Level& level, v1::LimitStatus* out) {
  out->set_dimension(DimensionName(level.dimension));
  out->set_limit(level.limit);
  out->set_window_seconds(ToSeconds(level.per));
  out->set_remaining(level.remaining);
  out->set_source(LimitSourceName(level.source));
}

void FillHealth(const AccountGate& gate, const Loop& loop, v1::UpstreamStatus* out) {
  const auto describe = [&](const Outage& outage) { return DescribeOutage(outage, loop.Now(), loop.WallNow()); };
  if (gate.outage() != nullptr) out->set_unusable(describe(*gate.outage()));
  if (gate.holds()) out->add_troubles("fails for all calls: they are held, and one at a time asks it");
  for (const Outage* outage : gate.health().models()) out->add_troubles(describe(*outage));
}

}  // namespace

QuotaServiceImpl::QuotaServiceImpl(Loop& loop, BudgetGate& budgets, Ledger& ledger, CallRegistry& registry,
                                   AccountGates& gates, const Router& router, const Authenticator& authenticator)
    : loop_(loop),
      budgets_(budgets),
      ledger_(ledger),
      registry_(registry),
      gates_(gates),
      router_(router),
      authenticator_(authenticator) {}

QuotaServiceImpl::~QuotaServiceImpl() = default;

grpc::ServerWriteReactor<v1::GenerateEvent>* QuotaServiceImpl::Generate(grpc::CallbackServerContext* context,
                                                                        const v1::GenerateRequest* request) {
  return ServerStream<v1::GenerateEvent>::Open(loop_, [this, token = BearerToken(*context), request = *request](
                                                          auto* stream) { OnGenerate(stream, token, request); });
}

const Route& QuotaServiceImpl::Usable(const std::vector<Route>& routes) const {
  for (const Route& route : routes) {
    if (gates_.Of(route.account->name).Refuses(route.model) == nullptr) return route;
  }
  return routes.front();
}

const Route& QuotaServiceImpl::RouteFor(const v1::GenerateRequest& request, const std::vector<Route>& routes) const {
  for (int i = request.items_size() - 1; i >= 0; --i) {
    const std::string& origin = request.items(i).reasoning().origin();
    if (origin.empty()) continue;
    const auto home = std::ranges::find(routes, origin, [](const Route& route) { return route.account->name; });
    if (home != routes.end()) return *home;
  }
  return Usable(routes);
}

absl::StatusOr<Envelope> QuotaServiceImpl::MakeEnvelope(const std::string& token,
                                                        const v1::GenerateRequest& request) const {
  auto tenant = authenticator_.TenantFor(token, request.tenant());
  if (!tenant.ok()) return tenant.status();
  if (absl::Status status = ValidateGenerate(request); !status.ok()) return status;
  const Router::Model model = router_.Find(request.model());
  Route route = RouteFor(request, model.routes);
  const PromptProfile prompt = ProfilePrompt(request, route.model);
  Envelope envelope = quota::MakeEnvelope({.tenant = *std::move(tenant),
                                           .call_id = request.call_id(),
                                           .session = request.session_id(),
                                           .model = request.model(),
                                           .digest = RequestDigest(request),
                                           .prompt_characters = prompt.characters,
                                           .output_cap = request.max_output_tokens(),
                                           .bytes = static_cast<int64_t>(request.SpaceUsedLong()),
                                           .max_wait = MaxWaitOf(request),
                                           .background = request.background()},
                                          std::move(route));
  const Account& account = *envelope.route.account;
  Appraisal::Terms terms{.key = {.model = account.name + "/" + envelope.route.model, .background = envelope.background},
                         .prompt = prompt,
                         .asked_cap = request.max_output_tokens(),
                         .may_lower_cap = account.lower_output_cap,
                         .context_window = model.context_window};
  if (!envelope.session.empty()) terms.key.session = envelope.tenant + "/" + envelope.session;
  envelope.appraisal = std::make_shared<Appraisal>(estimator_, ProfileOf(account.profile), std::move(terms));
  envelope.charge = envelope.appraisal->charge();
  envelope.guessed = envelope.appraisal->guessed();
  return envelope;
}

void QuotaServiceImpl::OnGenerate(ServerStream<v1::GenerateEvent>* stream, const std::string& token,
                                  v1::GenerateRequest request) {
  if (shutting_down_) {
    stream->Finish({grpc::StatusCode::UNAVAILABLE, "shutting down; attach again"});
    return;
  }
  auto envelope = MakeEnvelope(token, request);
  if (!envelope.ok()) {
    stream->Finish(ToGrpc(envelope.status()));
    return;
  }
  const Dialect& dialect = *FindDialect(envelope->route.account->dialect);
  // What this dialect cannot express is said now, not after the wait.
  if (auto body = dialect.BuildBody(request, envelope->route.model, envelope->route.account->name); !body.ok()) {
    stream->Finish(ToGrpc(body.status()));
    return;
  }
  GenerateStream::Cursor cursor{request.after_event(), request.after_incarnation()};
  auto exchange = registry_.Attach(
      *envelope, [&] { return std::make_shared<TypedExchange>(std::move(request), dialect, RandomId()); });
  if (!exchange.ok()) {
    stream->Finish(ToGrpc(exchange.status()));
    return;
  }
  auto reader = std::make_unique<GenerateStream>(
      loop_, stream, registry_, *envelope, *std::move(exchange), std::move(cursor),
      [this](GenerateStream* gone) { loop_.Post([this, gone] { streams_.erase(gone); }); });
  GenerateStream* raw = reader.get();
  streams_[raw] = std::move(reader);
  raw->Begin();
}

grpc::ServerUnaryReactor* QuotaServiceImpl::CancelCall(grpc::CallbackServerContext* context,
                                                       const v1::CancelCallRequest* request,
                                                       v1::CancelCallResponse* response) {
  return AnswerOnLoop(loop_, context, [this, context, request, response](auto finish) {
    auto tenant = authenticator_.TenantFor(BearerToken(*context), request->tenant());
    if (!tenant.ok()) return finish(ToGrpc(tenant.status()));
    if (absl::Status status = ValidateCallId(request->call_id()); !status.ok()) return finish(ToGrpc(status));
    response->set_cancelled(registry_.Cancel(*tenant, request->call_id()));
    finish(grpc::Status::OK);
  });
}

grpc::ServerUnaryReactor* QuotaServiceImpl::GetHeadroom(grpc::CallbackServerContext* context,
                                                        const v1::GetHeadroomRequest* request,
                                                        v1::GetHeadroomResponse* response) {
  return AnswerOnLoop(loop_, context, [this, context, request, response](auto finish) {
    auto tenant = authenticator_.TenantFor(BearerToken(*context), request->tenant());
    if (!tenant.ok()) return finish(ToGrpc(tenant.status()));
    if (absl::Status status = ValidateModelName(request->model()); !status.ok()) return finish(ToGrpc(status));
    if (absl::Status status = ValidateTokens(request->tokens()); !status.ok()) return finish(ToGrpc(status));
    const Router::Model model = router_.Find(request->model());
    const Route& route = Usable(model.routes);
    if (const Outage* outage = gates_.Of(route.account->name).Refuses(route.model)) {
      return finish(
          {grpc::StatusCode::FAILED_PRECONDITION,
           fmt::format("upstream {} {}", route.account->name, DescribeOutage(*outage, loop_.Now(), loop_.WallNow()))});
    }
    const std::string group = route.group;
    // As a new session of this tenant would find it: the budget first, then the queue.
    const std::optional<WaitEstimate> budget = budgets_.WouldWait(*tenant, request->tokens());
    ledger_.GetHeadroom({group, *tenant, "", request->tokens()}, [this, group, budget, tenant = *tenant, response,
                                                                  finish](absl::StatusOr<Headroom> headroom) {
      if (!headroom.ok()) return finish(ToGrpc(headroom.status()));
      response->set_limits_known(headroom->limits_known);
      response->set_largest_admissible_tokens(headroom->largest);
      if (!budget) {
        response->set_largest_admissible_tokens(budgets_.LimitOf(tenant));
        response->mutable_wait()->set_reason(v1::WAIT_REASON_BUDGET);
        response->mutable_wait()->set_scope(BudgetScope(tenant));
      }
      for (const LimitGroup::Level& level : headroom->levels) FillLimit(level, response->add_limits());
      if (headroom->never_fits || !budget) {
        response->set_verdict(v1::GetHeadroomResponse::NEVER_FITS);
      } else if (budget->wait > headroom->estimate.wait) {
        FillMustWait(v1::WAIT_REASON_BUDGET, BudgetScope(tenant), *budget, loop_.WallNow(), response);
      } else if (headroom->estimate.reason == WaitEstimate::Reason::kNone) {
        response->set_verdict(v1::GetHeadroomResponse::FITS_NOW);
      } else {
        FillMustWait(ReasonOf(headroom->estimate.reason), group, headroom->estimate, loop_.WallNow(), response);
      }
      finish(grpc::Status::OK);
    });
  });
}

grpc::ServerUnaryReactor* QuotaServiceImpl::GetModel(grpc::CallbackServerContext* context,
                                                     const v1::GetModelRequest* request,
                                                     v1::GetModelResponse* response) {
  return AnswerOnLoop(loop_, context, [this, context, request, response](auto finish) {
    const auto caller = authenticator_.Authenticate(BearerToken(*context));
    if (!caller.ok()) return finish(ToGrpc(caller.status()));
    if (absl::Status status = ValidateModelName(request->model()); !status.ok()) return finish(ToGrpc(status));
    const Router::Model model = router_.Find(request->model());
    response->set_model(request->model());
    response->set_context_window(model.context_window);
    const Route& route = Usable(model.routes);
    response->set_dialect(route.account->dialect);
    for (const Route& each : model.routes) response->add_upstreams(each.account->name);
    ledger_.GetLimits(route.group, [response, finish](LimitsState limits) {
      response->set_largest_admissible_tokens(limits.largest);
      finish(grpc::Status::OK);
    });
  });
}

grpc::ServerUnaryReactor* QuotaServiceImpl::WhoAmI(grpc::CallbackServerContext* context, const v1::WhoAmIRequest*,
                                                   v1::WhoAmIResponse* response) {
  return AnswerOnLoop(loop_, context, [this, context, response](auto finish) {
    const auto caller = authenticator_.Authenticate(BearerToken(*context));
    if (!caller.ok()) return finish(ToGrpc(caller.status()));
    response->set_tenant(caller->tenant);
    response->set_is_service(caller->is_service);
    finish(grpc::Status::OK);
  });
}

grpc::ServerWriteReactor<v1::WatchStatusResponse>* QuotaServiceImpl::WatchStatus(grpc::CallbackServerContext* context,
                                                                                 const v1::WatchStatusRequest*) {
  return StatusStream::Open(loop_, [this, token = BearerToken(*context)](StatusStream* stream) {
    const auto caller = authenticator_.Authenticate(token);
    if (!caller.ok()) return stream->Finish(ToGrpc(caller.status()));
    if (shutting_down_) return stream->Finish({grpc::StatusCode::UNAVAILABLE, "shutting down"});
    watches_[stream] = {.caller = *caller, .timer = loop_.NewTimer(), .last = {}};
    stream->set_on_closed([this, stream] { watches_.erase(stream); });
    SendStatus(stream);
  });
}

void QuotaServiceImpl::SendStatus(StatusStream* stream) {
  ledger_.GetGroups([this, stream](std::vector<GroupState> groups) {
    const auto watch = watches_.find(stream);
    if (watch == watches_.end()) return;
    const Caller& caller = watch->second.caller;
    ledger_.GetQueues(caller.sees_all ? std::nullopt : std::optional(caller.tenant), kMostWaitersShown,
                      [this, stream, groups = std::move(groups)](std::vector<QueueState> queues) {
                        if (watches_.contains(stream)) SendStatus(stream, groups, queues);
                      });
  });
}

void QuotaServiceImpl::SendStatus(StatusStream* stream, const std::vector<GroupState>& groups,
                                  const std::vector<QueueState>& queues) {
  Watch& watch = watches_.at(stream);
  v1::WatchStatusResponse status;
  std::map<std::string_view, const QueueState*> by_group;
  for (const QueueState& queue : queues) by_group[queue.group] = &queue;
  for (const auto& account : router_.accounts()) {
    v1::UpstreamStatus* upstream = status.add_upstreams();
    upstream->set_name(account->name);
    FillHealth(gates_.Of(account->name), loop_, upstream);
    for (const GroupState& group : groups) {
      if (!group.name.starts_with(account->name + "/")) continue;
      v1::LimitGroupStatus* out = upstream->add_groups();
      out->set_name(group.name);
      out->set_queued(static_cast<int32_t>(group.queued));
      out->set_in_flight(static_cast<int32_t>(group.in_flight));
      for (const LimitGroup::Level& level : group.levels) FillLimit(level, out->add_limits());
      if (const auto queue = by_group.find(group.name); queue != by_group.end()) FillQueue(*queue->second, out);
    }
  }
  FillBudgets(watch.caller, budgets_, &status);
  if (watch.caller.sees_all) status.set_checkpoint_trouble(checkpoint_trouble_);
  // A client that does not read gets the newest state when it does, not every one that there was.
  std::string now = WithoutClock(status);
  if (stream->queued_bytes() == 0 && now != watch.last) {
    watch.last = std::move(now);
    FillTimestamp(loop_.WallNow(), status.mutable_time());
    stream->Write(std::move(status));
  }
  watch.timer->ArmAt(loop_.Now() + kStatusInterval, [this, stream] { SendStatus(stream); });
}

void QuotaServiceImpl::BeginShutdown() {
  shutting_down_ = true;
  for (auto& [raw, stream] : streams_) raw->OnShutdown();
  registry_.CancelWaiting();
  for (auto& [stream, watch] : watches_) stream->Finish({grpc::StatusCode::UNAVAILABLE, "shutting down"});
  watches_.clear();
}

}  // namespace holdfast::quota
