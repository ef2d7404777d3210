#include "clients/cli/tools/runner.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "clients/cli/tools/run_file.h"

namespace holdfast::cli {
namespace {

std::atomic<const CancelToken*> cancel_token = nullptr;

void OnSignal(int) {
  if (const CancelToken* token = cancel_token.load()) token->Cancel();
}

void TakeSignals(const CancelToken& token) {
  cancel_token.store(&token);
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  for (const int number : {SIGHUP, SIGPIPE, SIGXFSZ}) ::sigaction(number, &action, nullptr);
}

}  // namespace

int RunAsRunner() {
  static const CancelToken cancel;  // signals come until the very end
  TakeSignals(cancel);
  for (const int fd : {kRunFileFd, kFolderFd}) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return 2;
  }
  RunFile file{UniqueFd(kRunFileFd)};
  const UniqueFd folder(kFolderFd);
  const absl::StatusOr<RunRecord> record = file.Read();
  if (!record.ok() || record->begun) return 1;
  const auto before_exec = [&](pid_t command) { return file.RecordBegun(::getpid(), command); };
  const absl::StatusOr<ShellResult> result = RunShell({.command = record->order.command,
                                                       .folder = folder.get(),
                                                       .timeout = record->order.timeout,
                                                       .hidden = {},
                                                       .added = {},
                                                       .cancel = &cancel,
                                                       .before_exec = before_exec});
  const absl::Status recorded =
      result.ok() ? file.RecordResult(*result) : file.RecordFailure(std::string(result.status().message()));
  return recorded.ok() ? 0 : 1;
}

}  // namespace holdfast::cli
