#include "quota_service/checkpoint/checkpointer.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace holdfast::quota {
namespace {

// With the time that a save takes, what is kept is at most a second old.
constexpr Duration kInterval = std::chrono::milliseconds(500);
// A disk that is full stays so for a while.
constexpr Duration kIntervalInTrouble = std::chrono::seconds(5);

}  // namespace

Checkpointer::Checkpointer(Loop& loop, CheckpointStore* store, std::string found,
                           std::function<CheckpointState()> gather)
    : loop_(loop), store_(store), found_(std::move(found)), gather_(std::move(gather)), timer_(loop.NewTimer()) {
  if (!found_.empty()) spdlog::warn("{}", found_);
}

Checkpointer::~Checkpointer() { *alive_ = false; }

void Checkpointer::Begin() {
  if (store_ != nullptr) Tick();
}

void Checkpointer::Tick() {
  Save();
  timer_->ArmAt(loop_.Now() + (trouble_.empty() ? kInterval : kIntervalInTrouble), [this] { Tick(); });
}

void Checkpointer::Save() {
  if (saving_) return;
  CheckpointState state = gather_();
  if (saved_ && saved_->Same(state)) return;
  saving_ = state;
  store_->Save(std::move(state), [this, alive = alive_](const absl::Status& status) {
    if (*alive) OnSaved(status);
  });
}

void Checkpointer::OnSaved(const absl::Status& status) {
  std::optional<CheckpointState> state = std::exchange(saving_, std::nullopt);
  if (status.ok()) {
    saved_ = std::move(state);
    if (!std::exchange(trouble_, "").empty()) spdlog::info("the checkpoint is written again");
  } else {
    std::string trouble = "budgets and learnt limits would not survive a restart: ";
    trouble.append(status.message().data(), status.message().size());
    if (trouble_.empty()) spdlog::warn("{}", trouble);
    trouble_ = std::move(trouble);
  }
  if (!finished_) return;
  // What has changed while this one was written, once more; levels change for ever.
  if (status.ok() && !std::exchange(last_, true)) Save();
  if (!saving_) std::exchange(finished_, nullptr)();
}

void Checkpointer::Finish(std::function<void()> done) {
  timer_->Disarm();
  if (store_ == nullptr) return done();
  finished_ = std::move(done);
  last_ = !saving_;
  Save();
  if (!saving_) std::exchange(finished_, nullptr)();
}

}  // namespace holdfast::quota
