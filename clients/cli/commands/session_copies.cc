#include "clients/cli/commands/session_copies.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/status/status.h"
#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/put_in_place.h"
#include "clients/cli/commands/session_text.h"
#include "clients/cli/terminal/json_lines.h"
#include "clients/cli/tools/unique_fd.h"

namespace holdfast::cli {
namespace {

constexpr size_t kPieceBytes = 256 * 1024;

std::string ErrorText(const std::string& what, const std::string& file) {
  return fmt::format("{} {}: {}", what, file, std::error_code(errno, std::generic_category()).message());
}

int Finished(const Context& context) {
  if (context.interrupts.pending()) return kExitInterrupted;
  return context.screen.out_failed() ? kExitFailed : kExitDone;
}

int Made(const Context& context, const agent::v1::Session& session, bool as_json) {
  if (as_json) {
    WriteJsonLine(context.screen, SessionJson(session));
  } else {
    context.screen.Out(session.session_id() + "\n");
  }
  return Finished(context);
}

int Numbered(const Context& context, const SessionsCommand& command, const char* what, int64_t sequence,
             const std::string& words) {
  if (command.json) {
    WriteJsonLine(context.screen, {{"session_id", command.session_id}, {what, sequence}});
  } else {
    context.screen.Err(words);
  }
  return Finished(context);
}

int Fork(const Context& context, AgentClient& client, const SessionsCommand& command) {
  agent::v1::ForkSessionRequest request;
  request.set_session_id(command.session_id);
  request.set_at_sequence(command.at);
  request.set_client_key(RandomKey());
  agent::v1::Session session;
  const grpc::Status status = client.ForkSession(request, &session);
  return status.ok() ? Made(context, session, command.json) : Report(context, client, status);
}

int Snapshot(const Context& context, AgentClient& client, const SessionsCommand& command) {
  agent::v1::SnapshotSessionRequest request;
  request.set_session_id(command.session_id);
  request.set_name(command.name);
  agent::v1::SnapshotSessionResponse response;
  const grpc::Status status = client.SnapshotSession(request, &response);
  if (!status.ok()) return Report(context, client, status);
  return Numbered(context, command, "sequence", response.sequence(),
                  fmt::format("snapshot {} is of event {}", command.name, response.sequence()));
}

int Restore(const Context& context, AgentClient& client, const SessionsCommand& command) {
  agent::v1::RestoreSessionRequest request;
  request.set_session_id(command.session_id);
  request.set_client_key(RandomKey());
  if (command.name.empty()) {
    request.set_sequence(command.at);
  } else {
    request.set_name(command.name);
  }
  agent::v1::RestoreSessionResponse response;
  const grpc::Status status = client.RestoreSession(request, &response);
  if (!status.ok()) return Report(context, client, status);
  return Numbered(context, command, "left_at", response.left_at(),
                  fmt::format("restored to event {}; `holdfast sessions restore {} --at {}` undoes it",
                              response.restored_to(), command.session_id, response.left_at()));
}

// Only files are replaced, and only those that the user gave up.
absl::Status MayWrite(const std::string& file, bool force) {
  struct stat there {};
  if (lstat(file.c_str(), &there) != 0) return absl::OkStatus();  // what else is wrong with it shows when it is made
  if (!S_ISREG(there.st_mode))
    return absl::AlreadyExistsError(fmt::format("{} is no file; - writes to standard output", file));
  if (!force)
    return absl::AlreadyExistsError(fmt::format("{} exists; name another file, or replace it with --force", file));
  return absl::OkStatus();
}

bool WriteAll(int fd, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = write(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) done += static_cast<size_t>(count);
  }
  return true;
}

int Export(const Context& context, AgentClient& client, const SessionsCommand& command) {
  if (command.file == "-") {
    return Report(context, client, client.ExportSession(command.session_id, [&](const std::string& bytes) {
      context.screen.Out(bytes);
      return !context.screen.out_failed();
    }));
  }
  if (absl::Status status = MayWrite(command.file, command.force); !status.ok()) {
    context.screen.Err(std::string(status.message()));
    return kExitFailed;
  }
  const std::string partial = fmt::format("{}.{}.partial", command.file, getpid());
  const UniqueFd fd(open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.get() < 0) {
    context.screen.Err(ErrorText("cannot make", partial));
    return kExitFailed;
  }
  bool written = true;
  std::string error;
  const grpc::Status status = client.ExportSession(command.session_id, [&](const std::string& bytes) {
    written = WriteAll(fd.get(), bytes);
    if (!written) error = ErrorText("cannot write", partial);
    return written;
  });
  if (written && status.ok()) {
    written = fsync(fd.get()) == 0;
    if (!written) error = ErrorText("cannot write", partial);
  }
  if (written && status.ok()) {
    const absl::Status placed = PutInPlace(partial, command.file, command.force);
    written = placed.ok();
    if (!written) error = std::string(placed.message());
  }
  if (!written || !status.ok()) unlink(partial.c_str());
  if (!written) {
    context.screen.Err(error);
    return kExitFailed;
  }
  if (status.ok() && command.json)
    WriteJsonLine(context.screen, {{"session_id", command.session_id}, {"file", command.file}});
  if (status.ok() && !command.json) context.screen.Err("exported to " + command.file);
  return Report(context, client, status);
}

int Import(const Context& context, AgentClient& client, const SessionsCommand& command) {
  const UniqueFd fd(command.file == "-" ? dup(STDIN_FILENO) : open(command.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) {
    context.screen.Err(ErrorText("cannot read", command.file));
    return kExitFailed;
  }
  std::string error;
  const auto give = [&](std::string* bytes) {
    bytes->resize(kPieceBytes);
    ssize_t count = 0;
    do {
      count = read(fd.get(), bytes->data(), bytes->size());
    } while (count < 0 && errno == EINTR && !context.interrupts.pending());
    if (count < 0) error = ErrorText("cannot read", command.file);
    bytes->resize(count > 0 ? static_cast<size_t>(count) : 0);
    return count > 0;
  };
  agent::v1::Session session;
  const grpc::Status status = client.ImportSession(give, &session);
  if (!error.empty()) {
    context.screen.Err(error);
    return kExitFailed;
  }
  return status.ok() ? Made(context, session, command.json) : Report(context, client, status);
}

}  // namespace

int Report(const Context& context, const AgentClient& client, const grpc::Status& status) {
  if (context.interrupts.pending()) return kExitInterrupted;
  if (context.screen.out_failed()) return kExitFailed;
  if (status.ok()) return kExitDone;
  context.screen.Err(client.Explain(status));
  return ExitCodeFor(status);
}

int RunCopies(const Context& context, AgentClient& client, const SessionsCommand& command) {
  switch (command.action) {
    case SessionsCommand::Action::kFork:
      return Fork(context, client, command);
    case SessionsCommand::Action::kSnapshot:
      return Snapshot(context, client, command);
    case SessionsCommand::Action::kRestore:
      return Restore(context, client, command);
    case SessionsCommand::Action::kExport:
      return Export(context, client, command);
    default:
      return Import(context, client, command);
  }
}

}  // namespace holdfast::cli
