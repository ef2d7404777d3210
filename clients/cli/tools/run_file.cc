#include "clients/cli/tools/run_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <system_error>

#include "clients/cli/tools/file_io.h"
#include "clients/cli/tools/text_digest.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;
using End = ShellResult::End;

// Of the largest result: 64 KiB of output, and some for the lines.
constexpr off_t kRoom = 128 * 1024;
constexpr size_t kMostBytes = 1024 * 1024;

struct EndName {
  End end;
  const char* name;
};
constexpr EndName kEnds[] = {{End::kExited, "exited"},
                             {End::kSignalled, "signalled"},
                             {End::kTimedOut, "timed_out"},
                             {End::kCancelled, "cancelled"}};

int64_t IntegerOf(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->as_int64() : -1;
}

std::string TextOf(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string().data(), value->as_string().size())
                                                : std::string();
}

bool FlagOf(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

std::optional<End> EndOf(const std::string& name) {
  for (const EndName& one : kEnds) {
    if (name == one.name) return one.end;
  }
  return std::nullopt;
}

// Nothing where the bytes are not all there, or not these.
std::optional<ShellResult> ResultOf(const json::object& line, std::string_view rest) {
  const std::optional<End> end = EndOf(TextOf(line, "end"));
  const int64_t bytes = IntegerOf(line, "bytes");
  if (!end || bytes < 0 || static_cast<size_t>(bytes) > rest.size()) return std::nullopt;
  const std::string_view output = rest.substr(0, static_cast<size_t>(bytes));
  if (TextDigest(output) != TextOf(line, "digest")) return std::nullopt;
  return ShellResult{.end = *end,
                     .code = static_cast<int>(IntegerOf(line, "code")),
                     .duration = std::chrono::milliseconds(IntegerOf(line, "milliseconds")),
                     .left_in_background = FlagOf(line, "background"),
                     .output = RepairUtf8(output)};
}

// -1: no number that a process of ours can have. To send a signal to the group of 1 would be to send it to everything.
pid_t ProcessOf(const json::object& line, const char* name) {
  const int64_t number = IntegerOf(line, name);
  return number > 1 && number <= std::numeric_limits<pid_t>::max() ? static_cast<pid_t>(number) : -1;
}

std::string BootId(const std::string& proc = "/proc") {
  std::string boot;
  std::ifstream(proc + "/sys/kernel/random/boot_id") >> boot;
  return boot;
}

absl::Status SyncFolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && ::fsync(fd.get()) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be synced", folder));
}

}  // namespace

