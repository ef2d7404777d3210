#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/loop.h"
#include "quota_service/checkpoint/checkpoint_store.h"

namespace holdfast::quota {

// Saves what changes, so that what is kept is at most a second old. While it cannot be saved, the service goes on,
// tries again, and says so. On the loop.
class Checkpointer {
 public:
  // `store` may be null: nothing is kept. `found`: what was wrong at the start, for an operator; may be empty.
  // `gather`: the state as it is now.
  Checkpointer(Loop& loop, CheckpointStore* store, std::string found, std::function<CheckpointState()> gather);
  ~Checkpointer();

  void Begin();
  // Saves what is not saved yet, then calls `done`, whether that worked or not; nothing is saved afterwards.
  void Finish(std::function<void()> done);

  // Why what is known now would not survive a restart, or else what the last restart has lost, in words for an
  // operator. Empty: all is well.
  const std::string& trouble() const { return trouble_.empty() ? found_ : trouble_; }

 private:
  void Tick();
  void Save();
  void OnSaved(const absl::Status& status);

  Loop& loop_;
  CheckpointStore* store_;
  const std::string found_;
  std::string trouble_;
  std::function<CheckpointState()> gather_;
  std::unique_ptr<Loop::Timer> timer_;
  std::optional<CheckpointState> saving_;  // under way
  std::optional<CheckpointState> saved_;
  bool last_ = false;  // after this one none is begun
  std::function<void()> finished_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::quota
