#include "bench/policies/workload.h"

#include <algorithm>
#include <cmath>

namespace holdfast::bench {
namespace {

constexpr int kTurnsPerTask = 12;
constexpr double kPiece = 4'000;  // tokens: a file, or a part of one

}  // namespace

double Worth(ChargeRule rule, const Request& request, const Usage& usage) {
  if (rule == ChargeRule::kGreaterOfCapAndText) return static_cast<double>(ChargeAtGate(rule, request));
  return static_cast<double>(usage.input + usage.output);
}

Workload::Workload(World& world, Policy& policy, const WorkloadOptions& options, ChargeRule rule, Result& result,
                   OnCall on_call)
    : world_(world),
      policy_(policy),
      options_(options),
      rule_(rule),
      result_(result),
      on_call_(std::move(on_call)),
      begin_(world.now()),
      end_(world.now() + options.length) {
  for (int i = 0; i < options_.sessions; ++i) AddSession(i, /*large=*/false);
  for (int i = 0; i < options_.large_senders; ++i) AddSession(i, /*large=*/true);
}

void Workload::AddSession(int index, bool large) {
  const auto number = static_cast<size_t>(index);
  const size_t tenants = options_.weights.size();
  const size_t tenant = large ? 0 : number % tenants;
  auto session = std::make_shared<Session>();
  session->name = (large ? "large " : "session ") + std::to_string(index);
  session->tenant = "tenant " + std::to_string(tenant);
  session->weight = options_.weights[tenant];
  session->large = large;
  session->background = !large && world_.Uniform(0, 1) < options_.background_share;
  session->cap = options_.caps[number / tenants % options_.caps.size()];
  session->text = large ? &kTextKinds[2] : &kTextKinds[number / tenants % kTextKinds.size()];
  if (!large) {
    const size_t siblings = (static_cast<size_t>(options_.sessions) - tenant + tenants - 1) / tenants;
    result_.sessions[session->name].weight = session->weight / static_cast<double>(siblings);
  }
  world_.After(FromSeconds(world_.Uniform(0, 20)), [this, session] { Begin(session); });
}

void Workload::Grow(Session& session, double tokens) {
  session.tokens += tokens;
  for (double left = tokens; left > 0; left -= kPiece) {
    session.characters += DrawCharacters(world_, *session.text, std::min(left, kPiece));
  }
}

void Workload::Begin(const std::shared_ptr<Session>& session) {
  session->turn = 0;
  session->tokens = 0;
  session->characters = 0;
  session->worth = 0;
  Grow(*session, session->large ? world_.Uniform(130'000, 150'000) : Draw(options_.first_context));
  Turn(session);
}

void Workload::Later(const std::shared_ptr<Session>& session, void (Workload::*step)(const std::shared_ptr<Session>&)) {
  world_.After(FromSeconds(Draw(options_.think)), [this, session, step] { (this->*step)(session); });
}

void Workload::Turn(const std::shared_ptr<Session>& session) {
  Request request;
  request.characters = static_cast<int64_t>(session->characters);
  request.cap = session->cap;
  request.cjk = session->text->bytes_per_character > 1;
  request.input = static_cast<int64_t>(session->tokens);
  request.output =
      static_cast<int64_t>(std::exp(world_.Uniform(std::log(options_.answer.least), std::log(options_.answer.most))));
  Ask(session, request);
}

void Workload::Ask(const std::shared_ptr<Session>& session, const Request& request) {
  if (world_.now() >= end_) return;
  auto call = std::make_shared<Call>();
  call->tenant = session->tenant;
  call->weight = session->weight;
  call->session = session->name;
  call->background = session->background;
  call->request = request;
  call->submitted = world_.now();
  call->patience = session->background ? options_.length : options_.patience;
  call->asks_for_forecast = options_.forecasts;
  call->on_end = [this, session, weak = std::weak_ptr<Call>(call)] {
    if (const auto ended = weak.lock()) OnEnd(session, *ended);
  };
  policy_.Submit(std::move(call));
}

void Workload::OnEnd(const std::shared_ptr<Session>& session, const Call& call) {
  Note(*session, call);
  if (on_call_) on_call_(call);
  if (call.outcome != Call::Outcome::kDone) {
    result_.useful -= session->worth;
    ++(session->large ? result_.large_failed : result_.sessions_died);
    Later(session, &Workload::Begin);
    return;
  }
  if (call.usage.cut_short) {
    ++result_.cut_short;
    Request again = call.request;
    again.cap *= 2;
    Ask(session, again);
    return;
  }
  const double worth = Worth(rule_, call.request, call.usage);
  session->worth += worth;
  result_.useful += worth;
  Grow(*session, static_cast<double>(call.usage.output) + Draw(options_.tool_result));
  if (++session->turn >= (session->large ? 1 : kTurnsPerTask)) {
    ++(session->large ? result_.large_served : result_.tasks_done);
    if (!session->large) ++result_.sessions[session->name].tasks_done;
    Later(session, &Workload::Begin);
  } else {
    Later(session, &Workload::Turn);
  }
}

void Workload::Note(const Session& session, const Call& call) {
  const bool steady = world_.now() - begin_ > std::chrono::minutes(1);
  const auto own = result_.sessions.find(session.name);
  if (own != result_.sessions.end()) own->second.held_for += ToSeconds(call.held_for);
  const bool refused = call.outcome == Call::Outcome::kRefused;
  result_.refusals_at_clients += policy_.sessions_see_refusals() ? call.refusals : (refused ? 1 : 0);
  if (call.outcome != Call::Outcome::kDone) return;

  const double wait = ToSeconds(call.wait());
  result_.waits.push_back(wait);
  if (session.background) result_.background_waits.push_back(wait);
  if (session.large) result_.large_waits.push_back(wait);
  const double worth = Worth(rule_, call.request, call.usage);
  if (steady) {
    if (own != result_.sessions.end()) own->second.tokens += worth;
    result_.tenants[session.tenant] += worth;
  }
  if (!call.announced || wait <= 10) return;
  result_.forecasts.errors.push_back(std::abs(ToSeconds(*call.announced) - wait) / wait);
  result_.forecasts.widths.push_back(ToSeconds(call.most - call.least) / wait);
  if (call.least <= call.wait() && call.wait() <= call.most) ++result_.forecasts.covered;
}

}  // namespace holdfast::bench
