#include "clients/cli/tools/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "clients/cli/tools/file_io.h"
#include "clients/cli/tools/printable.h"
#include "clients/cli/tools/text_digest.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr size_t kMaxSessionId = 80;  // bytes; three times that, and the suffix, fit a file name

std::string DigestOf(const quota::v1::ToolCall& call) { return TextDigest(call.name() + '\0' + call.arguments()); }

json::object RecordOf(const quota::v1::ToolCall& call, const char* state) {
  return {{"call_id", call.call_id()}, {"state", state}, {"tool", call.name()}, {"digest", DigestOf(call)}};
}

// "" where the member is missing or no string.
std::string StringOf(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string().c_str(), value->as_string().size())
                                                : std::string();
}

absl::StatusOr<json::object> ParseLine(const std::string& line) {
  boost::system::error_code error;
  json::value value = json::parse(line, error);
  if (error || !value.is_object()) return absl::DataLossError("not a JSON object");
  return std::move(value.as_object());
}

// The name of a file and no path; anything else is none.
std::string RunOf(const json::object& object) {
  std::string run = StringOf(object, "run");
  const bool plain = std::all_of(run.begin(), run.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  return plain ? run : std::string();
}

JournalEntry EntryOf(const json::object& object, JournalEntry::State state) {
  JournalEntry entry{.state = state, .outcome = {.output = StringOf(object, "output")}, .transitions = {}, .run = {}};
  if (const json::value* flag = object.if_contains("is_error"))
    entry.outcome.is_error = flag->is_bool() && flag->as_bool();
  entry.run = RunOf(object);
  if (const json::value* files = object.if_contains("files"); files != nullptr && files->is_array()) {
    for (const json::value& file : files->as_array()) {
      if (!file.is_object()) continue;
      const json::object& one = file.as_object();
      entry.transitions.push_back(
          {StringOf(one, "path"), StringOf(one, "before"), StringOf(one, "after"), StringOf(one, "staged")});
    }
  }
  return entry;
}

absl::Status SyncFolder(const std::string& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0)
    return Journal::WithRemedy(absl::ErrnoToStatus(errno, fmt::format("journal folder {}", folder)));
  return absl::OkStatus();
}

}  // namespace

Journal::Journal(std::string path, std::string runs, UniqueFd fd)
    : path_(std::move(path)), runs_(std::move(runs)), fd_(std::move(fd)) {}

absl::Status Journal::WithRemedy(const absl::Status& status) {
  return absl::Status(status.code(),
                      fmt::format("{}; free some space there, or set XDG_STATE_HOME to a folder that can be written",
                                  std::string(status.message())));
}

absl::StatusOr<std::string> Journal::FileName(const std::string& session_id) {
  if (session_id.empty() || session_id.size() > kMaxSessionId) {
    return absl::InvalidArgumentError(
        fmt::format("session id: must have 1 to {} bytes, has {}", kMaxSessionId, session_id.size()));
  }
  std::string name;
  for (const char c : session_id) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
    name += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return name + ".jsonl";
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& folder, const std::string& session_id) {
  const absl::StatusOr<std::string> name = FileName(session_id);
  if (!name.ok()) return name.status();
  std::error_code ignored;  // what went wrong shows in mkdir
  std::filesystem::create_directories(std::filesystem::path(folder).lexically_normal().parent_path(), ignored);
  const std::string runs = folder + "/runs";
  for (const std::string& made : {folder, runs}) {
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST)
      return WithRemedy(absl::ErrnoToStatus(errno, fmt::format("journal folder {}", made)));
  }
  const std::string path = folder + "/" + *name;
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return WithRemedy(absl::ErrnoToStatus(errno, fmt::format("journal {}", path)));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return absl::ErrnoToStatus(errno, fmt::format("journal {}: cannot be locked", path));
    return absl::FailedPreconditionError(
        fmt::format("another holdfast on this machine runs the tools of session {}; end it, or use another session",
                    Printable(session_id)));
  }
  std::unique_ptr<Journal> journal(new Journal(path, runs, std::move(fd)));
  absl::Status status = journal->Load();
  if (status.ok()) status = SyncFolder(folder);
  if (!status.ok()) return status;
  // A client that was killed between the two.
  if (!journal->finished_run_.empty()) ::unlink(journal->RunPath(journal->finished_run_).c_str());
  return journal;
}

