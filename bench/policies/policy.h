#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/policies/call.h"
#include "bench/policies/limit_watch.h"

namespace holdfast::bench {

// How calls meet the provider's limit. The base keeps the books: who waits, who was refused.
class Policy {
 public:
  virtual ~Policy() = default;

  void Submit(std::shared_ptr<Call> call);
  // Whether a refusal of the provider reaches the session that made the call.
  virtual bool sessions_see_refusals() const = 0;
  // Of the limit on tokens; nothing where it keeps none in mind.
  virtual std::optional<Belief> belief() const { return std::nullopt; }
  // Outlives this; may be null.
  void set_watch(LimitWatch* watch) { watch_ = watch; }

 protected:
  Policy(World& world, Provider& provider) : world_(world), provider_(provider) {}

  virtual void OnSubmit(std::shared_ptr<Call> call) = 0;
  // A call that was not admitted is held again when `on_answer` comes. `on_end` only after an admission.
  void Send(const std::shared_ptr<Call>& call, std::function<void(const Answer&)> on_answer,
            std::function<void(const Usage&)> on_end);
  void End(const std::shared_ptr<Call>& call, Call::Outcome outcome, const Usage& usage = {});

  // It waits once more: it was answered, and is to be asked again.
  void Hold(Call& call);

  World& world_;
  Provider& provider_;

 private:
  void Release(Call& call);

  LimitWatch* watch_ = nullptr;
};

struct PolicyMaker {
  std::string name;   // for the command line
  std::string title;  // for tables
  std::function<std::unique_ptr<Policy>(World&, Provider&, const ProviderOptions&)> make;
};

// Today's clients and gateways, each on its own, and then one queue for all. The last is Holdfast's.
std::vector<PolicyMaker> Policies();

}  // namespace holdfast::bench
