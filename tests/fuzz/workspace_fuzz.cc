// Patches with hostile paths on a real workspace, with links that lead out of it. Nothing outside changes, nothing in
// `.git` either; a patch that is refused changes nothing, and one that is carried out is complete.
#include <filesystem>
#include <map>
#include <string>

#include "clients/cli/tools/apply_patch.h"
#include "tests/clients/cli/tools/temporary_folder.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
using fuzz::Check;

// Every path under `folder` but its own, with what is there.
std::map<std::string, std::string> Snapshot(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    std::string& content = files[entry.path().lexically_relative(folder)];
    if (entry.is_symlink()) {
      content = "link to " + fs::read_symlink(entry.path()).string();
    } else {
      content = entry.is_directory() ? "folder" : "file: " + TemporaryFolder::Read(entry.path());
    }
  }
  return files;
}

// The same files for every input.
void Furnish(const TemporaryFolder& folder) {
  std::error_code ignored;
  fs::remove_all(folder.ws(), ignored);
  TemporaryFolder::Write(folder.ws("a.txt"), "one\ntwo\nthree\n");
  TemporaryFolder::Write(folder.ws("b/c.txt"), "x\r\ny\r\n");
  TemporaryFolder::Write(folder.ws(".git/config"), "[core]\n");
  fs::create_directory_symlink(folder.path() / "outside", folder.ws("out"));
  fs::create_symlink("../outside/o.txt", folder.ws("o"));
  fs::create_symlink("a.txt", folder.ws("l"));
  fs::create_symlink("loop", folder.ws("loop"));
}

void Test(fuzz::Input input) {
  static const TemporaryFolder folder;
  static std::map<std::string, std::string> outside;
  static std::map<std::string, std::string> furnished;
  static bool dirty = true;
  if (outside.empty()) {
    TemporaryFolder::Write(folder.outside("o.txt"), "not yours\n");
    outside = Snapshot(folder.path() / "outside");
  }
  if (dirty) {
    Furnish(folder);
    furnished = Snapshot(folder.ws());
    dirty = false;
  }
  const bool walk = input.Byte() % 2 != 0;
  const auto patch = ParsePatch(input.Rest());
  if (!patch.ok()) return;

  const Workspace workspace = folder.Open(walk ? Workspace::Opening::kWalk : Workspace::Opening::kKernel);
  const auto plan = PlanPatch(workspace, *patch);
  Check(Snapshot(folder.ws()) == furnished, "planning changes nothing");
  if (!plan.ok()) {
    Check(!plan.status().message().empty(), "a refusal says why");
    return;
  }
  dirty = true;
  const PatchInspection before = InspectPatch(workspace, plan->transitions);
  const auto written = WritePatch(workspace, *plan);
  auto after = Snapshot(folder.ws());
  Check(Snapshot(folder.path() / "outside") == outside, "nothing outside of the workspace changes");
  Check(after[".git/config"] == furnished[".git/config"], "nothing in .git changes");
  if (!written.ok()) return;

  const PatchInspection inspection = InspectPatch(workspace, plan->transitions);
  Check(inspection.progress == PatchProgress::kComplete,
        "a patch that was carried out is complete:\n" + inspection.report);
  bool changes = false;
  for (const FileTransition& transition : plan->transitions) changes = changes || transition.before != transition.after;
  if (changes) Check(before.progress != PatchProgress::kComplete, "and was not so before");
  for (const PlannedChange& change : plan->changes) {
    if (change.kind == FileChange::Kind::kDelete || change.moves()) {
      Check(!after.contains(change.source.relative), "what is deleted or moved is gone");
    }
    if (change.kind != FileChange::Kind::kDelete) {
      Check(after[change.target.relative] == "file: " + change.content, "what is written is there");
    }
  }
  const auto touched = plan->transitions.size();
  size_t different = 0;
  for (const auto& [path, content] : furnished) {
    const auto now = after.find(path);
    different += content.starts_with("file: ") && (now == after.end() || now->second != content) ? 1 : 0;
  }
  Check(different <= touched, "no file changes that the patch does not name");
}

}  // namespace
}  // namespace holdfast::cli

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::cli::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
