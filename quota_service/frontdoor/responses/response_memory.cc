#include "quota_service/frontdoor/responses/response_memory.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "common/sqlite/database_files.h"

namespace holdfast::quota {
namespace {

// Responses of this time are written together.
constexpr Duration kGather = std::chrono::milliseconds(200);
constexpr Duration kAgain = std::chrono::seconds(5);

std::string Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

}  // namespace

ResponseMemory::ResponseMemory(Loop& loop, const std::string& directory, ResponseIndex::Bounds bounds)
    : loop_(loop), bounds_(bounds), index_(bounds), timer_(loop.NewTimer()) {
  if (directory.empty()) return;
  if (absl::Status status = Open(directory); !status.ok()) {
    file_.reset();
    spdlog::warn("who made which response will not be known after a restart: {}", Words(status));
    return;
  }
  thread_.emplace();
}

ResponseMemory::~ResponseMemory() {
  *alive_ = false;
  if (!thread_ || changes_.empty()) return;
  thread_->Post([this] {
    if (absl::Status status = file_->Write(changes_); !status.ok()) {
      spdlog::warn("the newest responses are not kept: {}", Words(status));
    }
  });
}

absl::Status ResponseMemory::Open(const std::string& directory) {
  const absl::StatusOr<std::string> path = ResolveDatabasePath(directory + "/responses.db");
  if (!path.ok()) return path.status();
  if (absl::Status status = MakeParentDirectories(*path); !status.ok()) return status;
  absl::StatusOr<LockFile> lock = LockFile::Acquire(*path + ".lock", "quota_service");
  if (!lock.ok()) return lock.status();
  lock_.emplace(*std::move(lock));
  absl::Status loaded = Load(*path);
  if (!absl::IsDataLoss(loaded)) return loaded;
  spdlog::warn("{} was damaged and is begun anew; {}.damaged is what was found ({})", *path, *path, Words(loaded));
  file_.reset();
  index_ = ResponseIndex(bounds_);
  if (absl::Status status = SetDatabaseAside(*path); !status.ok()) return status;
  return Load(*path);
}

absl::Status ResponseMemory::Load(const std::string& path) {
  absl::StatusOr<ResponseFile> file = ResponseFile::Open(path);
  if (!file.ok()) return file.status();
  file_.emplace(*std::move(file));
  const WallTime now = loop_.WallNow();
  ResponseChanges changes;
  absl::Status status = file_->Load([&](ResponseKey key, KnownResponse response) {
    if (now - response.made >= bounds_.lifetime) {
      changes[std::move(key)] = std::nullopt;
      return;
    }
    for (ResponseKey& one : index_.Remember(std::move(key), std::move(response)))
      changes[std::move(one)] = std::nullopt;
  });
  if (!status.ok() || changes.empty()) return status;
  return file_->Write(changes);
}

void ResponseMemory::Remember(ResponseKey key, KnownResponse response) {
  if (thread_) changes_[key] = response;
  for (ResponseKey& forgotten : index_.Remember(std::move(key), std::move(response))) {
    if (thread_) changes_[std::move(forgotten)] = std::nullopt;
  }
  if (thread_ && !armed_ && !writing_) ArmWrite(kGather);
}

ResponseIndex::Found ResponseMemory::Find(const std::string& id, const std::string& tenant) const {
  return index_.Find(id, tenant, loop_.WallNow());
}

void ResponseMemory::ArmWrite(Duration after) {
  armed_ = true;
  timer_->ArmAt(loop_.Now() + after, [this] { Write(); });
}

void ResponseMemory::Write() {
  armed_ = false;
  writing_ = std::make_shared<const ResponseChanges>(std::exchange(changes_, {}));
  thread_->Post([this, changes = writing_] {
    absl::Status status = file_->Write(*changes);
    loop_.Post([this, alive = alive_, status = std::move(status)] {
      if (*alive) OnWritten(status);
    });
  });
}

void ResponseMemory::OnWritten(const absl::Status& status) {
  const auto written = std::exchange(writing_, nullptr);
  if (status.ok()) {
    if (std::exchange(failing_, false)) spdlog::info("responses are kept again");
    if (!changes_.empty()) ArmWrite(kGather);
    return;
  }
  if (!std::exchange(failing_, true)) spdlog::warn("the newest responses are not kept: {}", Words(status));
  // Newer changes win. No more than the index itself is kept for another try.
  if (changes_.size() < bounds_.responses) changes_.insert(written->begin(), written->end());
  ArmWrite(kAgain);
}

}  // namespace holdfast::quota
