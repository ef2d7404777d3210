#pragma once

#include <string>
#include <string_view>

namespace holdfast::quota {

// Who makes a call, and in which dialect it goes upstream.
enum class Wire { kTypedResponses, kTypedChat, kRawResponses };

// Pieces of an event stream as an upstream of that dialect sends them.
class StreamText {
 public:
  explicit StreamText(Wire wire) : chat_(wire == Wire::kTypedChat) {}

  // Nothing of the answer yet.
  std::string Started() const;
  std::string Delta(std::string_view text) const;
  // The end of an answer that was `text`, in deltas before: 120 tokens in, 40 out.
  std::string Finish(std::string_view text) const;
  std::string Answer(std::string_view text) const { return Started() + Delta(text) + Finish(text); }
  // The upstream gives up: as `response.failed` where the dialect has it, and as `event: error`.
  std::string Failed(std::string_view code, std::string_view message) const;
  std::string Error(std::string_view code, std::string_view message) const;
  // Keeps connections alive, and is no event.
  static std::string Comment() { return ": keep-alive\n\n"; }

 private:
  bool chat_;
};

}  // namespace holdfast::quota
