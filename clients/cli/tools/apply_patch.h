#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/tools/patch_parser.h"
#include "clients/cli/tools/workspace.h"

namespace holdfast::cli {

// What a patch makes of one path. The states are digests of the content, "absent", or "present" (any content).
struct FileTransition {
  std::string path;  // relative to the root, resolved
  std::string before;
  std::string after;
  std::string staged = {};  // the name, beside `path`, under which its new content waits; empty: it has none
};

// One file of a patch, checked against the workspace: every hunk has its place, and `content` is what the file will
// hold.
struct PlannedChange {
  FileChange::Kind kind = FileChange::Kind::kAdd;
  ResolvedPath source;
  ResolvedPath target;      // differs from `source` in a move
  std::string content;      // kAdd, kUpdate
  std::string staged = {};  // kAdd, kUpdate: the temporary name of `content`, in the folder of `target`
  struct stat old = {};     // kUpdate
  int added = 0;
  int removed = 0;

  bool moves() const { return kind == FileChange::Kind::kUpdate && source.relative != target.relative; }
};

struct PatchPlan {
  std::vector<PlannedChange> changes;
  std::vector<FileTransition> transitions;
};

// Checks every file and hunk of `patch`; writes nothing. Added files and destinations of moves must not exist, no file
// may be named twice, no file may be larger than 16 MiB. The error names the file and what is wrong.
absl::StatusOr<PatchPlan> PlanPatch(const Workspace& workspace, const Patch& patch);

// Carries the plan out. All new content is on disk, under temporary names, before the first file changes. Returns a
// summary, a line per file. An error says exactly which files were changed before it.
absl::StatusOr<std::string> WritePatch(const Workspace& workspace, const PatchPlan& plan);

// Removes what an interrupted WritePatch has left under temporary names.
void RemoveStaged(const Workspace& workspace, const std::vector<FileTransition>& transitions);

// ParsePatch, PlanPatch, WritePatch.
absl::StatusOr<std::string> ApplyPatch(const Workspace& workspace, std::string_view text);

enum class PatchProgress {
  kNothing,   // every file is in its state before
  kComplete,  // every file is in its state after
  kUnclear,   // some here, some there, or changed by somebody else
};

struct PatchInspection {
  PatchProgress progress = PatchProgress::kUnclear;
  std::string report;  // a line per file
};

// How far a patch came whose outcome is not known, by content.
PatchInspection InspectPatch(const Workspace& workspace, const std::vector<FileTransition>& transitions);

}  // namespace holdfast::cli
