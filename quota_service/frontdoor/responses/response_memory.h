#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/loop.h"
#include "common/sqlite/lock_file.h"
#include "common/sqlite/task_thread.h"
#include "quota_service/frontdoor/responses/response_file.h"
#include "quota_service/frontdoor/responses/response_index.h"

namespace holdfast::quota {

// What the front door knows of responses, and still knows after a restart: an index in memory, and `responses.db` in a
// data directory, written behind it by a thread of its own. Where that cannot be, the index is all there is; the log
// says why. On the loop.
class ResponseMemory {
 public:
  // Blocks. `directory` is made (0700) if need be; empty: nothing is kept. A file that is damaged is set aside as
  // `responses.db.damaged`.
  ResponseMemory(Loop& loop, const std::string& directory, ResponseIndex::Bounds bounds = {});
  // Writes what is not written yet.
  ~ResponseMemory();

  void Remember(ResponseKey key, KnownResponse response);
  ResponseIndex::Found Find(const std::string& id, const std::string& tenant) const;

  bool is_kept() const { return file_.has_value(); }

 private:
  absl::Status Open(const std::string& directory);
  absl::Status Load(const std::string& path);
  void ArmWrite(Duration after);
  void Write();
  void OnWritten(const absl::Status& status);

  Loop& loop_;
  const ResponseIndex::Bounds bounds_;
  ResponseIndex index_;
  std::optional<LockFile> lock_;
  std::optional<ResponseFile> file_;  // the thread's, once that runs
  ResponseChanges changes_;           // not written yet
  std::shared_ptr<const ResponseChanges> writing_;
  bool armed_ = false;
  bool failing_ = false;
  std::unique_ptr<Loop::Timer> timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::optional<TaskThread> thread_;  // first to go: it uses the others
};

}  // namespace holdfast::quota
