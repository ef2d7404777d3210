#pragma once

#include <string>
#include <string_view>

namespace holdfast::cli {

// Removes from text what would steer a terminal rather than be read: whole escape sequences (ECMA-48), the control
// characters C0 but for line feed and tab, DEL, C1, and the overrides that reorder text (Unicode's bidirectional
// formatting characters). Keeps its place between pieces, so a sequence that two pieces share is removed as well. A
// string sequence (OSC, DCS, …) without its end stops at the line's end, so that nothing can hide the rest of a text.
class ControlFilter {
 public:
  // `utf8` is valid and cuts no code point. The result is, too.
  std::string Feed(std::string_view utf8);

 private:
  enum class State { kText, kEscape, kControlSequence, kString, kStringEscape };

  State state_ = State::kText;
};

// For a whole text.
std::string Sanitize(std::string_view utf8);

// For a line of its own: line feeds and tabs become spaces, and what takes more than `max_columns` of a terminal ends
// in "…".
std::string SanitizeLine(std::string_view utf8, size_t max_columns);

}  // namespace holdfast::cli
