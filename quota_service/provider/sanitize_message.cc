#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "common/base/utf8.h"
#include "quota_service/provider/error_class.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMaxMessageBytes = 2048;
constexpr std::string_view kRedacted = "[redacted]";

// How keys of public providers begin. "eyJ" begins every JSON web token.
constexpr std::array<std::string_view, 13> kSecretPrefixes{
    "sk-", "sk_", "rk-", "gsk_", "xai-", "hf_", "AIza", "ya29", "ghp_", "github_pat_", "pplx-", "eyJ", "nvapi-"};
// Words that announce a secret when ':' or '=' follows them.
constexpr std::array<std::string_view, 6> kLabels{"key", "token", "secret", "password", "authorization", "credential"};

bool IsSeparator(char c) {
  return std::isspace(static_cast<unsigned char>(c)) ||
         std::string_view("\"'`,;:=()[]{}<>&?|").find(c) != std::string_view::npos;
}
bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)); }

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// Position of a known prefix that starts a part of `word`, with something secret behind it.
size_t FindSecretPrefix(std::string_view word) {
  constexpr size_t kShortestSecret = 6;
  for (size_t i = 0; i < word.size(); ++i) {
    if (i > 0 && IsAlnum(word[i - 1])) continue;
    for (const std::string_view prefix : kSecretPrefixes) {
      if (word.substr(i).starts_with(prefix) && word.size() - i >= prefix.size() + kShortestSecret) return i;
    }
  }
  return std::string_view::npos;
}

// 32 hex digits or more, as Azure's keys are, alone or as the first half of "id.secret", as Zhipu's are.
bool IsHexKey(std::string_view word) {
  const auto end = std::ranges::find_if_not(word, [](unsigned char c) { return std::isxdigit(c) != 0; });
  return end - word.begin() >= 32 && (end == word.end() || *end == '.');
}

bool LooksRandom(std::string_view word) {
  const bool mixed = std::ranges::any_of(word, [](unsigned char c) { return std::isdigit(c) || c == '*'; });
  return word.size() >= 20 || (word.size() >= 8 && mixed);
}

// Walks over the words of a message and remembers what the words before announced.
class Redactor {
 public:
  // What to show instead of `word`, which the separators in `between` part from the word before.
  std::string Next(std::string_view between, std::string_view word) {
    const bool assigned = between.find_first_of(":=") != std::string_view::npos;
    const bool announced = after_bearer_ || (after_label_ && assigned);
    const std::string end = Lower(word.substr(word.size() - std::min<size_t>(word.size(), 16)));
    after_bearer_ = end == "bearer" || end == "basic";
    after_label_ = std::ranges::any_of(kLabels, [&](std::string_view label) { return end.ends_with(label); }) ||
                   (after_label_ && end == "provided");
    if ((announced && LooksRandom(word)) || IsHexKey(word)) return std::string(kRedacted);
    const size_t secret = FindSecretPrefix(word);
    if (secret == std::string_view::npos) return std::string(word);
    return std::string(word.substr(0, secret)).append(kRedacted);
  }

 private:
  bool after_bearer_ = false;
  bool after_label_ = false;
};

}  // namespace

std::string SanitizeMessage(std::string_view message) {
  // Redacted before it is cut: half of a secret is not recognised, and still a secret.
  std::string out;
  Redactor redactor;
  size_t at = 0;
  while (at < message.size() && out.size() <= kMaxMessageBytes) {
    const auto word_begin =
        std::find_if_not(message.begin() + static_cast<std::ptrdiff_t>(at), message.end(), IsSeparator);
    const auto word_end = std::find_if(word_begin, message.end(), IsSeparator);
    const size_t begin = static_cast<size_t>(word_begin - message.begin());
    const size_t end = static_cast<size_t>(word_end - message.begin());
    const std::string_view between = message.substr(at, begin - at);
    out.append(between);
    if (end > begin) out.append(redactor.Next(between, message.substr(begin, end - begin)));
    at = end;
  }
  // Control characters would steer a terminal or split a line of the log.
  std::ranges::replace_if(
      out, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return std::string(TruncateUtf8(RepairUtf8(TruncateUtf8(out, kMaxMessageBytes)), kMaxMessageBytes));
}

}  // namespace holdfast::quota
