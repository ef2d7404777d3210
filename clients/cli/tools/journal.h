#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/tools/apply_patch.h"
#include "clients/cli/tools/tool_outcome.h"
#include "clients/cli/tools/unique_fd.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

struct JournalEntry {
  enum class State {
    kUnknown,  // never started
    kStarted,  // it may or may not have run
    kResult,
  };
  State state = State::kUnknown;
  ToolOutcome outcome;                      // kResult
  std::vector<FileTransition> transitions;  // kStarted, of a patch
  std::string run;                          // kStarted, of a command under a runner: RunPath(run) tells of it
};

// What this client did with the tool calls of one session: a file of JSON lines, appended to and synced before anything
// relies on it.
//   {"call_id": …, "state": "started", "tool": …, "digest": …, "files": [{"path", "before", "after", "staged"}, …]}
//   {"call_id": …, "state": "started", "tool": …, "digest": …, "run": …}
//   {"call_id": …, "state": "result", "tool": …, "digest": …, "output": …, "is_error": …}
// `digest` is of name and arguments: a call with a known id but other content is another call. One thread.
class Journal {
 public:
  // Opens or makes the session's file in `folder` (0700, made if missing) and locks it. FAILED_PRECONDITION: another
  // process has it. A torn last line is dropped; DATA_LOSS: a line before it cannot be read.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& folder, const std::string& session_id);

  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  absl::StatusOr<JournalEntry> Lookup(const quota::v1::ToolCall& call) const;

  // Durable when they return OK. After an error nothing may be run or submitted that relies on the record.
  absl::Status RecordStarted(const quota::v1::ToolCall& call, const std::vector<FileTransition>& transitions);
  // A command whose file, RunPath(run), is there.
  absl::Status RecordStartedRun(const quota::v1::ToolCall& call, const std::string& run);
  absl::Status RecordResult(const quota::v1::ToolCall& call, const ToolOutcome& outcome);

  // Where a command is told of that runs under a runner: a file in the folder `runs` beside the journal.
  std::string RunPath(const std::string& run) const { return runs_ + "/" + run; }

  // `status`, which tells of a file in the journal's folder, with what to do about it.
  static absl::Status WithRemedy(const absl::Status& status);

  // The file name for a session, or INVALID_ARGUMENT: percent-encoded, so that no id names another file or a path.
  static absl::StatusOr<std::string> FileName(const std::string& session_id);

 private:
  struct Position {
    JournalEntry::State state;
    std::string digest;
    int64_t offset;  // of the line
    size_t length;
  };

  Journal(std::string path, std::string runs, UniqueFd fd);
  absl::Status Load();
  absl::Status Index(const std::string& line, int64_t offset);
  absl::Status Append(const std::string& line);

  std::string path_;
  std::string runs_;  // the folder
  UniqueFd fd_;
  int64_t size_ = 0;
  std::string last_run_;                  // of the last command that started
  std::string finished_run_;              // the same, once its result is here: of no use any more
  std::map<std::string, Position> last_;  // by call id; the results stay on disk
};

}  // namespace holdfast::cli
