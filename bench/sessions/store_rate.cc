// Durable events a second at the store's interface, and of plain SQLite: the same rows into the same tables with the
// same durability, as many to a commit as there are writers, from one thread. It checks no sequence and computes no row
// check, hands nothing from thread to thread and tells nobody: what group commit could reach at best.
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "agent_service/store/rules.h"
#include "agent_service/store/sqlite_store.h"
#include "bench/sessions/bench.h"
#include "common/sqlite/task_thread.h"

namespace holdfast::bench {
namespace {

using Clock = std::chrono::steady_clock;
// Store and SQLite take turns, so that what else the machine does meets both.
constexpr int kRounds = 7;
constexpr std::chrono::seconds kRun{1};
constexpr size_t kEventBytes = 200;
constexpr size_t kSummaryBytes = 100;
constexpr double kLeastRatio = 0.8;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

struct Writers {
  agent::SqliteStore& store;
  Clock::time_point end;
  std::atomic<int64_t> events{0};
  std::latch done;
};

// One event after another, each after the one before is durable.
void Append(Writers& writers, int writer, int64_t sequence) {
  agent::AppendRequest request;
  request.session.tenant = "team";
  request.session.session_id = fmt::format("s{}", writer);
  request.session.updated = std::chrono::system_clock::now();
  request.session.summary = std::string(kSummaryBytes, 's');
  request.expected_sequence = sequence;
  request.generation = writers.store.generation();
  request.events.push_back(
      {.time = std::chrono::system_clock::now(), .type = 4, .bytes = std::string(kEventBytes, 'e')});
  writers.store.Append(std::move(request), [&writers, writer](absl::StatusOr<int64_t> last) {
    if (!last.ok()) {
      fmt::print(stderr, "{}\n", last.status().ToString());
      return writers.done.count_down();
    }
    ++writers.events;
    if (Clock::now() >= writers.end) return writers.done.count_down();
    Append(writers, writer, *last);
  });
}

double StoreRate(const std::string& path, int count) {
  TaskThread loop;
  auto store = agent::SqliteStore::Open(path, [&loop](absl::AnyInvocable<void()> task) { loop.Post(std::move(task)); });
  if (!store.ok()) return 0;
  const auto begin = Clock::now();
  Writers writers{**store, begin + kRun, {}, std::latch(count)};
  for (int writer = 0; writer < count; ++writer) Append(writers, writer, 0);
  writers.done.wait();
  const double rate = static_cast<double>(writers.events) / Seconds(Clock::now() - begin);
  store->reset();
  return rate;
}

double RawRate(const std::string& path, int per_commit) {
  if (!agent::SqliteStore::Open(path, [](const absl::AnyInvocable<void()>&) {}).ok()) return 0;  // makes the tables
  sqlite3* database = nullptr;
  sqlite3_open(path.c_str(), &database);
  sqlite3_exec(database, "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384", nullptr, nullptr, nullptr);
  for (int writer = 0; writer < per_commit; ++writer) {
    sqlite3_exec(
        database,
        fmt::format("INSERT INTO sessions VALUES('team', 's{}', '', '', '', 0, 0, 0, 1, 0, x'')", writer).c_str(),
        nullptr, nullptr, nullptr);
  }
  sqlite3_stmt* event = nullptr;
  sqlite3_prepare_v2(database,
                     "INSERT INTO log(tenant, session_id, sequence, time_us, type, schema_version, bytes, row_check) "
                     "VALUES('team', ?1, ?2, ?3, 4, 1, ?4, 4611686018427387904)",
                     -1, &event, nullptr);
  sqlite3_stmt* session = nullptr;
  sqlite3_prepare_v2(database,
                     "UPDATE sessions SET last_sequence = ?2, updated_us = ?3, summary = ?4 WHERE tenant = 'team' AND "
                     "session_id = ?1",
                     -1, &session, nullptr);
  const std::string bytes(kEventBytes, 'e');
  const std::string summary(kSummaryBytes, 's');
  int64_t events = 0;
  bool good = event != nullptr && session != nullptr;
  const auto begin = Clock::now();
  for (int64_t sequence = 1; good && Clock::now() < begin + kRun; ++sequence) {
    sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
    for (int writer = 0; writer < per_commit; ++writer, ++events) {
      const std::string id = fmt::format("s{}", writer);
      const int64_t now = agent::ToMicros(std::chrono::system_clock::now());
      sqlite3_bind_text(event, 1, id.c_str(), -1, SQLITE_STATIC);
      sqlite3_bind_int64(event, 2, sequence);
      sqlite3_bind_int64(event, 3, now);
      sqlite3_bind_blob(event, 4, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
      good = good && sqlite3_step(event) == SQLITE_DONE;
      sqlite3_reset(event);
      sqlite3_bind_text(session, 1, id.c_str(), -1, SQLITE_STATIC);
      sqlite3_bind_int64(session, 2, sequence);
      sqlite3_bind_int64(session, 3, now);
      sqlite3_bind_blob(session, 4, summary.data(), static_cast<int>(summary.size()), SQLITE_STATIC);
      good = good && sqlite3_step(session) == SQLITE_DONE;
      sqlite3_reset(session);
    }
    good = good && sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK;
  }
  const double rate = static_cast<double>(events) / Seconds(Clock::now() - begin);
  if (!good) fmt::print(stderr, "plain SQLite: {}\n", sqlite3_errmsg(database));
  sqlite3_finalize(event);
  sqlite3_finalize(session);
  sqlite3_close(database);
  return good ? rate : 0;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

bool MeasureStoreRate(const std::filesystem::path& folder) {
  fmt::print("| writers | events/s, store | events/s, plain SQLite | ratio, median of {} |\n|---|---|---|---|\n",
             kRounds);
  bool good = true;
  for (const int writers : {1, 100, 1000}) {
    std::vector<double> raw;
    std::vector<double> store;
    std::vector<double> ratio;
    for (int round = 0; round < kRounds; ++round) {
      raw.push_back(RawRate((folder / fmt::format("raw-{}-{}.db", writers, round)).string(), writers));
      store.push_back(StoreRate((folder / fmt::format("store-{}-{}.db", writers, round)).string(), writers));
      if (raw.back() <= 0 || store.back() <= 0) return false;
      ratio.push_back(store.back() / raw.back());
    }
    fmt::print("| {} | {:.0f} | {:.0f} | {:.2f} |\n", writers, Median(store), Median(raw), Median(ratio));
    good = good && Median(ratio) >= kLeastRatio;
  }
  return good;
}

}  // namespace holdfast::bench
