// Forty sessions share 10 requests in any 2 s. Each has four turns, one `holdfast exec` for each: the first begins the
// session, the others go on with it. Nobody is refused, and all have their turn at the pace that the limit allows.
//
// Not a timed test: it prints how long it took, on a machine that may have other things to do, and asserts what must
// always hold.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tests/e2e/pair.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;

constexpr int kSessions = 40;
constexpr int kTurns = 4;
constexpr int kLimit = 10;                // requests
constexpr double kWindow = 2;             // seconds
constexpr std::chrono::minutes kLong(2);  // for a turn

double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values.at(static_cast<size_t>(q * static_cast<double>(values.size() - 1)));
}

class Pacing : public testing::Test {
 protected:
  Pacing()
      : pair_([](const std::string& url) {
          return fmt::format(R"(
upstreams:
  - name: upstream
    base_url: {}
    api_key: {{env: OPENAI_API_KEY}}
    limits: [{{models: ["o4-mini"], requests: {{count: {}, per: {}s}}}}]
)",
                             url, kLimit, kWindow);
        }) {
    pair_.simulator().SetScript(fmt::format(
        R"({{"limits": {{"requests": {{"limit": {}, "per": {}, "kind": "sliding"}}}}, "default": {{"text": "Done."}}}})",
        kLimit, kWindow));
  }

  // All turns of one session. False: it died.
  bool Live(int number) {
    std::string session;
    for (int turn = 0; turn < kTurns; ++turn) {
      std::vector<std::string> more = {"--json"};
      if (!session.empty()) more.insert(more.end(), {"--session", session});
      const auto began = BootClock::now();
      auto exec = pair_.Exec(fmt::format("Session {}, turn {}.", number, turn), more);
      const auto exit = exec->WaitForExit(kLong);
      const double seconds = ToSeconds(BootClock::now() - began);
      const std::lock_guard lock(mutex_);
      if (exit != 0) {
        ADD_FAILURE() << "session " << number << ", turn " << turn << ": " << exec->out() << exec->err();
        return false;
      }
      turns_.push_back(seconds);
      const json::value started = FirstOfType(JsonLines(exec->out()), "thread.started");
      session = std::string(started.at("thread_id").as_string());
      sessions_.insert(session);
    }
    return true;
  }

  Pair pair_;
  std::mutex mutex_;
  std::vector<double> turns_;  // seconds, of `holdfast exec` from its start to its exit
  std::set<std::string> sessions_;
};

TEST_F(Pacing, FortySessionsOfFourTurnsShareTenRequestsInTwoSeconds) {
  std::vector<std::thread> threads;
  std::vector<char> alive(kSessions);
  const auto began = BootClock::now();
  for (int i = 0; i < kSessions; ++i) {
    threads.emplace_back([this, i, &alive] { alive[static_cast<size_t>(i)] = Live(i) ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  const double whole = ToSeconds(BootClock::now() - began);

  int calls = 0;
  int refused = 0;
  std::vector<double> arrivals;
  for (const json::value& request : pair_.simulator().Requests()) {
    (request.at("admitted").as_bool() ? calls : refused) += 1;
    if (request.at("admitted").as_bool()) arrivals.push_back(Number(request, "boot_ns") / 1e9);
  }
  const auto living = std::count(alive.begin(), alive.end(), 1);
  ASSERT_FALSE(turns_.empty());
  const auto [first, last] = std::minmax_element(arrivals.begin(), arrivals.end());
  // Of the 160, the first ten go at once.
  const double least = (kSessions * kTurns - kLimit) / static_cast<double>(kLimit) * kWindow;
  fmt::print(
      "sessions alive: {} of {}\nupstream calls: {}, refused: {}\nfirst submit to last completion: {:.2f} s, at the "
      "upstream from first to last call {:.2f} s; the limit allows {:.0f} s\nturn time: p50 {:.2f} s, p95 {:.2f} s, "
      "max {:.2f} s; p95 / p50 {:.2f}\n",
      living, kSessions, calls, refused, whole, *last - *first, least, Quantile(turns_, 0.5), Quantile(turns_, 0.95),
      Quantile(turns_, 1), Quantile(turns_, 0.95) / Quantile(turns_, 0.5));

  EXPECT_EQ(living, kSessions);
  EXPECT_EQ(sessions_.size(), static_cast<size_t>(kSessions));
  EXPECT_EQ(calls, kSessions * kTurns);
  EXPECT_LE(refused, 1);
  EXPECT_GE(*last - *first, least - 0.5) << "the simulator did not enforce its limit";
}

}  // namespace
}  // namespace holdfast::test
