#include "agent_service/salvage/salvage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
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
#include "common/sqlite/mapped_file.h"
#include "common/sqlite/schema.h"
#include "common/sqlite/sqlite.h"
#include "common/sqlite/write_ahead_log.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kBusyTimeout{1};

using Key = std::pair<std::string, std::string>;

struct Found {
  std::map<int64_t, LogRow> events;  // those that are whole
  int64_t known = 0;                 // the highest sequence that anything names
  int64_t generation = 0;
  bool listed = false;    // in the table of sessions
  bool doubtful = false;  // not listed, and its rows may be on free pages
};

using Sessions = std::map<Key, Found>;

absl::Status Failed(const char* what, const std::string& path, const std::error_code& error) {
  return absl::UnavailableError(
      fmt::format("cannot {} {}: {}; {}", what, path, error.message(), RemedyFor(error.value())));
}

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
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(path + suffix, ignored);
}

bool IsWhole(const FoundEvent& found) {
  if (found.check && *found.check != RowCheck(found.tenant, found.session_id, found.row.sequence, found.row))
    return false;
  return found.row.sequence > 0 && EventOfRow(found.row).ok();
}

Sessions Sort(FoundRows rows) {
  Sessions sessions;
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
  for (auto& [key, found] : sessions) found.doubtful = !found.listed && !rows.free_pages_known;
  return sessions;
}

// What the write-ahead log has behind its damage, laid over the pages of `copy`.
absl::Status LayOver(const std::string& copy, const sqlite::LogDamage& damage, bool only_whole) {
  std::error_code error;
  const uintmax_t most = fs::file_size(copy, error) / damage.page_size + damage.frames.size();
  const int fd = open(copy.c_str(), O_WRONLY | O_CLOEXEC);
  int failed = fd < 0 ? errno : error.value();
  for (const sqlite::LogFrame& frame : damage.frames) {
    if (failed != 0) break;
    // A bad one may name any page.
    if ((only_whole && !frame.whole) || frame.page == 0 || frame.page > most) continue;
    const auto at = static_cast<off_t>(frame.page - 1) * static_cast<off_t>(damage.page_size);
    errno = ENOSPC;  // of a write that is short
    if (pwrite(fd, frame.bytes.data(), frame.bytes.size(), at) != static_cast<ssize_t>(frame.bytes.size()))
      failed = errno;
  }
  if (fd >= 0) close(fd);
  if (failed != 0) return Failed("write", copy, std::error_code(failed, std::generic_category()));
  return absl::OkStatus();
}

// Of pages that are not what was written only rows that have a check are believed.
void AddChecked(FoundRows rows, Sessions* sessions) {
  for (FoundEvent& event : rows.events) {
    if (!event.check || !IsWhole(event)) continue;
    Found& found = (*sessions)[{event.tenant, event.session_id}];
    const int64_t sequence = event.row.sequence;
    found.known = std::max(found.known, sequence);
    found.events.emplace(sequence, std::move(event.row));
  }
}

// A page that cannot be read may have had rows that others lost to it; a session that is in none was deleted, and
// events beyond its last one are those of an earlier session of that name.
void AddOlder(Sessions older, Sessions* sessions) {
  for (auto& [key, found] : *sessions) {
    const auto before = older.find(key);
    if (before == older.end()) continue;
    found.generation = std::max(found.generation, before->second.generation);
    for (auto& [sequence, row] : before->second.events) {
      if (sequence <= found.known) found.events.emplace(sequence, std::move(row));
    }
  }
}

// All that can be read of the database and its write-ahead log. `copy` is written meanwhile.
absl::StatusOr<Sessions> ReadDamaged(const std::string& path, const std::string& copy, SalvageReport* report) {
  const auto scan = [&copy] { return ScanDatabase(MappedFile(copy).bytes()); };
  if (absl::Status status = CopyWithLog(path, copy, &report->log_unread); !status.ok()) return status;
  Sessions before = Sort(scan());
  const std::string log = path + "-wal";
  const MappedFile log_file(log);
  const sqlite::LogDamage damage = sqlite::FindLogDamage(log_file.bytes(), sqlite::WrittenSinceBoot(log));
  if (damage.frames.empty()) return before;
  report->log_damaged = true;
  if (absl::Status status = LayOver(copy, damage, true); !status.ok()) return status;
  Sessions sessions = Sort(scan());
  if (absl::Status status = LayOver(copy, damage, false); !status.ok()) return status;
  AddChecked(scan(), &sessions);
  AddOlder(std::move(before), &sessions);
  return sessions;
}

// The session's row and log in the new database. False: no event of it can be read.
absl::StatusOr<bool> Write(const Key& key, Found& found, SessionWriter& writer, SalvageReport* report) {
  if (found.doubtful) {
    report->losses.push_back({key.first, key.second, 0, found.known, true});
    return false;
  }
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
  if (kept < found.known) report->losses.push_back({key.first, key.second, kept, found.known, false});
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
  if (absl::Status status = writer.Append(append, RowChecks(append)); !status.ok()) return status;
  return true;
}

