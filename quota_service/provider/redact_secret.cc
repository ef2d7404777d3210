#include "quota_service/provider/redact_secret.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <set>
#include <vector>

#include "absl/strings/escaping.h"

namespace holdfast::quota {
namespace {

constexpr std::string_view kRedacted = "[redacted]";
constexpr size_t kShortestForm = 8;
// Letters and digits of a piece that is one word, and of one with white space strewn in. Shorter ones would be found in
// ordinary words, where a key is made of such.
constexpr size_t kWholePiece = 12;
constexpr size_t kStrewnPiece = 16;

// The letters and digits of a text, in lower case and percent-decoded, and where each of them stands.
struct Plain {
  std::string letters;
  std::vector<size_t> begins;
  std::vector<size_t> ends;
  std::vector<size_t> words;  // the letter that begins its word, which white space ends
};

Plain PlainOf(std::string_view text) {
  const auto digit = [&](size_t at) {
    return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0
               ? std::stoi(std::string(1, text[at]), nullptr, 16)
               : -1;
  };
  Plain plain;
  size_t word = 0;
  for (size_t at = 0, end = 0; at < text.size(); at = end) {
    auto c = static_cast<unsigned char>(text[at]);
    end = at + 1;
    if (c == '%' && digit(at + 1) >= 0 && digit(at + 2) >= 0) {
      c = static_cast<unsigned char>(digit(at + 1) * 16 + digit(at + 2));
      end = at + 3;
    }
    if (std::isspace(c)) word = plain.letters.size();
    if (!std::isalnum(c)) continue;
    plain.letters.push_back(static_cast<char>(std::tolower(c)));
    plain.begins.push_back(at);
    plain.ends.push_back(end);
    plain.words.push_back(word);
  }
  return plain;
}

// What stays of the base64 of `secret` whatever stands around it, with `before` (0 to 2) bytes before it.
std::string Base64Core(std::string_view secret, size_t before) {
  const std::string padded = std::string(before, '\0').append(secret);
  std::string all;
  absl::Base64Escape({padded.data(), padded.size()}, &all);
  const size_t begin = (before * 8 + 5) / 6;
  return all.substr(begin, padded.size() * 8 / 6 - begin);
}

std::vector<std::string> FormsOf(std::string_view secret) {
  std::vector<std::string> forms = {PlainOf(secret).letters, absl::BytesToHexString({secret.data(), secret.size()})};
  for (size_t before = 0; before < 3; ++before) forms.push_back(PlainOf(Base64Core(secret, before)).letters);
  return forms;
}

std::string ReplaceAll(std::string_view text, std::string_view what) {
  std::string out;
  size_t at = 0;
  for (size_t found = text.find(what); found != std::string_view::npos; found = text.find(what, at)) {
    out.append(text.substr(at, found - at)).append(kRedacted);
    at = found + what.size();
  }
  return out.append(text.substr(at));
}

// Marks in `text` every piece of `length` letters that `form` has too.
void Mark(const Plain& text, std::string_view form, size_t length, bool strewn, std::vector<bool>* marks) {
  length = std::min(length, form.size());
  std::set<std::string_view> pieces;
  for (size_t at = 0; at + length <= form.size(); ++at) pieces.insert(form.substr(at, length));
  const std::string_view letters = text.letters;
  for (size_t first = 0; first + length <= letters.size(); ++first) {
    const bool one_word = text.words[first] == text.words[first + length - 1];
    if ((!strewn && !one_word) || !pieces.contains(letters.substr(first, length))) continue;
    std::fill_n(marks->begin() + static_cast<std::ptrdiff_t>(first), length, true);
  }
}

}  // namespace

std::string RedactSecret(std::string_view secret, std::string_view text) {
  if (secret.empty()) return std::string(text);
  const std::string without = ReplaceAll(text, secret);
  const Plain plain = PlainOf(without);
  std::vector<bool> marks(plain.letters.size());
  for (const std::string& form : FormsOf(secret)) {
    if (form.size() < kShortestForm) continue;
    Mark(plain, form, kWholePiece, false, &marks);
    Mark(plain, form, kStrewnPiece, true, &marks);
  }
  std::string out;
  size_t at = 0;
  for (size_t i = 0; i < marks.size(); ++i) {
    if (!marks[i]) continue;
    const size_t first = i;
    while (i + 1 < marks.size() && marks[i + 1]) ++i;
    out.append(without, at, plain.begins[first] - at).append(kRedacted);
    at = plain.ends[i];
  }
  return out.append(without, at);
}

}  // namespace holdfast::quota
