#include "clients/cli/tools/read_file.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "clients/cli/tools/file_io.h"
#include "clients/cli/tools/printable.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

constexpr int64_t kRoomForNote = 128;
constexpr int64_t kMargin = 3;  // bytes of a code point on the far side of a cut
constexpr int64_t kGrowth = 3;  // one bad byte becomes U+FFFD

// The start of the code point that position `at` lies in, or `at` itself where the bytes around it are no code point.
size_t CodePointBoundary(std::string_view bytes, size_t at) {
  for (size_t back = 1; back <= static_cast<size_t>(kMargin) && back <= at; ++back) {
    const auto lead = static_cast<unsigned char>(bytes[at - back]);
    if ((lead & 0xC0) == 0x80) continue;
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    const std::string_view code_point = bytes.substr(at - back, length);
    return length > back && code_point.size() == length && IsValidUtf8(code_point) ? at - back : at;
  }
  return at;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const Workspace& workspace, const ReadFileArguments& arguments) {
  const absl::StatusOr<ResolvedPath> path = workspace.Resolve(arguments.path, Access::kRead);
  if (!path.ok()) return path.status();
  const std::string shown = Printable(arguments.path);
  if (!path->exists) return absl::NotFoundError(fmt::format("{}: does not exist", shown));
  const absl::StatusOr<UniqueFd> fd = workspace.OpenPath(*path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd.ok()) return fd.status();
  const absl::StatusOr<struct stat> info = StatRegular(fd->get(), shown);
  if (!info.ok()) return info.status();
  const int64_t size = info->st_size;
  if (arguments.offset > size) {
    return absl::OutOfRangeError(
        fmt::format("{}: offset {} lies behind the end; the file has {} bytes", shown, arguments.offset, size));
  }

  int64_t want = arguments.limit.value_or(kMaxReadBytes);
  if (!arguments.limit && size - arguments.offset > want) want -= kRoomForNote;
  const int64_t before = std::min(arguments.offset, kMargin);
  absl::StatusOr<std::string> around =
      ReadRange(fd->get(), arguments.offset - before, static_cast<size_t>(before + want + kMargin), shown);
  if (!around.ok()) return around.status();
  const std::string_view bytes = *around;
  const size_t first = std::min(static_cast<size_t>(before), bytes.size());
  const size_t last = std::min(static_cast<size_t>(before + want), bytes.size());
  const size_t begin = CodePointBoundary(bytes, first);
  size_t end = CodePointBoundary(bytes, last);
  if (end <= begin) end = last;
  std::string_view range = bytes.substr(begin, end - begin);
  if (!IsValidUtf8(range)) {
    size_t length = last - first;
    if (!arguments.limit) length = std::min(length, static_cast<size_t>((kMaxReadBytes - kRoomForNote) / kGrowth));
    range = bytes.substr(first, length);
    end = first + length;
  }
  std::string text = RepairUtf8(range);
  const int64_t next = arguments.offset - before + static_cast<int64_t>(end);
  if (!arguments.limit && next < size) {
    text += fmt::format("{}[… {} more bytes; read on with offset {} …]", text.ends_with('\n') ? "" : "\n", size - next,
                        next);
  }
  return text;
}

}  // namespace holdfast::cli
