#include "agent_service/salvage/salvage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "agent_service/host/log_row.h"
#include "agent_service/session/session_state.h"
#include "agent_service/session/timestamp.h"
#include "agent_service/store/damaged_file.h"
#include "agent_service/store/row_check.h"
#include "agent_service/store/schema.h"
#include "agent_service/store/session_writer.h"
#include "common/sqlite/database_files.h"
#include "common/sqlite/lock_file.h"
#include "common/sqlite/sqlite.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kBusyTimeout{1};

using Key = std::pair<std::string, std::string>;

struct Found {
  std::map<int64_t, LogRow> events;  // those that are whole
  int64_t known = 0;                 // the highest sequence that anything names
  int64_t generation = 0;
  bool listed = false;  // in the table of sessions
};

absl::Status Failed(const char* what, const std::string& path, const std::error_code& error) {
  return absl::UnavailableError(
      fmt::format("cannot {} {}: {}; {}", what, path, error.message(), RemedyFor(error.value())));
}

// A file's bytes, without reading them all into memory.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0) {
      size_ = static_cast<size_t>(info.st_size);
      bytes_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
      if (bytes_ == MAP_FAILED) bytes_ = nullptr;
    }
    if (fd >= 0) close(fd);
  }
  ~MappedFile() {
    if (bytes_ != nullptr) munmap(bytes_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const {
    return bytes_ == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(bytes_), size_);
  }

 private:
  void* bytes_ = nullptr;
  size_t size_ = 0;
};

// A copy with everything that was committed in the file itself: SQLite copies whole pages, whatever is in them.
absl::Status CopyWithLog(const std::string& path, const std::string& copy, bool* log_unread) {
  std::error_code error;
  fs::copy_file(path, copy, fs::copy_options::overwrite_existing, error);
  if (error) return Failed("copy to", copy, error);
  if (!fs::exists(path + "-wal", error) || fs::file_size(path + "-wal", error) == 0) return absl::OkStatus();
  fs::copy_file(path + "-wal", copy + "-wal", fs::copy_options::overwrite_existing, error);
  if (error) return Failed("copy to", copy + "-wal", error);
  auto connection = sqlite::Connection::Open(copy, sqlite::Connection::Mode::kReadWrite, kBusyTimeout);
  *log_unread = !connection.ok() || !connection->QueryInt("PRAGMA wal_checkpoint(TRUNCATE)").ok();
  return absl::OkStatus();
}

void RemoveDatabase(const std::string& path) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path + suffix, ignored);
}

bool IsWhole(const FoundEvent& found) {
  if (found.check && *found.check != RowCheck(found.tenant, found.session_id, found.row.sequence, found.row))
    return false;
  return found.row.sequence > 0 && EventOfRow(found.row).ok();
}

std::map<Key, Found> Sort(FoundRows rows) {
  std::map<Key, Found> sessions;
  for (const FoundSession& session : rows.sessions) {
    Found& found = sessions[{session.tenant, session.session_id}];
    found.listed = true;
    found.known = std::max(found.known, session.last_sequence);
    found.generation = std::max(found.generation, session.generation);
  }
  for (FoundEvent& event : rows.events) {
    if (!IsWhole(event)) continue;
    Found& found = sessions[{event.tenant, event.session_id}];
    const int64_t sequence = event.row.sequence;
    found.known = std::max(found.known, sequence);
    found.events.emplace(sequence, std::move(event.row));
  }
  if (!rows.free_pages_known) std::erase_if(sessions, [](const auto& entry) { return !entry.second.listed; });
  return sessions;
}

// The session's row and log in the new database. False: no event of it can be read.
absl::StatusOr<bool> Write(const Key& key, Found& found, SessionWriter& writer, SalvageReport* report) {
  AppendRequest append;
  SessionState state;
  for (auto& [sequence, row] : found.events) {
    if (sequence != state.last_sequence() + 1) break;
    const absl::StatusOr<v1::SessionEvent> event = EventOfRow(row);
    if (!event.ok() || (sequence == 1 && !event->has_session_created())) break;
    state.Apply(*event);
    append.events.push_back(std::move(row));
  }
  const auto kept = static_cast<int64_t>(append.events.size());
  if (kept < found.known) report->losses.push_back({key.first, key.second, kept, found.known});
  if (kept == 0) return false;
  if (kept < found.known) {
    v1::SessionEvent lost;
    lost.mutable_session_salvaged()->set_known_sequence(found.known);
    const WallTime now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    append.events.push_back(RowOfEvent(lost, now));
    append.events.back().sequence = kept + 1;
    state.Apply(*EventOfRow(append.events.back()));
  }
  v1::Session summary = state.Summary();
  summary.set_session_id(key.second);
  append.session = RowOfSession(key.first, summary, state.turn() != nullptr || state.compaction() != nullptr);
  append.generation = found.generation;
  ++report->sessions;
  report->events += kept;
  if (absl::Status status = writer.Append(append); !status.ok()) return status;
  return true;
}

