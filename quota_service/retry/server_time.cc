// Absolute times as servers write them: HTTP's IMF-fixdate (RFC 7231, section 7.1.1.1) and RFC 3339.
#include <chrono>
#include <optional>
#include <string_view>

#include "quota_service/retry/delay_text.h"
#include "quota_service/retry/text_scan.h"

namespace holdfast::quota {
namespace {

// Reads a text of fixed shape from left to right; the first mismatch makes every later step fail.
class FixedReader {
 public:
  explicit FixedReader(std::string_view text) : rest_(text) {}

  int Digits(size_t count) {
    if (rest_.size() < count) return Fail();
    int value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (!IsAsciiDigit(rest_[i])) return Fail();
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  void Literal(std::string_view expected) {
    if (!rest_.starts_with(expected)) {
      Fail();
    } else {
      rest_.remove_prefix(expected.size());
    }
  }

  // The index of the name that comes next.
  template <size_t N>
  int OneOf(const std::string_view (&names)[N]) {
    for (size_t i = 0; i < N; ++i) {
      if (!rest_.starts_with(names[i])) continue;
      rest_.remove_prefix(names[i].size());
      return static_cast<int>(i);
    }
    return Fail();
  }

  // Any one of `accepted`; '\0' where none.
  char AnyOf(std::string_view accepted) {
    if (rest_.empty() || accepted.find(rest_[0]) == std::string_view::npos) {
      Fail();
      return '\0';
    }
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  // ".123" of a second; zero where there is none. Digits past the ninth are read and dropped.
  std::chrono::nanoseconds Fraction() {
    if (!rest_.starts_with('.')) return {};
    rest_.remove_prefix(1);
    if (rest_.empty() || !IsAsciiDigit(rest_[0])) Fail();
    int64_t scale = 100'000'000;
    int64_t value = 0;
    while (!rest_.empty() && IsAsciiDigit(rest_[0])) {
      value += (rest_[0] - '0') * scale;
      scale /= 10;
      rest_.remove_prefix(1);
    }
    return std::chrono::nanoseconds(value);
  }

  bool AtEndWithoutMismatch() const { return ok_ && rest_.empty(); }

 private:
  int Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

struct Civil {
  int year, month, day, hour, minute, second;
};

std::optional<WallTime> FromCivil(const Civil& c) {
  // WallTime counts nanoseconds in 64 bits, which end in 2262.
  if (c.year < 1970 || c.year > 2200) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(c.year), std::chrono::month(static_cast<unsigned>(c.month)),
                                         std::chrono::day(static_cast<unsigned>(c.day))};
  // Second 60 is a leap second; it counts as the second after 59.
  if (!date.ok() || c.hour > 23 || c.minute > 59 || c.second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(c.hour) + std::chrono::minutes(c.minute) +
         std::chrono::seconds(c.second);
}

}  // namespace

std::optional<WallTime> ParseHttpDate(std::string_view text) {
  static constexpr std::string_view kDays[] = {"Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, ", "Sun, "};
  static constexpr std::string_view kMonths[] = {" Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ",
                                                 " Jul ", " Aug ", " Sep ", " Oct ", " Nov ", " Dec "};
  FixedReader in(TrimBlanks(text));
  Civil c{};
  in.OneOf(kDays);
  c.day = in.Digits(2);
  c.month = in.OneOf(kMonths) + 1;
  c.year = in.Digits(4);
  in.Literal(" ");
  c.hour = in.Digits(2);
  in.Literal(":");
  c.minute = in.Digits(2);
  in.Literal(":");
  c.second = in.Digits(2);
  in.Literal(" GMT");
  if (!in.AtEndWithoutMismatch()) return std::nullopt;
  return FromCivil(c);
}

std::optional<WallTime> ParseRfc3339(std::string_view text) {
  FixedReader in(TrimBlanks(text));
  Civil c{};
  c.year = in.Digits(4);
  in.Literal("-");
  c.month = in.Digits(2);
  in.Literal("-");
  c.day = in.Digits(2);
  in.AnyOf("Tt ");
  c.hour = in.Digits(2);
  in.Literal(":");
  c.minute = in.Digits(2);
  in.Literal(":");
  c.second = in.Digits(2);
  const auto fraction = in.Fraction();
  const char zone = in.AnyOf("Zz+-");
  std::chrono::minutes offset{0};
  if (zone == '+' || zone == '-') {
    const int hours = in.Digits(2);
    in.Literal(":");
    const int minutes = in.Digits(2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset = std::chrono::minutes(60 * hours + minutes) * (zone == '+' ? 1 : -1);
  }
  if (!in.AtEndWithoutMismatch()) return std::nullopt;
  const auto local = FromCivil(c);
  if (!local) return std::nullopt;
  return *local + fraction - offset;
}

}  // namespace holdfast::quota