absl::Status Journal::Load() {
  constexpr size_t kChunk = 256 * 1024;
  std::string pending;  // the line that has no end yet
  absl::Status bad;     // of the line before, which is tolerated only at the end
  int64_t read_to = 0;
  while (true) {
    const absl::StatusOr<std::string> chunk = ReadRange(fd_.get(), read_to, kChunk, path_);
    if (!chunk.ok()) return chunk.status();
    if (chunk->empty()) break;
    read_to += static_cast<int64_t>(chunk->size());
    std::string_view rest = *chunk;
    for (size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      pending.append(rest.substr(0, end));
      rest.remove_prefix(end + 1);
      if (!bad.ok()) return bad;
      bad = Index(pending, size_);
      if (bad.ok()) size_ += static_cast<int64_t>(pending.size()) + 1;
      pending.clear();
    }
    pending.append(rest);
  }
  if (!bad.ok() && !pending.empty()) return bad;
  if (read_to == size_) return absl::OkStatus();
  // Nobody was told that the torn line is durable.
  if (::ftruncate(fd_.get(), size_) == 0 && ::fdatasync(fd_.get()) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, fmt::format("journal {}: its torn last line cannot be removed", path_));
}

absl::Status Journal::Index(const std::string& line, int64_t offset) {
  const absl::StatusOr<json::object> object = ParseLine(line);
  const std::string state = object.ok() ? StringOf(*object, "state") : "";
  if (state != "started" && state != "result") {
    return absl::DataLossError(
        fmt::format("journal {}: the line at byte {} cannot be read; move the file away to go on without "
                    "knowing which tools ran",
                    path_, offset));
  }
  const auto kind = state == "result" ? JournalEntry::State::kResult : JournalEntry::State::kStarted;
  if (kind == JournalEntry::State::kStarted) last_run_ = RunOf(*object);
  finished_run_ = kind == JournalEntry::State::kResult ? last_run_ : std::string();
  last_.insert_or_assign(StringOf(*object, "call_id"),
                         Position{kind, StringOf(*object, "digest"), offset, line.size()});
  return absl::OkStatus();
}

absl::StatusOr<JournalEntry> Journal::Lookup(const quota::v1::ToolCall& call) const {
  const auto found = last_.find(call.call_id());
  if (found == last_.end() || found->second.digest != DigestOf(call)) return JournalEntry{};
  const absl::StatusOr<std::string> line = ReadRange(fd_.get(), found->second.offset, found->second.length, path_);
  if (!line.ok()) return line.status();
  const absl::StatusOr<json::object> object = ParseLine(*line);
  if (!object.ok()) return absl::DataLossError(fmt::format("journal {}: changed by somebody else", path_));
  return EntryOf(*object, found->second.state);
}

absl::Status Journal::RecordStarted(const quota::v1::ToolCall& call, const std::vector<FileTransition>& transitions) {
  json::object record = RecordOf(call, "started");
  if (!transitions.empty()) {
    json::array files;
    for (const FileTransition& one : transitions) {
      json::object file{{"path", one.path}, {"before", one.before}, {"after", one.after}};
      if (!one.staged.empty()) file["staged"] = one.staged;
      files.push_back(std::move(file));
    }
    record["files"] = std::move(files);
  }
  return Append(json::serialize(record));
}

absl::Status Journal::RecordStartedRun(const quota::v1::ToolCall& call, const std::string& run) {
  json::object record = RecordOf(call, "started");
  record["run"] = run;
  return Append(json::serialize(record));
}

absl::Status Journal::RecordResult(const quota::v1::ToolCall& call, const ToolOutcome& outcome) {
  json::object record = RecordOf(call, "result");
  record["output"] = outcome.output;
  record["is_error"] = outcome.is_error;
  return Append(json::serialize(record));
}

absl::Status Journal::Append(const std::string& line) {
  const int64_t offset = size_;
  absl::Status status = WriteAll(fd_.get(), line + "\n", path_);
  if (status.ok() && ::fdatasync(fd_.get()) != 0) {
    status = absl::ErrnoToStatus(errno, fmt::format("journal {}: cannot be synced", path_));
  }
  if (!status.ok()) {
    // What is half written must not run together with what comes next; where it cannot be removed, nothing comes next.
    if (::ftruncate(fd_.get(), offset) != 0) fd_.Close();
    return WithRemedy(status);
  }
  size_ += static_cast<int64_t>(line.size()) + 1;
  return Index(line, offset);
}

}  // namespace holdfast::cli
