// Patches as a model may write them, in memory: a patch survives being written, what it makes of a file is accounted
// for line by line, and what is shown of it cannot steer a terminal.
#include <algorithm>
#include <string>
#include <vector>

#include "clients/cli/tools/patch_diff.h"
#include "clients/cli/tools/patch_match.h"
#include "clients/cli/tools/patch_parser.h"
#include "common/base/utf8.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::cli {
namespace {

using fuzz::Check;

bool CanBeShown(std::string_view text) {
  return IsValidUtf8(text) && std::none_of(text.begin(), text.end(), [](unsigned char c) {
           return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
         });
}

std::vector<std::string> LinesOf(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::string Written(const Hunk& hunk) {
  std::string text = hunk.anchors.empty() ? "@@\n" : "";
  for (const std::string& anchor : hunk.anchors) text += "@@ " + anchor + "\n";
  for (const PatchLine& line : hunk.lines) {
    text += line.kind == PatchLine::Kind::kContext ? " " : line.kind == PatchLine::Kind::kRemove ? "-" : "+";
    text += line.text + "\n";
  }
  return text + (hunk.at_end ? "*** End of File\n" : "");
}

std::string Written(const Patch& patch) {
  std::string text = "*** Begin Patch\n";
  for (const FileChange& file : patch.files) {
    switch (file.kind) {
      case FileChange::Kind::kAdd:
        text += "*** Add File: " + file.path + "\n";
        for (const std::string& line : LinesOf(file.content)) text += "+" + line + "\n";
        break;
      case FileChange::Kind::kDelete:
        text += "*** Delete File: " + file.path + "\n";
        break;
      case FileChange::Kind::kUpdate:
        text += "*** Update File: " + file.path + "\n";
        if (!file.move_to.empty()) text += "*** Move to: " + file.move_to + "\n";
        for (const Hunk& hunk : file.hunks) text += Written(hunk);
        break;
    }
  }
  return text + "*** End Patch\n";
}

void CheckApplied(std::string_view old_text, const std::vector<Hunk>& hunks, const PatchedText& patched) {
  const std::vector<std::string> before = LinesOf(old_text);
  std::vector<std::string> after = LinesOf(patched.text);
  int added = 0;
  int removed = 0;
  for (const Hunk& hunk : hunks) {
    for (const PatchLine& line : hunk.lines) {
      added += line.kind == PatchLine::Kind::kAdd ? 1 : 0;
      removed += line.kind == PatchLine::Kind::kRemove ? 1 : 0;
    }
  }
  Check(patched.added == added && patched.removed == removed, "every line of the hunks was used");
  // A last line without a line end that is empty is no line.
  const auto difference = static_cast<long>(after.size()) - static_cast<long>(before.size());
  Check(difference == added - removed || difference == added - removed - 1, "lines after = before + added - removed");
  if (added == 0 && removed == 0) Check(patched.text == old_text, "context alone changes nothing");
  if (!old_text.empty() && old_text.back() == '\n' && !patched.text.empty()) {
    Check(patched.text.back() == '\n', "the last line keeps its end");
  }
  // What is left of the old file is in the new one, in its order and byte by byte, but for the end of the last line.
  size_t kept = 0;
  size_t at = 0;
  for (const std::string& line : before) {
    const auto found =
        std::find_if(after.begin() + static_cast<std::ptrdiff_t>(at), after.end(),
                     [&](const auto& other) { return other == line || other == line + "\r" || other + "\r" == line; });
    if (found == after.end()) continue;
    ++kept;
    at = static_cast<size_t>(found - after.begin()) + 1;
  }
  if (removed == 0) Check(kept == before.size(), "nothing is lost that was not removed");
}

// The old file, a line "----", the patch.
void Test(fuzz::Input input) {
  const std::string old_text(input.TextUntil("----\n"));
  const std::string text(input.Rest());
  const auto patch = ParsePatch(text);
  if (!patch.ok()) {
    Check(patch.status().code() == absl::StatusCode::kInvalidArgument, patch.status().ToString());
    Check(CanBeShown(std::string(patch.status().message())), "an error can be shown");
    Check(patch.status().message().size() < 2048, "an error is short");
    return;
  }
  Check(!patch->files.empty(), "a patch names a file");
  const std::string diff = UnifiedDiff(*patch);
  Check(CanBeShown(diff), "a diff can be shown");
  Check(diff.size() <= 8 * text.size() + 256, "a diff is in proportion to the patch");

  const std::string written = Written(*patch);
  const auto again = ParsePatch(written);
  Check(again.ok() && Written(*again) == written, "a patch survives being written");

  for (const FileChange& file : patch->files) {
    Check(!file.path.empty(), "a change names its file");
    for (const Hunk& hunk : file.hunks) Check(!hunk.lines.empty(), "a hunk has lines");
    if (file.kind != FileChange::Kind::kUpdate) continue;
    const auto patched = ApplyHunks(file.path, old_text, file.hunks);
    if (patched.ok()) {
      CheckApplied(old_text, file.hunks, *patched);
    } else {
      Check(CanBeShown(std::string(patched.status().message())), "an error can be shown");
      Check(patched.status().message().size() < 8 * file.path.size() + 16384, "an error is bounded");
    }
  }
}

}  // namespace
}  // namespace holdfast::cli

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::cli::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
