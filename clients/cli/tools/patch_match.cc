#include "clients/cli/tools/patch_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "clients/cli/tools/printable.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

using Lines = std::vector<std::string_view>;
using Places = std::vector<size_t>;

struct FileLine {
  std::string_view body;
  std::string_view end;  // "\n", "\r\n" or, in the last line only, ""
};

std::vector<FileLine> Split(std::string_view text) {
  std::vector<FileLine> lines;
  while (!text.empty()) {
    const size_t feed = text.find('\n');
    if (feed == std::string_view::npos) {
      lines.push_back({text, {}});
      break;
    }
    const size_t end = feed > 0 && text[feed - 1] == '\r' ? feed - 1 : feed;
    lines.push_back({text.substr(0, end), text.substr(end, feed + 1 - end)});
    text.remove_prefix(feed + 1);
  }
  return lines;
}

std::string_view PrevailingEnd(const std::vector<FileLine>& lines) {
  const auto crlf =
      std::count_if(lines.begin(), lines.end(), [](const FileLine& line) { return line.end.size() == 2; });
  return 2 * static_cast<size_t>(crlf) > lines.size() ? "\r\n" : "\n";
}

enum class Leniency { kExact, kIgnoreTrailing, kIgnoreAround };
constexpr std::array kLeniencies = {Leniency::kExact, Leniency::kIgnoreTrailing, Leniency::kIgnoreAround};

std::string_view Normalized(std::string_view line, Leniency leniency) {
  if (leniency == Leniency::kExact) return line;
  constexpr std::string_view kWhite = " \t\r\f\v";
  const size_t last = line.find_last_not_of(kWhite);
  line = line.substr(0, last == std::string_view::npos ? 0 : last + 1);
  if (leniency == Leniency::kIgnoreTrailing || line.empty()) return line;
  return line.substr(line.find_first_not_of(kWhite));
}

// All places from `from` on where `wanted` (not empty) stands in `lines`, ascending. Linear: Knuth, Morris, Pratt 1977.
Places FindAll(const Lines& lines, const Lines& wanted, size_t from, Leniency leniency) {
  Lines pattern;
  for (const std::string_view line : wanted) pattern.push_back(Normalized(line, leniency));
  std::vector<size_t> border(pattern.size(), 0);
  for (size_t i = 1, length = 0; i < pattern.size(); ++i) {
    while (length > 0 && pattern[i] != pattern[length]) length = border[length - 1];
    if (pattern[i] == pattern[length]) ++length;
    border[i] = length;
  }
  Places places;
  for (size_t i = from, length = 0; i < lines.size(); ++i) {
    const std::string_view line = Normalized(lines[i], leniency);
    while (length > 0 && line != pattern[length]) length = border[length - 1];
    if (line == pattern[length]) ++length;
    if (length == pattern.size()) {
      places.push_back(i + 1 - length);
      length = border[length - 1];
    }
  }
  return places;
}

// For each of `starts`, the first of `places` that is not before it; without repetitions. Both ascend.
Places FirstNotBefore(const Places& places, const Places& starts) {
  Places found;
  for (const size_t start : starts) {
    const auto place = std::lower_bound(places.begin(), places.end(), start);
    if (place != places.end() && (found.empty() || found.back() != *place)) found.push_back(*place);
  }
  return found;
}

class HunkPlacer {
 public:
  HunkPlacer(std::string_view path, const Lines& lines) : path_(path), lines_(lines) {}

  // The index of the first line that `hunk` is about.
  absl::StatusOr<size_t> Place(const Hunk& hunk, int number, size_t from) const {
    const Hunk& h = hunk;
    Places starts = {from};
    for (size_t i = 0; i < h.anchors.size(); ++i) {
      const Places places = FindLenient({h.anchors[i]}, from);
      if (i == 0) {
        starts = places;
      } else {
        for (size_t& start : starts) ++start;
        starts = FirstNotBefore(places, starts);
      }
      if (starts.empty()) return NotFound(h, number, from, "its anchor", {h.anchors[i]});
    }
    const Lines wanted = OldLines(h);
    if (wanted.empty()) return PlaceInsertion(h, number, starts);
    for (const Leniency leniency : kLeniencies) {
      Places places = FindAll(lines_, wanted, from, leniency);
      if (h.at_end) {
        std::erase_if(places, [&](size_t place) { return place + wanted.size() != lines_.size(); });
      }
      if (!h.anchors.empty()) places = FirstNotBefore(places, starts);
      if (places.size() > 1) return Ambiguous(h, number, places);
      if (!places.empty()) return places.front();
    }
    return NotFound(h, number, from, h.at_end ? "at the end of the file" : "its lines", wanted);
  }

