#include "clients/cli/commands/quota_text.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <cmath>
#include <utility>

#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/waiters_text.h"
#include "clients/cli/terminal/json_lines.h"
#include "clients/cli/terminal/wait_line.h"
#include "common/base/duration_text.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;
using quota::v1::GetHeadroomResponse;

// Sleeping as long as is printed has to be enough; 3.646 itself must not become 3.647, though its product with 1000 is
// a little more than 3646.
double CeilToMilliseconds(double seconds) { return std::ceil(seconds * 1000 - 1e-6) / 1000; }

std::string_view VerdictName(GetHeadroomResponse::Verdict verdict) {
  switch (verdict) {
    case GetHeadroomResponse::FITS_NOW:
      return "fits_now";
    case GetHeadroomResponse::MUST_WAIT:
      return "must_wait";
    case GetHeadroomResponse::NEVER_FITS:
      return "never_fits";
    default:
      return "unknown";
  }
}

json::array LimitsJson(const google::protobuf::RepeatedPtrField<quota::v1::LimitStatus>& limits) {
  json::array array;
  for (const auto& limit : limits) {
    array.push_back(json::object{{"dimension", limit.dimension()},
                                 {"limit", limit.limit()},
                                 {"window_seconds", limit.window_seconds()},
                                 {"remaining", limit.remaining()},
                                 {"source", limit.source()}});
  }
  return array;
}

json::array BudgetsJson(const quota::v1::WatchStatusResponse& status) {
  json::array array;
  for (const auto& budget : status.budgets()) {
    array.push_back(json::object{{"tenant", budget.tenant()},
                                 {"tokens_per_day", budget.tokens_per_day()},
                                 {"spent", budget.spent()},
                                 {"reserved", budget.reserved()},
                                 {"warned", budget.warned()},
                                 {"reset_seconds", budget.reset_seconds()},
                                 {"reset_at", TimeText(budget.reset_at())},
                                 {"waiting", budget.waiting()},
                                 {"waiters", WaitersJson(budget.waiters())}});
  }
  return array;
}

std::string Source(const std::string& source) {
  return source == "headers" || source == "refusal" ? "learnt from " + source : source;
}

// Requests that name no model, such as a list of models, have a group of their own.
std::string GroupTitle(const std::string& name) { return name.ends_with('/') ? name + "(no model)" : name; }

std::string BudgetLine(const quota::v1::BudgetStatus& budget) {
  std::string line =
      fmt::format("  {}  {} of {} tokens spent", budget.tenant(), budget.spent(), budget.tokens_per_day());
  if (budget.tokens_per_day() > 0) {
    line += fmt::format(" ({:.0f} %)",
                        100 * static_cast<double>(budget.spent()) / static_cast<double>(budget.tokens_per_day()));
  }
  if (budget.reserved() > 0) line += fmt::format(", {} reserved", budget.reserved());
  if (budget.waiting() > 0) line += fmt::format(", {} waiting", budget.waiting());
  line += fmt::format(", reset in {}", FormatDuration(FromSeconds(budget.reset_seconds())));
  return line + (budget.warned() ? "  !\n" : "\n");
}

}  // namespace

HeadroomAnswer Judge(const GetHeadroomResponse& response, Duration max_wait) {
  switch (response.verdict()) {
    case GetHeadroomResponse::FITS_NOW:
      return {.exit_code = kExitDone, .seconds = 0};
    case GetHeadroomResponse::MUST_WAIT: {
      const double wait = response.wait().seconds();
      const double seconds = std::isfinite(wait) && wait > 0 ? CeilToMilliseconds(wait) : 0;
      return {.exit_code = seconds <= ToSeconds(max_wait) && max_wait > Duration::zero() ? kExitDone : kExitMustWait,
              .seconds = seconds};
    }
    case GetHeadroomResponse::NEVER_FITS:
      return {.exit_code = kExitNeverFits, .seconds = 0};
    default:
      return {.exit_code = kExitFailed, .seconds = 0};
  }
}

json::object HeadroomJson(const GetHeadroomResponse& response, const HeadroomAnswer& answer) {
  json::object object{{"fits", answer.exit_code == kExitDone},
                      {"verdict", JsonText(VerdictName(response.verdict()))},
                      {"seconds", answer.seconds},
                      {"largest_admissible", nullptr},
                      {"limits_known", response.limits_known()},
                      {"limits", LimitsJson(response.limits())},
                      {"wait", nullptr}};
  if (response.largest_admissible_tokens() > 0) object["largest_admissible"] = response.largest_admissible_tokens();
  if (response.verdict() == GetHeadroomResponse::MUST_WAIT && response.has_wait()) {
    json::object wait = WaitJson(response.wait());
    wait.erase("type");
    object["wait"] = std::move(wait);
  }
  return object;
}

