#include "bench/policies/provider.h"

#include <algorithm>
#include <cmath>

namespace holdfast::bench {
namespace {

constexpr double kOutputTokensPerSecond = 80;
constexpr Duration kFirstToken = std::chrono::milliseconds(500);
constexpr double kSecondsBetweenBursts = 6;

}  // namespace

Provider::Provider(World& world, const ProviderOptions& options)
    : world_(world),
      options_(options),
      gate_(MakeTokenGate(options.window, options.tokens_per_minute, world.now(), FromSeconds(world.Uniform(0, 60)))),
      requests_(std::max(1.0, options.requests_per_minute / 60)),
      at_(world.now()) {
  if (options_.foreign_share > 0) BeginBurst();
}

void Provider::Advance() {
  const double offered = gate_->offered();
  const double lost = gate_->lost();
  const Duration elapsed = world_.now() - at_;
  at_ = world_.now();
  gate_->Advance(at_);
  requests_ = std::min(std::max(1.0, options_.requests_per_minute / 60),
                       requests_ + ToSeconds(elapsed) * options_.requests_per_minute / 60);
  if (!binds_) return;
  bound_.offered += gate_->offered() - offered;
  bound_.lost += gate_->lost() - lost;
  bound_.time += elapsed;
}

void Provider::JudgeWhatBinds() { binds_ = waiting_ > 0 && OthersLetIn(); }

void Provider::Waits(int more) {
  Advance();
  waiting_ += more;
  JudgeWhatBinds();
}

void Provider::SetLimit(double tokens_per_minute) {
  Advance();
  gate_->SetLimit(tokens_per_minute);
}

// Others send a tenth of their minute's share at a time, and again as soon as it fits.
void Provider::BeginBurst() {
  foreign_debt_ += gate_->limit() * options_.foreign_share / 60 * kSecondsBetweenBursts;
  if (!foreign_waits_) SpendElsewhere();
  world_.After(FromSeconds(world_.Uniform(kSecondsBetweenBursts - 5, kSecondsBetweenBursts + 5)),
               [this] { BeginBurst(); });
}

void Provider::SpendElsewhere() {
  Advance();
  const double burst = gate_->limit() * options_.foreign_share / 60 * kSecondsBetweenBursts;
  while (foreign_debt_ >= burst && gate_->level() >= burst) {
    gate_->Charge(burst);
    foreign_ += burst;
    foreign_debt_ -= burst;
  }
  foreign_waits_ = foreign_debt_ >= burst;
  if (!foreign_waits_) return;
  world_.After(gate_->UntilFits(burst) + Latency(), [this] { SpendElsewhere(); });
}

// Mostly a tenth of a second, sometimes half of one.
Duration Provider::Latency() { return FromSeconds(0.005 + 0.495 * std::pow(world_.Uniform(0, 1), 3)); }

Answer Provider::Decide(const Request& request) {
  const int64_t charge = ChargeAtGate(options_.charge, request);
  const auto amount = static_cast<double>(charge);
  Answer answer;
  answer.made = world_.now();
  Duration wait{};
  if (amount > gate_->limit()) {
    answer.refusal = Answer::Refusal::kTooLarge;
  } else if (options_.concurrent && in_flight_ >= *options_.concurrent) {
    answer.refusal = Answer::Refusal::kConcurrency;
    wait = std::chrono::seconds(1);
  } else if (requests_ < 1) {
    answer.refusal = Answer::Refusal::kRequests;
    wait = FromSeconds((1 - requests_) / options_.requests_per_minute * 60);
  } else if (gate_->level() < amount) {
    answer.refusal = Answer::Refusal::kTokens;
    wait = gate_->UntilFits(amount);
  }
  if (answer.admitted()) {
    ++admissions_;
    ++in_flight_;
    requests_ -= 1;
    gate_->Charge(amount);
    charged_ += amount;
  } else {
    ++refusals_;
    const bool concurrency = answer.refusal == Answer::Refusal::kConcurrency;
    answer.told_limit = concurrency ? *options_.concurrent : static_cast<int64_t>(gate_->limit());
    answer.used = static_cast<int64_t>(std::ceil(gate_->limit() - gate_->level()));
    answer.requested = charge;
    answer.retry_after = std::chrono::floor<std::chrono::milliseconds>(wait);
  }
  if (options_.headers) {
    answer.limit = static_cast<int64_t>(gate_->limit());
    answer.remaining = static_cast<int64_t>(std::floor(std::max(0.0, gate_->level())));
    answer.reset = gate_->UntilWhole();
  }
  return answer;
}

void Provider::End(const Request& request, BootTime charged_at) {
  Advance();
  --in_flight_;
  if (options_.charge == ChargeRule::kSettled) {
    const Usage usage = UsageOf(request);
    const auto surplus = static_cast<double>(ChargeAtGate(options_.charge, request) - usage.input - usage.output);
    gate_->GiveBack(surplus, charged_at);
    charged_ -= surplus;
  }
  JudgeWhatBinds();
}

void Provider::Send(const Request& request, std::function<void(const Answer&)> on_answer,
                    std::function<void(const Usage&)> on_end) {
  world_.After(Latency(), [this, request, on_answer = std::move(on_answer), on_end = std::move(on_end)] {
    Advance();
    const Answer answer = Decide(request);
    JudgeWhatBinds();
    const Duration back = Latency();
    world_.After(back, [answer, on_answer] { on_answer(answer); });
    if (!answer.admitted()) return;
    const Usage usage = UsageOf(request);
    const Duration run = kFirstToken + FromSeconds(static_cast<double>(usage.output) / kOutputTokensPerSecond);
    world_.After(run, [this, request, charged_at = answer.made] { End(request, charged_at); });
    world_.After(back + run, [on_end, usage] { on_end(usage); });
  });
}

}  // namespace holdfast::bench
