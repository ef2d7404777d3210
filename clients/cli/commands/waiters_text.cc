#include "clients/cli/commands/waiters_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "clients/cli/terminal/json_lines.h"
#include "clients/cli/terminal/sanitize.h"
#include "clients/cli/terminal/wait_line.h"
#include "common/base/clock.h"
#include "common/base/duration_text.h"

namespace holdfast::cli {
namespace {

constexpr size_t kMostNameColumns = 36;
constexpr size_t kColumns = 8;
using Row = std::array<std::string, kColumns>;

std::string Time(double seconds) { return FormatDuration(FromSeconds(std::max(0.0, seconds))); }

Row RowOf(const quota::v1::WaiterStatus& waiter) {
  const bool known = waiter.most_seconds() > 0;
  return {fmt::to_string(waiter.position()),
          SanitizeLine(waiter.tenant(), kMostNameColumns),
          SanitizeLine(waiter.session(), kMostNameColumns),
          Time(waiter.seconds()),
          known ? fmt::format("{} to {}", Time(waiter.least_seconds()), Time(waiter.most_seconds())) : "-",
          fmt::to_string(waiter.requested()),
          Time(waiter.waited_seconds()),
          std::string(WaitReasonName(waiter.reason()))};
}

double Finite(double seconds) { return std::isfinite(seconds) ? seconds : 0; }

}  // namespace

std::string WaitersText(const Waiters& waiters, int64_t visible) {
  if (waiters.empty()) return {};
  std::vector<Row> rows = {{"#", "tenant", "session", "runs in", "4 of 5 within", "tokens", "waited", "reason"}};
  for (const auto& waiter : waiters) rows.push_back(RowOf(waiter));
  std::array<size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    text += "  ";
    for (size_t i = 0; i + 1 < kColumns; ++i) text += fmt::format("  {:<{}}", row[i], widths[i]);
    text += fmt::format("  {}\n", row.back());
  }
  if (visible > waiters.size()) text += fmt::format("    and {} more\n", visible - waiters.size());
  return text;
}

boost::json::array WaitersJson(const Waiters& waiters) {
  boost::json::array array;
  for (const auto& waiter : waiters) {
    array.push_back(boost::json::object{{"tenant", waiter.tenant()},
                                        {"session", waiter.session()},
                                        {"position", waiter.position()},
                                        {"seconds", Finite(waiter.seconds())},
                                        {"least_seconds", Finite(waiter.least_seconds())},
                                        {"most_seconds", Finite(waiter.most_seconds())},
                                        {"requested", waiter.requested()},
                                        {"waited_seconds", Finite(waiter.waited_seconds())},
                                        {"reason", JsonText(WaitReasonName(waiter.reason()))}});
  }
  return array;
}

}  // namespace holdfast::cli