std::string HeadroomText(const GetHeadroomResponse& response, const HeadroomAnswer& answer, int64_t tokens) {
  std::string text;
  const bool by_budget = response.wait().reason() == quota::v1::WAIT_REASON_BUDGET;
  switch (response.verdict()) {
    case GetHeadroomResponse::FITS_NOW:
      text = fmt::format("{} tokens fit now", tokens);
      break;
    case GetHeadroomResponse::MUST_WAIT:
      text = fmt::format("{} tokens fit in {:.3f} seconds", tokens, answer.seconds);
      if (by_budget) text += ", when the tenant's budget of the day begins anew";
      if (answer.exit_code == kExitDone) text += ", within --max-wait";
      break;
    case GetHeadroomResponse::NEVER_FITS:
      text = fmt::format("{} tokens can never fit{}", tokens, by_budget ? " the tenant's budget of a day" : "");
      if (response.largest_admissible_tokens() > 0) {
        text += fmt::format("; the largest that fits is {}", response.largest_admissible_tokens());
      }
      break;
    default:
      return "quota_service gave a verdict that this version does not know; update holdfast";
  }
  const bool known = response.limits_known() || (by_budget && response.verdict() == GetHeadroomResponse::NEVER_FITS);
  if (!known) text += " (a guess: nothing is known of the limits yet)";
  return text;
}

json::object StatusJson(const quota::v1::WatchStatusResponse& status) {
  json::array upstreams;
  for (const auto& upstream : status.upstreams()) {
    json::array groups;
    for (const auto& group : upstream.groups()) {
      groups.push_back(json::object{{"name", group.name()},
                                    {"limits", LimitsJson(group.limits())},
                                    {"queued", group.queued()},
                                    {"in_flight", group.in_flight()},
                                    {"wait_seconds", group.wait_seconds()},
                                    {"waiters", WaitersJson(group.waiters())},
                                    {"visible", group.visible()}});
    }
    json::array troubles;
    for (const std::string& trouble : upstream.troubles()) troubles.emplace_back(trouble);
    json::object object{{"name", upstream.name()},
                        {"groups", std::move(groups)},
                        {"unusable", nullptr},
                        {"troubles", std::move(troubles)}};
    if (!upstream.unusable().empty()) object["unusable"] = upstream.unusable();
    upstreams.push_back(std::move(object));
  }
  json::object object{{"type", "status"},
                      {"time", TimeText(status.time())},
                      {"upstreams", std::move(upstreams)},
                      {"budgets", BudgetsJson(status)},
                      {"checkpoint_trouble", nullptr}};
  if (!status.checkpoint_trouble().empty()) object["checkpoint_trouble"] = status.checkpoint_trouble();
  return object;
}

std::string StatusText(const quota::v1::WatchStatusResponse& status) {
  std::string text;
  if (status.upstreams().empty()) text = "no upstream has been used yet\n";
  for (const auto& upstream : status.upstreams()) {
    text += upstream.name();
    text += upstream.unusable().empty() ? "\n" : fmt::format("  unusable: {}\n", upstream.unusable());
    for (const std::string& trouble : upstream.troubles()) text += fmt::format("  {}\n", trouble);
    for (const auto& group : upstream.groups()) {
      text += fmt::format("  {}  {} queued, {} in flight", GroupTitle(group.name()), group.queued(), group.in_flight());
      if (group.wait_seconds() > 0)
        text += fmt::format(", next in {}", FormatDuration(FromSeconds(group.wait_seconds())));
      text += '\n';
      for (const auto& limit : group.limits()) {
        text += fmt::format("    {} {}: {} left ({})\n", LimitName(limit.dimension(), limit.window_seconds()),
                            limit.limit(), limit.remaining(), Source(limit.source()));
      }
      text += WaitersText(group.waiters(), group.visible());
    }
  }
  if (!status.budgets().empty()) text += "budgets of the day (UTC)\n";
  for (const auto& budget : status.budgets()) {
    text += BudgetLine(budget) + WaitersText(budget.waiters(), budget.waiting());
  }
  if (!status.checkpoint_trouble().empty()) text += fmt::format("checkpoint: {}\n", status.checkpoint_trouble());
  return text;
}

}  // namespace holdfast::cli
