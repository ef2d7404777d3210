#include "clients/cli/tools/patch_diff.h"

#include <fmt/format.h>

#include <algorithm>

#include "clients/cli/tools/printable.h"

namespace holdfast::cli {
namespace {

char MarkOf(PatchLine::Kind kind) {
  switch (kind) {
    case PatchLine::Kind::kRemove:
      return '-';
    case PatchLine::Kind::kAdd:
      return '+';
    case PatchLine::Kind::kContext:
      break;
  }
  return ' ';
}

void AppendAdded(const FileChange& file, std::string& out) {
  out += fmt::format("--- /dev/null\n+++ b/{}\n@@\n", Printable(file.path));
  for (std::string_view rest = file.content; !rest.empty();) {
    const size_t end = rest.find('\n');
    out += fmt::format("+{}\n", Printable(rest.substr(0, end)));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
}

void AppendUpdate(const FileChange& file, std::string& out) {
  out += fmt::format("--- a/{}\n+++ b/{}\n", Printable(file.path),
                     Printable(file.move_to.empty() ? file.path : file.move_to));
  for (const Hunk& hunk : file.hunks) {
    std::string header = "@@";
    for (const std::string& anchor : hunk.anchors) header += fmt::format(" {}", Printable(anchor));
    out += header + "\n";
    for (const PatchLine& line : hunk.lines) out += fmt::format("{}{}\n", MarkOf(line.kind), Printable(line.text));
  }
}

}  // namespace

std::vector<std::string> TouchedFiles(const Patch& patch) {
  std::vector<std::string> files;
  const auto add = [&](const std::string& path) {
    if (!path.empty() && std::find(files.begin(), files.end(), path) == files.end()) files.push_back(path);
  };
  for (const FileChange& file : patch.files) {
    add(file.path);
    add(file.move_to);
  }
  return files;
}

std::string UnifiedDiff(const Patch& patch) {
  std::string out;
  for (const FileChange& file : patch.files) {
    switch (file.kind) {
      case FileChange::Kind::kAdd:
        AppendAdded(file, out);
        break;
      case FileChange::Kind::kDelete:
        out += fmt::format("--- a/{}\n+++ /dev/null\n", Printable(file.path));
        break;
      case FileChange::Kind::kUpdate:
        AppendUpdate(file, out);
        break;
    }
  }
  return out;
}

}  // namespace holdfast::cli