absl::Status WriteAll(std::map<Key, Found> sessions, const std::string& path, SalvageReport* report) {
  if (absl::Status status = MakeDatabaseFile(path); !status.ok()) return status;
  auto connection = sqlite::Connection::Open(path, sqlite::Connection::Mode::kReadWrite, kBusyTimeout);
  if (!connection.ok()) return connection.status();
  const auto never = [] { return false; };
  if (absl::Status status = Migrate(*connection, SchemaMigrations(), never); !status.ok()) return status;
  auto writer = SessionWriter::Create(*connection);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = connection->BeginImmediate(never); !status.ok()) return status;
  int64_t generation = 0;
  for (auto& [key, found] : sessions) {
    generation = std::max(generation, found.generation);
    const absl::StatusOr<bool> written = Write(key, found, *writer, report);
    if (!written.ok()) return written.status();
  }
  if (report->sessions == 0)
    return absl::DataLossError(fmt::format("{}: nothing of a session can be read", report->damaged));
  // Greater than any that wrote into the damaged file, by the next start's counting.
  absl::Status status =
      connection->Execute(fmt::format("UPDATE meta SET value = max(value, {}) WHERE key = 'generation'", generation));
  if (status.ok()) status = connection->Commit(never);
  return status;
}

}  // namespace

bool IsDamage(const absl::Status& opened) { return absl::IsDataLoss(opened) || absl::IsInternal(opened); }

absl::StatusOr<SalvageReport> Salvage(const std::string& given) {
  const absl::StatusOr<std::string> resolved = ResolveDatabasePath(given);
  if (!resolved.ok()) return resolved.status();
  const std::string& path = *resolved;
  const absl::StatusOr<LockFile> lock = LockFile::Acquire(path + ".lock", "agent_service");
  if (!lock.ok()) return lock.status();

  SalvageReport report;
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  report.damaged = fmt::format("{}.damaged-{}", path, now.count());
  const std::string copy = path + ".salvaging";
  const std::string made = path + ".salvaged";
  RemoveDatabase(copy);
  RemoveDatabase(made);
  absl::Status status = CopyWithLog(path, copy, &report.log_unread);
  if (status.ok()) {
    const MappedFile file(copy);
    status = WriteAll(Sort(ScanDatabase(file.bytes())), made, &report);
  }
  RemoveDatabase(copy);
  if (!status.ok()) {
    RemoveDatabase(made);
    return status;
  }
  // The damaged one has its new name before it loses the old one: at no moment is there nothing.
  std::error_code error;
  fs::create_hard_link(path, report.damaged, error);
  if (error) fs::copy_file(path, report.damaged, error);
  if (error) return Failed("keep the damaged database as", report.damaged, error);
  if (fs::exists(path + "-wal", error)) fs::rename(path + "-wal", report.damaged + "-wal", error);
  fs::remove(path + "-shm", error);
  fs::rename(made, path, error);
  if (error) return Failed("put the salvaged database in its place:", path, error);
  return report;
}

std::vector<std::string> Describe(const SalvageReport& report) {
  std::vector<std::string> lines = {fmt::format(
      "the database was damaged; {} events of {} sessions were saved into a new one, and the damaged one is {}",
      report.events, report.sessions, report.damaged)};
  if (report.log_unread) lines.push_back("its write-ahead log could not be read: the newest events may be lost");
  for (const Loss& loss : report.losses) {
    lines.push_back(loss.kept == 0 ? fmt::format("lost: session {} of tenant {}, all of its {} events", loss.session_id,
                                                 loss.tenant, loss.known)
                                   : fmt::format("lost: session {} of tenant {}, events {} to {}", loss.session_id,
                                                 loss.tenant, loss.kept + 1, loss.known));
  }
  return lines;
}

}  // namespace holdfast::agent
