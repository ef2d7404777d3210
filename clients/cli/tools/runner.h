#pragma once

namespace holdfast::cli {

// The argument that makes `holdfast` a runner; it is of no use to people, and `--help` does not list it.
inline constexpr char kRunnerArgument[] = "run-command";

// What a runner is given.
inline constexpr int kRunFileFd = 3;  // with its lock
inline constexpr int kFolderFd = 4;   // the working directory

// The process that is responsible for one command, whatever becomes of the client that started it: it writes down that
// the command begins, runs it (RunShell: time-out, whole process group), and writes down how it ended. SIGTERM and
// SIGINT cancel the command. Owns the two descriptors. Returns an exit code: 0 where the end was written down.
int RunAsRunner();

}  // namespace holdfast::cli
