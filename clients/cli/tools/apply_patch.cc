#include "clients/cli/tools/apply_patch.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdint>
#include <set>
#include <utility>

#include "clients/cli/tools/file_io.h"
#include "clients/cli/tools/patch_match.h"
#include "clients/cli/tools/printable.h"
#include "clients/cli/tools/staged_file.h"
#include "clients/cli/tools/text_digest.h"

namespace holdfast::cli {
namespace {

constexpr size_t kMaxFile = 16 * 1024 * 1024;
constexpr char kAbsent[] = "absent";
constexpr char kPresent[] = "present";

struct OldFile {
  struct stat info = {};
  std::string text;
};

absl::StatusOr<OldFile> ReadOld(const Workspace& workspace, const ResolvedPath& path) {
  const absl::StatusOr<UniqueFd> fd = workspace.OpenPath(path, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) return fd.status();
  const std::string shown = Printable(path.relative);
  const absl::StatusOr<struct stat> info = StatRegular(fd->get(), shown);
  if (!info.ok()) return info.status();
  absl::StatusOr<std::string> text = ReadRange(fd->get(), 0, kMaxFile + 1, shown);
  if (!text.ok()) return text.status();
  if (text->size() > kMaxFile) {
    return absl::InvalidArgumentError(
        fmt::format("{}: larger than {} MiB, too large for a patch", shown, kMaxFile >> 20));
  }
  return OldFile{.info = *info, .text = *std::move(text)};
}

class Planner {
 public:
  explicit Planner(const Workspace& workspace) : workspace_(workspace) {}

  absl::Status Add(const FileChange& file) {
    absl::StatusOr<ResolvedPath> target = Free(file.path, "use \"*** Update File:\" to change it");
    if (!target.ok()) return target.status();
    PlannedChange change{.kind = file.kind, .source = *target, .target = *target, .content = file.content};
    change.staged = StagedName();
    plan_.transitions.push_back({target->relative, kAbsent, TextDigest(file.content), change.staged});
    for (const char c : file.content) change.added += c == '\n' ? 1 : 0;
    plan_.changes.push_back(std::move(change));
    return absl::OkStatus();
  }

  absl::Status Delete(const FileChange& file) {
    absl::StatusOr<ResolvedPath> target = Taken(file.path, Access::kRemove);
    if (!target.ok()) return target.status();
    if (!target->is_link) {
      const absl::StatusOr<UniqueFd> fd = workspace_.OpenPath(*target, O_PATH);
      if (!fd.ok()) return fd.status();
      const absl::StatusOr<struct stat> info = StatRegular(fd->get(), Printable(file.path));
      if (!info.ok()) return info.status();
    }
    plan_.transitions.push_back({target->relative, kPresent, kAbsent});
    plan_.changes.push_back({.kind = file.kind, .source = *target, .target = *target, .content = {}});
    return absl::OkStatus();
  }

  absl::Status Update(const FileChange& file) {
    absl::StatusOr<ResolvedPath> source = Taken(file.path, Access::kWrite);
    if (!source.ok()) return source.status();
    absl::StatusOr<OldFile> old = ReadOld(workspace_, *source);
    if (!old.ok()) return old.status();
    absl::StatusOr<PatchedText> patched = ApplyHunks(file.path, old->text, file.hunks);
    if (!patched.ok()) return patched.status();
    PlannedChange change{.kind = file.kind, .source = *source, .target = *source, .content = std::move(patched->text)};
    change.staged = StagedName();
    change.old = old->info;
    change.added = patched->added;
    change.removed = patched->removed;
    if (!file.move_to.empty()) {
      const absl::StatusOr<ResolvedPath> named = workspace_.Resolve(file.path, Access::kRemove);
      if (!named.ok()) return named.status();
      if (named->is_link) {
        return absl::InvalidArgumentError(
            fmt::format("{}: a symbolic link is not moved; move its target", Printable(file.path)));
      }
      absl::StatusOr<ResolvedPath> target = Free(file.move_to, "choose another destination or delete it first");
      if (!target.ok()) return target.status();
      change.target = *std::move(target);
      plan_.transitions.push_back({change.source.relative, TextDigest(old->text), kAbsent});
      plan_.transitions.push_back({change.target.relative, kAbsent, TextDigest(change.content), change.staged});
    } else {
      plan_.transitions.push_back(
          {change.source.relative, TextDigest(old->text), TextDigest(change.content), change.staged});
    }
    plan_.changes.push_back(std::move(change));
    return absl::OkStatus();
  }

  absl::StatusOr<PatchPlan> Take() {
    for (const std::string& path : named_) {
      const auto inner = named_.lower_bound(path + "/");
      if (inner != named_.end() && inner->substr(0, path.size() + 1) == path + "/") {
        return absl::InvalidArgumentError(
            fmt::format("{}: used as a file, and as the folder of {}", Printable(path), Printable(*inner)));
      }
    }
    return std::move(plan_);
  }

 private:
  absl::StatusOr<ResolvedPath> Once(std::string_view path, Access access) {
    absl::StatusOr<ResolvedPath> resolved = workspace_.Resolve(path, access);
    if (resolved.ok() && !named_.insert(resolved->relative).second) {
      return absl::InvalidArgumentError(
          fmt::format("{}: named twice; put all hunks of a file under one header", Printable(path)));
    }
    return resolved;
  }