absl::StatusOr<RunFile> RunFile::Create(const std::string& path, const RunOrder& order) {
  // Under another name until it is whole: a file under its own name has an order and had a lock.
  const std::string staged = path + ".new";
  UniqueFd fd(::open(staged.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be made", staged));
  RunFile file(std::move(fd), path);
  const absl::StatusOr<bool> locked = file.TryLock();
  if (!locked.ok()) return locked.status();
  if (!*locked) return absl::FailedPreconditionError(fmt::format("{}: is in use by another process", staged));
  // Only where the file system can; where it cannot, a full disk shows when the result is written.
  if (::fallocate(file.fd(), FALLOC_FL_KEEP_SIZE, 0, kRoom) != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
    return absl::ErrnoToStatus(errno, fmt::format("{}: no room for a command's output", path));
  absl::Status status = file.Append(
      json::serialize(json::object{{"command", order.command}, {"timeout_ms", order.timeout.count()}}) + "\n");
  if (status.ok() && ::rename(staged.c_str(), path.c_str()) != 0)
    status = absl::ErrnoToStatus(errno, fmt::format("{}: cannot be made", path));
  if (status.ok()) status = SyncFolderOf(path);
  if (!status.ok()) return status;
  return file;
}

absl::StatusOr<RunFile> RunFile::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be opened", path));
  return RunFile(std::move(fd), path);
}

absl::StatusOr<bool> RunFile::TryLock() {
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return absl::ErrnoToStatus(errno, fmt::format("{}: cannot be locked", path_));
}

absl::StatusOr<RunRecord> RunFile::Read() const {
  const absl::StatusOr<std::string> text = ReadRange(fd_.get(), 0, kMostBytes, path_);
  if (!text.ok()) return text.status();
  RunRecord record;
  std::string_view rest = *text;
  for (bool first = true;; first = false) {
    const size_t end = rest.find('\n');
    boost::system::error_code error;
    json::value value = end == std::string_view::npos ? json::value() : json::parse(rest.substr(0, end), error);
    if (error || !value.is_object()) {
      if (first) return absl::DataLossError(fmt::format("{}: is no record of a command", path_));
      return record;
    }
    rest.remove_prefix(end + 1);
    const json::object& line = value.as_object();
    if (first) {
      record.order = {TextOf(line, "command"), std::chrono::milliseconds(IntegerOf(line, "timeout_ms"))};
    } else if (FlagOf(line, "begun")) {
      record.begun = true;
      record.runner = ProcessOf(line, "runner");
      record.command = ProcessOf(line, "command");
      record.identity = TextOf(line, "identity");
      record.space = TextOf(line, "space");
    } else if (line.contains("failure")) {
      record.failure = TextOf(line, "failure");
      return record;
    } else {
      record.result = ResultOf(line, rest);
      return record;
    }
  }
}

absl::Status RunFile::RecordBegun(pid_t runner, pid_t command) {
  return Append(json::serialize(json::object{{"begun", true},
                                             {"runner", runner},
                                             {"command", command},
                                             {"identity", ProcessIdentity(command)},
                                             {"space", ProcessSpace()}}) +
                "\n");
}

absl::Status RunFile::RecordResult(const ShellResult& result) {
  const char* end = kEnds[0].name;
  for (const EndName& one : kEnds) {
    if (one.end == result.end) end = one.name;
  }
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(result.duration).count();
  return Append(json::serialize(json::object{{"end", end},
                                             {"code", result.code},
                                             {"milliseconds", milliseconds},
                                             {"background", result.left_in_background},
                                             {"bytes", result.output.size()},
                                             {"digest", TextDigest(result.output)}}) +
                "\n" + result.output);
}

absl::Status RunFile::RecordFailure(const std::string& why) {
  return Append(json::serialize(json::object{{"failure", RepairUtf8(why)}}) + "\n");
}

absl::Status RunFile::Append(const std::string& text) {
  const off_t end = ::lseek(fd_.get(), 0, SEEK_END);
  absl::Status status = end < 0 ? absl::ErrnoToStatus(errno, path_) : WriteAll(fd_.get(), text, path_);
  if (status.ok() && ::fdatasync(fd_.get()) != 0)
    status = absl::ErrnoToStatus(errno, fmt::format("{}: cannot be synced", path_));
  // What is half written must not run together with what comes next.
  if (!status.ok() && end >= 0 && ::ftruncate(fd_.get(), end) != 0) fd_.Close();
  return status;
}

std::string ProcessIdentity(pid_t pid) {
  std::ifstream stat_file(fmt::format("/proc/{}/stat", pid));
  const std::string stat{std::istreambuf_iterator<char>(stat_file), {}};
  // The name, in parentheses, may hold anything; the start time is the 22nd field, the 20th behind it.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(stat.substr(name_end + 1));
  std::string field;
  for (int i = 0; i < 20; ++i) fields >> field;
  return BootId() + " " + field;
}

std::string ProcessSpace(const std::string& proc) {
  std::error_code error;
  const std::filesystem::path space = std::filesystem::read_symlink(proc + "/self/ns/pid", error);
  const std::string boot = BootId(proc);
  return error || boot.empty() ? std::string() : boot + " " + space.string();
}

}  // namespace holdfast::cli
