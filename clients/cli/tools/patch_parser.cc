#include "clients/cli/tools/patch_parser.h"

#include <fmt/format.h>

#include <cctype>
#include <optional>
#include <utility>

#include "clients/cli/tools/printable.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

constexpr std::string_view kBegin = "*** Begin Patch";
constexpr std::string_view kEnd = "*** End Patch";
constexpr std::string_view kAdd = "*** Add File:";
constexpr std::string_view kDelete = "*** Delete File:";
constexpr std::string_view kUpdate = "*** Update File:";
constexpr std::string_view kMove = "*** Move to:";
constexpr std::string_view kEndOfFile = "*** End of File";

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kWhite = " \t\r";
  const size_t begin = text.find_first_not_of(kWhite);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhite) - begin + 1);
}

std::optional<std::string_view> After(std::string_view line, std::string_view mark) {
  if (line.substr(0, mark.size()) != mark) return std::nullopt;
  return Trim(line.substr(mark.size()));
}

bool IsDirective(std::string_view line) { return line.substr(0, 4) == "*** "; }

// `-12,3 +12,4 @@`: a header of a unified diff. Models mix the formats; the numbers are not reliable and are not used.
bool IsUnifiedHeader(std::string_view anchor) {
  return anchor.size() > 1 && anchor[0] == '-' && std::isdigit(static_cast<unsigned char>(anchor[1])) != 0 &&
         anchor.find(" +") != std::string_view::npos && anchor.find("@@") != std::string_view::npos;
}

class Parser {
 public:
  explicit Parser(std::string_view text) {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      lines_.push_back(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    SkipBlank();
    // A patch that is written in CRLF throughout; otherwise a carriage return belongs to the content.
    if (More() && !Line().empty() && Line().back() == '\r') {
      for (std::string_view& line : lines_) {
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      }
    }
  }

  absl::StatusOr<Patch> Run() {
    if (!More() || Trim(Line()) != kBegin) return Error(fmt::format("expected \"{}\"", kBegin));
    ++next_;
    Patch patch;
    while (true) {
      SkipBlank();
      if (!More()) return Error(fmt::format("the patch ends without \"{}\"", kEnd));
      if (Trim(Line()) == kEnd) break;
      FileChange file;
      file.line = Number();
      const absl::Status status = ParseFile(file);
      if (!status.ok()) return status;
      patch.files.push_back(std::move(file));
    }
    if (patch.files.empty()) return Error("the patch names no file");
    ++next_;
    SkipBlank();
    if (More()) return Error(fmt::format("nothing may follow \"{}\"", kEnd));
    return patch;
  }

 private:
  bool More() const { return next_ < lines_.size(); }
  std::string_view Line() const { return lines_[next_]; }
  int Number() const { return static_cast<int>(next_) + 1; }
  void SkipBlank() {
    while (More() && Trim(Line()).empty()) ++next_;
  }

  absl::Status Error(std::string_view what) const {
    std::string got = More() ? fmt::format("; got \"{}\"", Printable(TruncateUtf8(Line(), 120))) : "";
    return absl::InvalidArgumentError(fmt::format("patch line {}: {}{}", Number(), what, got));
  }

  absl::Status TakePath(std::string_view path, std::string& into) {
    if (path.empty()) return Error("the path is missing");
    into = path;
    ++next_;
    return absl::OkStatus();
  }

  absl::Status ParseFile(FileChange& file) {
    if (const auto path = After(Line(), kAdd)) {
      file.kind = FileChange::Kind::kAdd;
      const absl::Status status = TakePath(*path, file.path);
      return status.ok() ? ParseAdded(file) : status;
    }
    if (const auto path = After(Line(), kDelete)) {
      file.kind = FileChange::Kind::kDelete;
      return TakePath(*path, file.path);
    }
    if (const auto path = After(Line(), kUpdate)) {
      file.kind = FileChange::Kind::kUpdate;
      const absl::Status status = TakePath(*path, file.path);
      return status.ok() ? ParseUpdate(file) : status;
    }
    return Error(fmt::format("expected \"{}\", \"{}\", \"{}\" or \"{}\"", kAdd, kDelete, kUpdate, kEnd));
  }

  // Blank lines in front of the next section (or the end) are layout, not content.
  bool OnlyBlankUntilDirective() const {
    for (size_t i = next_; i < lines_.size(); ++i) {
      if (!lines_[i].empty()) return IsDirective(lines_[i]);
    }
    return true;
  }

  absl::Status ParseAdded(FileChange& file) {
    for (; More() && !IsDirective(Line()); ++next_) {
      if (Line().empty() && OnlyBlankUntilDirective()) continue;
      if (Line().empty() || Line().front() != '+') return Error("every line of an added file starts with \"+\"");
      file.content.append(Line().substr(1)).push_back('\n');
    }
    return absl::OkStatus();
  }

  absl::Status ParseUpdate(FileChange& file) {
    if (More()) {
      if (const auto path = After(Line(), kMove)) {
        const absl::Status status = TakePath(*path, file.move_to);
        if (!status.ok()) return status;
      }
    }
    while (More() && !(Line().empty() && OnlyBlankUntilDirective()) && !IsDirective(Line())) {
      Hunk hunk;
      hunk.line = Number();
      ParseAnchors(hunk);
      const absl::Status status = ParseHunkLines(hunk);
      if (!status.ok()) return status;
      file.hunks.push_back(std::move(hunk));
    }
    if (file.hunks.empty() && file.move_to.empty()) return Error("an updated file needs a hunk or a \"*** Move to:\"");
    return absl::OkStatus();
  }

  void ParseAnchors(Hunk& hunk) {
    for (; More() && Line().substr(0, 2) == "@@"; ++next_) {
      std::string_view anchor = Line().substr(2);
      if (!anchor.empty() && anchor.front() == ' ') anchor.remove_prefix(1);
      if (!Trim(anchor).empty() && !IsUnifiedHeader(anchor)) hunk.anchors.emplace_back(anchor);
    }
  }

  absl::Status ParseHunkLines(Hunk& hunk) {
    for (; More(); ++next_) {
      const std::string_view line = Line();
      if (Trim(line) == kEndOfFile) {
        hunk.at_end = true;
        ++next_;
        break;
      }
      if (IsDirective(line) || line.substr(0, 2) == "@@") break;
      if (line.empty()) {
        // An empty line of context whose single blank was lost.
        if (OnlyBlankUntilDirective()) break;
        hunk.lines.push_back({PatchLine::Kind::kContext, ""});
        continue;
      }
      switch (line.front()) {
        case ' ':
          hunk.lines.push_back({PatchLine::Kind::kContext, std::string(line.substr(1))});
          break;
        case '-':
          hunk.lines.push_back({PatchLine::Kind::kRemove, std::string(line.substr(1))});
          break;
        case '+':
          hunk.lines.push_back({PatchLine::Kind::kAdd, std::string(line.substr(1))});
          break;
        default:
          return Error("a line of a hunk starts with \" \", \"-\", \"+\" or \"@@\"");
      }
    }
    if (hunk.lines.empty()) return Error("the hunk has no lines");
    return absl::OkStatus();
  }

  std::vector<std::string_view> lines_;
  size_t next_ = 0;
};

}  // namespace

absl::StatusOr<Patch> ParsePatch(std::string_view text) { return Parser(text).Run(); }

}  // namespace holdfast::cli