  absl::StatusOr<ResolvedPath> Taken(std::string_view path, Access access) {
    absl::StatusOr<ResolvedPath> resolved = Once(path, access);
    if (resolved.ok() && !resolved->exists)
      return absl::NotFoundError(fmt::format("{}: does not exist", Printable(path)));
    return resolved;
  }

  absl::StatusOr<ResolvedPath> Free(std::string_view path, std::string_view remedy) {
    absl::StatusOr<ResolvedPath> resolved = Once(path, Access::kWrite);
    if (resolved.ok() && resolved->exists) {
      return absl::AlreadyExistsError(fmt::format("{}: exists already; {}", Printable(path), remedy));
    }
    return resolved;
  }

  const Workspace& workspace_;
  std::set<std::string> named_;
  PatchPlan plan_;
};

std::string SummaryOf(const PlannedChange& change) {
  const std::string source = Printable(change.source.relative);
  switch (change.kind) {
    case FileChange::Kind::kAdd:
      return fmt::format("A {} (+{})", source, change.added);
    case FileChange::Kind::kDelete:
      return fmt::format("D {}", source);
    case FileChange::Kind::kUpdate:
      break;
  }
  const std::string to = change.moves() ? fmt::format(" → {}", Printable(change.target.relative)) : "";
  return fmt::format("M {}{} (+{} −{})", source, to, change.added, change.removed);
}

absl::Status Midway(const absl::Status& cause, const std::string& done) {
  const std::string what = done.empty()
                               ? std::string("No file was changed.")
                               : fmt::format("These files were changed before that, the others were not:\n{}", done);
  return absl::Status(cause.code(), fmt::format("{}\n{}", std::string(cause.message()), what));
}

std::string StateOf(const Workspace& workspace, const FileTransition& transition) {
  const absl::StatusOr<ResolvedPath> path = workspace.Resolve(transition.path, Access::kRemove);
  if (!path.ok()) return std::string(path.status().message());
  if (!path->exists) return kAbsent;
  if (transition.before == kPresent) return kPresent;
  const absl::StatusOr<OldFile> old = ReadOld(workspace, *path);
  return old.ok() ? TextDigest(old->text) : std::string(old.status().message());
}

}  // namespace

absl::StatusOr<PatchPlan> PlanPatch(const Workspace& workspace, const Patch& patch) {
  Planner planner(workspace);
  for (const FileChange& file : patch.files) {
    absl::Status status;
    switch (file.kind) {
      case FileChange::Kind::kAdd:
        status = planner.Add(file);
        break;
      case FileChange::Kind::kDelete:
        status = planner.Delete(file);
        break;
      case FileChange::Kind::kUpdate:
        status = planner.Update(file);
        break;
    }
    if (!status.ok()) return status;
  }
  return planner.Take();
}

absl::StatusOr<std::string> WritePatch(const Workspace& workspace, const PatchPlan& plan) {
  std::vector<StagedFile> staged;
  for (const PlannedChange& change : plan.changes) {
    if (change.kind == FileChange::Kind::kDelete) continue;
    const bool updates = change.kind == FileChange::Kind::kUpdate;
    absl::StatusOr<StagedFile> file = StagedFile::Create(workspace, change.target, change.staged, change.content,
                                                         updates ? &change.old : nullptr, updates && !change.moves());
    if (!file.ok()) return Midway(file.status(), "");
    staged.push_back(*std::move(file));
  }
  std::string done;
  size_t next = 0;
  for (const PlannedChange& change : plan.changes) {
    absl::Status status;
    if (change.kind != FileChange::Kind::kDelete) status = staged[next++].Commit();
    if (status.ok() && change.moves()) {
      status = RemoveFile(workspace, change.source);
      if (!status.ok()) done += fmt::format("A {} (copied only)\n", Printable(change.target.relative));
    }
    if (status.ok() && change.kind == FileChange::Kind::kDelete) status = RemoveFile(workspace, change.source);
    if (!status.ok()) return Midway(status, done);
    done += SummaryOf(change) + "\n";
  }
  return done;
}

void RemoveStaged(const Workspace& workspace, const std::vector<FileTransition>& transitions) {
  for (const FileTransition& transition : transitions) {
    if (transition.staged.empty()) continue;
    const absl::StatusOr<ResolvedPath> path = workspace.Resolve(transition.path, Access::kRemove);
    if (path.ok()) StagedFile::Remove(workspace, *path, transition.staged);
  }
}

absl::StatusOr<std::string> ApplyPatch(const Workspace& workspace, std::string_view text) {
  const absl::StatusOr<Patch> patch = ParsePatch(text);
  if (!patch.ok()) return patch.status();
  const absl::StatusOr<PatchPlan> plan = PlanPatch(workspace, *patch);
  if (!plan.ok()) return plan.status();
  return WritePatch(workspace, *plan);
}

PatchInspection InspectPatch(const Workspace& workspace, const std::vector<FileTransition>& transitions) {
  bool nothing = !transitions.empty();
  bool complete = nothing;
  PatchInspection result;
  for (const FileTransition& transition : transitions) {
    const std::string state = StateOf(workspace, transition);
    const bool before = state == transition.before;
    const bool after = state == transition.after;
    nothing = nothing && before;
    complete = complete && after;
    const char* text = after ? "changed as asked" : before ? "not changed" : "neither as before nor as asked";
    result.report += fmt::format("{}: {}\n", Printable(transition.path), text);
  }
  result.progress = complete ? PatchProgress::kComplete : nothing ? PatchProgress::kNothing : PatchProgress::kUnclear;
  return result;
}

}  // namespace holdfast::cli
