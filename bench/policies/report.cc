#include "bench/policies/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace holdfast::bench {
namespace {

// World's clock begins an hour after zero.
double SinceBeginning(BootTime time) { return ToSeconds(time - BootTime(std::chrono::hours(1))); }

const char* NameOf(Call::Outcome outcome) {
  switch (outcome) {
    case Call::Outcome::kDone:
      return "done";
    case Call::Outcome::kOutOfPatience:
      return "out of patience";
    case Call::Outcome::kRefused:
      break;
  }
  return "refused";
}

}  // namespace

std::string RangeOf(const std::vector<Result>& seeds, const std::function<double(const Result&)>& value, int digits) {
  if (seeds.empty()) return "–";
  std::vector<double> values;
  std::transform(seeds.begin(), seeds.end(), std::back_inserter(values), value);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  std::string from = fmt::format("{:.{}f}", *least, digits);
  const std::string to = fmt::format("{:.{}f}", *most, digits);
  return from == to ? from : from + "–" + to;
}

std::string TableOf(const std::vector<Row>& rows) {
  std::string table =
      "| policy | useful | use while tokens bind (% of the time) | admitted | refused | at clients | sessions died | "
      "tasks done / sessions without | wait "
      "p50, p95, max (s) | Jain | large served / given up | forecast error p50, p90 (%) | in the 80 % interval (%), "
      "its "
      "width (%) |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& [policy, seeds] : rows) {
    const auto range = [&seeds = seeds](int digits, const std::function<double(const Result&)>& value) {
      return RangeOf(seeds, value, digits);
    };
    const auto wait = [](double q) { return [q](const Result& r) { return Quantile(r.waits, q); }; };
    const auto error = [](double q) { return [q](const Result& r) { return 100 * Quantile(r.forecasts.errors, q); }; };
    const bool forecasts =
        std::any_of(seeds.begin(), seeds.end(), [](const Result& r) { return !r.forecasts.errors.empty(); });
    table += fmt::format(
        "| {} | {} | {} ({}) | {} | {} | {} | {} | {} / {} | {}, {}, {} | {} | {} / {} | {} | {} |\n", policy,
        range(3, [](const Result& r) { return r.useful; }), range(4, [](const Result& r) { return r.use; }),
        range(0, [](const Result& r) { return 100 * r.bound; }), range(0, [](const Result& r) { return r.admissions; }),
        range(0, [](const Result& r) { return r.refusals; }),
        range(0, [](const Result& r) { return r.refusals_at_clients; }),
        range(0, [](const Result& r) { return r.sessions_died; }),
        range(0, [](const Result& r) { return r.tasks_done; }),
        range(0, [](const Result& r) { return r.without_task(); }), range(1, wait(0.5)), range(1, wait(0.95)),
        range(1, wait(1)), range(3, [](const Result& r) { return r.Jain(); }),
        range(0, [](const Result& r) { return r.large_served; }),
        range(0, [](const Result& r) { return r.large_failed; }),
        forecasts ? range(1, error(0.5)) + ", " + range(1, error(0.9)) : "–",
        forecasts ? range(1, [](const Result& r) { return 100 * r.forecasts.coverage(); }) + ", " +
                        range(1, [](const Result& r) { return 100 * Quantile(r.forecasts.widths, 0.5); })
                  : "–");
  }
  return table;
}

std::string LessonsOf(const std::vector<Row>& rows) {
  std::string text;
  for (const auto& [policy, seeds] : rows) {
    for (size_t seed = 0; seed < seeds.size(); ++seed) {
      for (const LimitWatch::Lesson& lesson : seeds[seed].lessons) {
        text += fmt::format("{}, run {}: from {:.0f} to {:.0f} {}, {} responses, {} probes, {:.1f} s\n", policy,
                            seed + 1, lesson.from, lesson.to, lesson.learnt ? "learnt" : "NOT LEARNT", lesson.responses,
                            lesson.probes, ToSeconds(lesson.took));
      }
    }
  }
  return text;
}

CallLog::CallLog(std::FILE* file) : file_(file) {
  fmt::print(file_,
             "scenario,policy,seed,tenant,weight,session,background,submitted,sent,announced,least,most,characters,cap,"
             "input,output,refusals,outcome\n");
}

void CallLog::Add(const std::string& scenario, const std::string& policy, uint64_t seed, const Call& call) {
  fmt::print(file_, "{},{},{},{},{},{},{},{:.3f},{:.3f},{},{:.3f},{:.3f},{},{},{},{},{},{}\n", scenario, policy, seed,
             call.tenant, call.weight, call.session, call.background ? 1 : 0, SinceBeginning(call.submitted),
             SinceBeginning(call.sent), call.announced ? fmt::format("{:.3f}", ToSeconds(*call.announced)) : "",
             ToSeconds(call.least), ToSeconds(call.most), call.request.characters, call.request.cap, call.request.input,
             call.request.output, call.refusals, NameOf(call.outcome));
}

}  // namespace holdfast::bench
