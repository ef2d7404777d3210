// Text from models and files on its way to a terminal or into a bounded field: valid UTF-8, within its bound, and
// unable to steer a terminal.
#include <algorithm>
#include <string>

#include "clients/cli/terminal/sanitize.h"
#include "clients/cli/tools/printable.h"
#include "common/base/utf8.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::cli {
namespace {

using fuzz::Check;

bool HasControls(std::string_view utf8, std::string_view allowed) {
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if ((byte < 0x20 || byte == 0x7F) && allowed.find(utf8[i]) == std::string_view::npos) return true;
    const bool c1 = byte == 0xC2 && i + 1 < utf8.size() && static_cast<unsigned char>(utf8[i + 1]) < 0xA0;
    if (c1) return true;
  }
  return false;
}

void Test(fuzz::Input input) {
  const size_t most = input.Number(2);
  const size_t piece = input.Byte() % 16 + size_t{1};
  const std::string_view bytes = input.Rest();

  const std::string utf8 = RepairUtf8(bytes);
  Check(IsValidUtf8(utf8), "repaired text is UTF-8");
  Check(IsValidUtf8(bytes) == (utf8 == bytes), "what is valid stays as it is");
  Check(RepairUtf8(utf8) == utf8 && utf8.size() <= 3 * bytes.size(), "repairing twice changes nothing more");
  Check(CountCodePoints(utf8) <= static_cast<int64_t>(utf8.size()), "a code point has a byte at least");
  Check(CountCodePoints(bytes) <= static_cast<int64_t>(bytes.size()), "an invalid one, too");

  const std::string_view cut = TruncateUtf8(utf8, most);
  Check(cut.size() <= most && IsValidUtf8(cut) && utf8.starts_with(cut), "a cut text is a prefix, and whole");
  Check(cut.size() == utf8.size() || cut.size() + 4 > most, "and no shorter than it must be");
  if (most >= 256) {
    const std::string kept = KeepHeadAndTail(utf8, most);
    Check(kept.size() <= most && IsValidUtf8(kept), "head and tail are within their bound");
    Check(utf8.size() > most || kept == utf8, "what fits stays as it is");
  }

  const std::string clean = Sanitize(utf8);
  Check(IsValidUtf8(clean) && !HasControls(clean, "\n\t"), "sanitized text steers nothing");
  Check(clean.size() <= utf8.size() && Sanitize(clean) == clean, "sanitizing twice changes nothing more");
  ControlFilter filter;
  std::string in_pieces;
  for (std::string_view rest = utf8; !rest.empty();) {
    std::string_view part = TruncateUtf8(rest, piece);
    if (part.empty()) part = TruncateUtf8(rest, piece + 4);
    in_pieces += filter.Feed(part);
    rest.remove_prefix(part.size());
  }
  Check(in_pieces == clean, "the pieces in which it comes change nothing");
  const std::string line = SanitizeLine(utf8, most);
  Check(IsValidUtf8(line) && !HasControls(line, ""), "a line is one line");
  Check(CountCodePoints(line) <= static_cast<int64_t>(most) || most == 0, "within its bound");

  for (const bool multi_line : {false, true}) {
    const std::string shown = Printable(bytes, multi_line);
    Check(IsValidUtf8(shown) && !HasControls(shown, multi_line ? "\n\t" : ""), "what is printable steers nothing");
    Check(Printable(shown, multi_line) == shown, "and is printable");
  }
}

}  // namespace
}  // namespace holdfast::cli

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::cli::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