absl::Status WriteAll(Sessions sessions, const std::string& path, SalvageReport* report) {
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

// Complete and durable: only then does it have this name.
std::string Made(const std::string& path, const std::string& time) { return path + ".salvaged-" + time; }
std::string Damaged(const std::string& path, const std::string& time) { return path + ".damaged-" + time; }

std::string FolderOf(const std::string& path) { return fs::path(path).parent_path().string(); }

// The time of a salvage whose database waits to be put in place; empty: there is none.
std::string FindUnfinished(const std::string& path) {
  const std::string prefix = fs::path(Made(path, "")).filename().string();
  std::error_code error;
  for (fs::directory_iterator entry(FolderOf(path), error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const std::string time = name.starts_with(prefix) ? name.substr(prefix.size()) : "";
    if (!time.empty() && time.find_first_not_of("0123456789") == std::string::npos) return time;
  }
  return "";
}

absl::Status WriteDurably(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("write", path, std::error_code(errno, std::generic_category()));
  errno = ENOSPC;  // of a write that is short
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const int failed = written ? 0 : errno;
  close(fd);
  if (failed != 0) return Failed("write", path, std::error_code(failed, std::generic_category()));
  return absl::OkStatus();
}

// Each step may be the last one before a crash; done again from the start it ends what is left.
absl::Status PutInPlace(const std::string& path, const std::string& time) {
  const std::string damaged = Damaged(path, time);
  std::error_code error;
  // The damaged one has its new name before it loses the old one: at no moment is there nothing.
  if (!fs::exists(damaged, error)) {
    fs::create_hard_link(path, damaged, error);
    if (error) {  // not every file system has them
      error.clear();
      fs::copy_file(path, damaged + ".part", fs::copy_options::overwrite_existing, error);
      if (!error) fs::rename(damaged + ".part", damaged, error);
    }
    if (error) return Failed("keep the damaged database as", damaged, error);
  }
  // Before the new database has the name: its write-ahead log this is not.
  if (fs::exists(path + "-wal", error)) {
    fs::rename(path + "-wal", damaged + "-wal", error);
    if (error) return Failed("keep the damaged database's log as", damaged + "-wal", error);
  }
  fs::remove(path + "-shm", error);
  if (error) return Failed("remove", path + "-shm", error);
  if (absl::Status status = SyncDirectory(FolderOf(path)); !status.ok()) return status;
  fs::rename(Made(path, time), path, error);
  if (error) return Failed("put the salvaged database in its place:", path, error);
  sqlite::RemoveCheckMark(path);
  return SyncDirectory(FolderOf(path));
}

}  // namespace

bool IsDamage(const absl::Status& opened) { return absl::IsDataLoss(opened) || absl::IsInternal(opened); }

absl::StatusOr<SalvageReport> Salvage(const std::string& given) {
  const absl::StatusOr<std::string> resolved = ResolveDatabasePath(given);
  if (!resolved.ok()) return resolved.status();
  const std::string& path = *resolved;
  const absl::StatusOr<LockFile> lock = LockFile::Acquire(path + ".lock", "agent_service");
  if (!lock.ok()) return lock.status();

  if (!FindUnfinished(path).empty())
    return absl::FailedPreconditionError(fmt::format("{}: an earlier salvage was not finished; start again", path));

  SalvageReport report;
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  const std::string time = std::to_string(now.count());
  report.damaged = Damaged(path, time);
  const std::string copy = path + ".salvaging";
  const std::string made = path + ".salvaging-new";
  RemoveDatabase(copy);
  RemoveDatabase(made);
  absl::StatusOr<Sessions> sessions = ReadDamaged(path, copy, &report);
  absl::Status status = sessions.ok() ? WriteAll(*std::move(sessions), made, &report) : sessions.status();
  RemoveDatabase(copy);
  if (status.ok()) {
    std::string text;
    for (const std::string& line : Describe(report)) text += line + "\n";
    status = WriteDurably(report.damaged + ".txt", text);
  }
  if (status.ok()) {
    std::error_code error;
    fs::rename(made, Made(path, time), error);
    if (error) status = Failed("name the salvaged database", Made(path, time), error);
  }
  if (!status.ok()) {
    RemoveDatabase(made);
    return status;
  }
  if (status = SyncDirectory(FolderOf(path)); !status.ok()) return status;
  if (status = PutInPlace(path, time); !status.ok()) return status;
  return report;
}

absl::StatusOr<std::vector<std::string>> FinishSalvage(const std::string& given) {
  const absl::StatusOr<std::string> resolved = ResolveDatabasePath(given);
  if (!resolved.ok()) return resolved.status();
  const std::string& path = *resolved;
  std::vector<std::string> lines;
  if (FindUnfinished(path).empty()) return lines;
  const absl::StatusOr<LockFile> lock = LockFile::Acquire(path + ".lock", "agent_service");
  if (!lock.ok()) return lock.status();
  const std::string time = FindUnfinished(path);  // another one may have been faster
  if (time.empty()) return lines;
  if (absl::Status status = PutInPlace(path, time); !status.ok()) return status;
  std::ifstream text(Damaged(path, time) + ".txt");
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> Describe(const SalvageReport& report) {
  std::vector<std::string> lines = {fmt::format(
      "the database was damaged; {} events of {} sessions were saved into a new one, and the damaged one is {}",
      report.events, report.sessions, report.damaged)};
  if (report.log_unread) lines.push_back("its write-ahead log could not be read: the newest events may be lost");
  if (report.log_damaged) lines.push_back("its write-ahead log was damaged, too: what is whole behind that was read");
  for (const Loss& loss : report.losses) {
    if (loss.unlisted) {
      lines.push_back(fmt::format(
          "not saved: session {} of tenant {}, {} events: it is in no list of sessions and may have been deleted",
          loss.session_id, loss.tenant, loss.known));
      continue;
    }
    lines.push_back(loss.kept == 0 ? fmt::format("lost: session {} of tenant {}, all of its {} events", loss.session_id,
                                                 loss.tenant, loss.known)
                                   : fmt::format("lost: session {} of tenant {}, events {} to {}", loss.session_id,
                                                 loss.tenant, loss.kept + 1, loss.known));
  }
  return lines;
}

}  // namespace holdfast::agent
