#include "clients/cli/tools/printable.h"

#include <fmt/format.h>

#include <cstdint>

#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

struct Decoded {
  uint32_t code;
  size_t length;
};

// `utf8` is valid and not empty.
Decoded Decode(std::string_view utf8) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(utf8[i])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t code = lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) code = (code << 6) | (byte(i) & 0x3F);
  return {code, length};
}

bool IsDeceptive(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || code == 0x61C;
}

}  // namespace

std::string Printable(std::string_view text, bool multi_line) {
  const std::string utf8 = RepairUtf8(text);
  std::string out;
  out.reserve(utf8.size());
  for (std::string_view rest = utf8; !rest.empty();) {
    const Decoded next = Decode(rest);
    if (multi_line && (next.code == '\n' || next.code == '\t')) {
      out.push_back(rest.front());
    } else if (!IsDeceptive(next.code)) {
      out.append(rest.substr(0, next.length));
    } else if (next.code < 0x80) {
      out.append(fmt::format("\\x{:02x}", next.code));
    } else {
      out.append(fmt::format("\\u{{{:04x}}}", next.code));
    }
    rest.remove_prefix(next.length);
  }
  return out;
}

}  // namespace holdfast::cli
