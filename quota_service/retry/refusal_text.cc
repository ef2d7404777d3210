// What a refusal says in words. The texts are those that providers were seen to send; each rule reads one shape of
// them, in one pass and without backtracking, because the text comes from outside.
#include <algorithm>
#include <string>
#include <string_view>

#include "quota_service/retry/delay_text.h"
#include "quota_service/retry/text_scan.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMostTextRead = 8 * 1024;

std::string LowerCase(std::string_view text) {
  std::string lower(text.substr(0, kMostTextRead));
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool IsWordByte(char c) { return IsAsciiLetter(c) || IsAsciiDigit(c); }

// Where `word` next stands with no letter or digit beside it; npos where nowhere. So "200rpm" in a model's name is not
// "rpm".
size_t FindWord(std::string_view text, std::string_view word, size_t from = 0) {
  for (size_t at = text.find(word, from); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !IsWordByte(text[at - 1])) && (end == text.size() || !IsWordByte(text[end]))) return at;
  }
  return std::string_view::npos;
}

std::string_view SkipBlanks(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

// A whole number at the start of `text`, with or without commas between thousands; not "3.5", "20k" or "5%".
std::optional<int64_t> LeadingCount(std::string_view text) {
  constexpr size_t kMostDigits = 15;
  int64_t value = 0;
  size_t digits = 0;
  size_t at = 0;
  const auto is_thousands_group = [&](size_t comma) {
    if (digits == 0 || comma + 3 >= text.size()) return false;
    for (size_t i = 1; i <= 3; ++i) {
      if (!IsAsciiDigit(text[comma + i])) return false;
    }
    return comma + 4 == text.size() || !IsAsciiDigit(text[comma + 4]);
  };
  for (; at < text.size(); ++at) {
    if (text[at] == ',' && is_thousands_group(at)) continue;
    if (!IsAsciiDigit(text[at])) break;
    if (++digits > kMostDigits) return std::nullopt;
    value = value * 10 + (text[at] - '0');
  }
  if (digits == 0) return std::nullopt;
  const std::string_view rest = text.substr(at);
  if (!rest.empty() && (IsWordByte(rest[0]) || rest[0] == '%' || rest[0] == '_')) return std::nullopt;
  if (rest.size() > 1 && rest[0] == '.' && IsAsciiDigit(rest[1])) return std::nullopt;
  return value;
}

// "Limit 200000", "limit: 100", "limit of 40,000", "Current: 4828 / min".
std::optional<int64_t> NumberAfter(std::string_view text, std::string_view word) {
  for (size_t at = FindWord(text, word); at != std::string_view::npos; at = FindWord(text, word, at + 1)) {
    std::string_view rest = SkipBlanks(text.substr(at + word.size()));
    if (rest.starts_with(':') || rest.starts_with('=')) {
      rest = SkipBlanks(rest.substr(1));
    } else if (rest.starts_with("of ")) {
      rest = SkipBlanks(rest.substr(3));
    }
    if (const auto number = LeadingCount(rest)) return number;
  }
  return std::nullopt;
}

struct Phrase {
  std::string_view words;
  Dimension dimension;
};

constexpr Phrase kDimensionPhrases[] = {
    {"tokens per", Dimension::kTokens},
    {"tokens_per_minute", Dimension::kTokens},
    {"tpm", Dimension::kTokens},
    {"tpd", Dimension::kTokens},
    {"input tokens per", Dimension::kInputTokens},
    {"output tokens per", Dimension::kOutputTokens},
    {"itpm", Dimension::kInputTokens},
    {"otpm", Dimension::kOutputTokens},
    {"token rate limit", Dimension::kTokens},
    {"request tokens", Dimension::kTokens},
    {"token_count", Dimension::kTokens},
    {"requests per", Dimension::kRequests},
    {"requests_per_minute", Dimension::kRequests},
    {"rpm", Dimension::kRequests},
    {"rpd", Dimension::kRequests},
    {"call rate limit", Dimension::kRequests},
    {"request rate limit", Dimension::kRequests},
    {"tier_requests", Dimension::kRequests},
    {"concurrency", Dimension::kConcurrency},
    {"concurrent", Dimension::kConcurrency},
};

// The dimension that is named first.
std::optional<Dimension> FindDimension(std::string_view text) {
  std::optional<Dimension> found;
  size_t first = std::string_view::npos;
  for (const Phrase& phrase : kDimensionPhrases) {
    const size_t at = FindWord(text, phrase.words);
    if (at < first) {
      first = at;
      found = phrase.dimension;
    }
  }
  return found;
}

// "max RPM: 3", "max organization concurrency: 1": the number after the colon, where the words before it name a
// dimension.
std::optional<int64_t> NumberAfterMax(std::string_view text) {
  constexpr size_t kMostWords = 40;
  for (size_t at = FindWord(text, "max"); at != std::string_view::npos; at = FindWord(text, "max", at + 1)) {
    const std::string_view rest = text.substr(at);
    if (!rest.starts_with("max ")) continue;
    const size_t colon = rest.substr(0, kMostWords).find(':');
    if (colon == std::string_view::npos || !FindDimension(rest.substr(0, colon))) continue;
    if (const auto number = LeadingCount(SkipBlanks(rest.substr(colon + 1)))) return number;
  }
  return std::nullopt;
}

// Whether the sentence that leads up to `at` speaks of one of `verbs`.
template <size_t N>
bool SentenceSpeaksOf(std::string_view text, size_t at, const std::string_view (&verbs)[N]) {
  constexpr size_t kLookBack = 48;
  std::string_view before = text.substr(0, at);
  if (before.size() > kLookBack) before.remove_prefix(before.size() - kLookBack);
  for (const std::string_view end : {". ", "; ", "\n"}) {
    const size_t last = before.rfind(end);
    if (last != std::string_view::npos) before.remove_prefix(last + end.size());
  }
  return std::any_of(std::begin(verbs), std::end(verbs),
                     [&](std::string_view verb) { return FindWord(before, verb) != std::string_view::npos; });
}

// "try again in 3.646s", "retry after 45 seconds", "wait 2 minutes"; else "resets in 6m0s".
std::optional<Duration> FindDelay(std::string_view text) {
  static constexpr std::string_view kLeads[] = {"in", "after", "wait", "for"};
  static constexpr std::string_view kComeBack[] = {"again", "retry", "retrying", "wait", "waiting"};
  static constexpr std::string_view kReset[] = {"reset", "resets"};
  struct Found {
    size_t at;
    Duration delay;
  };
  std::optional<Found> come_back;
  std::optional<Found> reset;
  const auto keep_first = [](std::optional<Found>& kept, const Found& found) {
    if (!kept || found.at < kept->at) kept = found;
  };
  for (const std::string_view lead : kLeads) {
    for (size_t at = FindWord(text, lead); at != std::string_view::npos; at = FindWord(text, lead, at + 1)) {
      const size_t end = at + lead.size();
      const auto scanned = ScanDuration(SkipBlanks(text.substr(end)));
      if (!scanned) continue;
      if (SentenceSpeaksOf(text, end, kComeBack)) {
        keep_first(come_back, {at, scanned->value});
      } else if (SentenceSpeaksOf(text, end, kReset)) {
        keep_first(reset, {at, scanned->value});
      }
    }
  }
  if (come_back) return come_back->delay;
  if (reset) return reset->delay;
  return std::nullopt;
}

}  // namespace

ServerHint ParseRefusalText(std::string_view message) {
  const std::string text = LowerCase(message);
  ServerHint hint;
  hint.retry_after = FindDelay(text);
  if (!hint.retry_after) hint.reset_at = ParseResetMoment(message);
  hint.dimension = FindDimension(text);
  hint.limit = NumberAfter(text, "limit");
  if (!hint.limit) hint.limit = NumberAfterMax(text);
  if (hint.limit == 0) hint.limit.reset();
  hint.used = NumberAfter(text, "used");
  if (!hint.used) hint.used = NumberAfter(text, "current");
  hint.requested = NumberAfter(text, "requested");
  return hint;
}

}  // namespace holdfast::quota
