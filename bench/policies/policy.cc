#include "bench/policies/policy.h"

#include <utility>

namespace holdfast::bench {

void Policy::Hold(Call& call) {
  if (call.held) return;
  call.held = true;
  call.held_since = world_.now();
  provider_.Waits(1);
}

void Policy::Release(Call& call) {
  if (!call.held) return;
  call.held = false;
  call.held_for += world_.now() - call.held_since;
  provider_.Waits(-1);
}

void Policy::Submit(std::shared_ptr<Call> call) {
  Hold(*call);
  OnSubmit(std::move(call));
}

void Policy::Send(const std::shared_ptr<Call>& call, std::function<void(const Answer&)> on_answer,
                  std::function<void(const Usage&)> on_end) {
  Release(*call);
  call->sent = world_.now();
  if (watch_ != nullptr) {
    if (const auto believed = belief()) watch_->OnSent(*believed);
  }
  provider_.Send(
      call->request,
      [this, call, on_answer = std::move(on_answer)](const Answer& answer) {
        if (!answer.admitted()) {
          ++call->refusals;
          Hold(*call);
        }
        on_answer(answer);
        if (watch_ == nullptr) return;
        if (const auto believed = belief()) watch_->OnAnswer(world_.now(), answer, *believed);
      },
      std::move(on_end));
}

void Policy::End(const std::shared_ptr<Call>& call, Call::Outcome outcome, const Usage& usage) {
  Release(*call);
  call->outcome = outcome;
  call->usage = usage;
  call->on_end();
}

}  // namespace holdfast::bench