  static Lines OldLines(const Hunk& hunk) {
    Lines lines;
    for (const PatchLine& line : hunk.lines) {
      if (line.kind != PatchLine::Kind::kAdd) lines.push_back(WithoutReturn(line.text));
    }
    return lines;
  }

  static std::string_view WithoutReturn(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  }

 private:
  Places FindLenient(const Lines& wanted, size_t from) const {
    for (const Leniency leniency : kLeniencies) {
      Places places = FindAll(lines_, wanted, from, leniency);
      if (!places.empty()) return places;
    }
    return {};
  }

  absl::StatusOr<size_t> PlaceInsertion(const Hunk& hunk, int number, const Places& starts) const {
    if (hunk.anchors.empty() || hunk.at_end) return lines_.size();
    if (starts.size() > 1) return Ambiguous(hunk, number, starts);
    return starts.front() + 1;
  }

  absl::Status Ambiguous(const Hunk& hunk, int number, const Places& places) const {
    return absl::FailedPreconditionError(fmt::format(
        "{}: hunk {} (patch line {}) fits in {} places, first at lines {} and {}; add lines of context or \"@@\" lines "
        "that name the enclosing code",
        Printable(path_), number, hunk.line, places.size(), places[0] + 1, places[1] + 1));
  }

  absl::Status NotFound(const Hunk& hunk, int number, size_t from, std::string_view what, const Lines& wanted) const {
    constexpr size_t kShown = 12;
    std::string shown;
    for (size_t i = 0; i < std::min(wanted.size(), kShown); ++i) {
      shown += fmt::format("\n  |{}", Printable(TruncateUtf8(wanted[i], 200)));
    }
    if (wanted.size() > kShown) shown += fmt::format("\n  … {} more lines", wanted.size() - kShown);
    std::string hint = "read the file again and take the lines from there";
    if (const Places before = FindLenient(wanted, 0); from > 0 && !before.empty()) {
      hint = fmt::format("they stand at line {}: hunks must be in the order of the file", before.front() + 1);
    }
    return absl::FailedPreconditionError(
        fmt::format("{}: hunk {} (patch line {}) does not fit; looked for {} from line {} on:{}\n{}", Printable(path_),
                    number, hunk.line, what, from + 1, shown, hint));
  }

  std::string_view path_;
  const Lines& lines_;
};

std::string Assemble(std::vector<FileLine> lines, std::string_view end, bool final_end) {
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    text.append(lines[i].body);
    if (i + 1 == lines.size() && !final_end) break;
    text.append(lines[i].end.empty() ? end : lines[i].end);
  }
  return text;
}

}  // namespace

absl::StatusOr<PatchedText> ApplyHunks(std::string_view path, std::string_view text, const std::vector<Hunk>& hunks) {
  const std::vector<FileLine> old_lines = Split(text);
  const std::string_view end = PrevailingEnd(old_lines);
  Lines bodies;
  bodies.reserve(old_lines.size());
  for (const FileLine& line : old_lines) bodies.push_back(line.body);

  const HunkPlacer placer(path, bodies);
  PatchedText result;
  std::vector<FileLine> new_lines;
  size_t next = 0;  // of the old lines
  for (size_t i = 0; i < hunks.size(); ++i) {
    const absl::StatusOr<size_t> place = placer.Place(hunks[i], static_cast<int>(i) + 1, next);
    if (!place.ok()) return place.status();
    while (next < *place) new_lines.push_back(old_lines[next++]);
    for (const PatchLine& line : hunks[i].lines) {
      switch (line.kind) {
        case PatchLine::Kind::kContext:
          new_lines.push_back(old_lines[next++]);
          break;
        case PatchLine::Kind::kRemove:
          ++next;
          ++result.removed;
          break;
        case PatchLine::Kind::kAdd:
          new_lines.push_back(
              {end.size() == 2 ? HunkPlacer::WithoutReturn(line.text) : std::string_view(line.text), end});
          ++result.added;
          break;
      }
    }
  }
  while (next < old_lines.size()) new_lines.push_back(old_lines[next++]);
  result.text = Assemble(std::move(new_lines), end, text.empty() || text.back() == '\n');
  return result;
}

}  // namespace holdfast::cli
