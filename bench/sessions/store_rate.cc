// Durable events a second at the store's interface, and of plain SQLite with as many inserts to a commit as it has
// writers: what group commit could reach at best.
#include <fmt/format.h>
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <string>

#include "agent_service/store/sqlite_store.h"
#include "bench/sessions/bench.h"
#include "common/sqlite/task_thread.h"

namespace holdfast::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kRun{3};
constexpr size_t kEventBytes = 200;
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
  request.session.summary = std::string(100, 's');
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

// The same rows, with the same index and the same settings, and nothing else.
double RawRate(const std::string& path, int per_commit) {
  sqlite3* database = nullptr;
  sqlite3_open(path.c_str(), &database);
  sqlite3_exec(
      database,
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE log(tenant TEXT NOT NULL, session_id TEXT "
      "NOT NULL, sequence INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(tenant, session_id, sequence)); "
      "CREATE TABLE sessions(tenant TEXT NOT NULL, session_id TEXT NOT NULL, last_sequence INTEGER NOT NULL, "
      "updated_us INTEGER NOT NULL, summary BLOB NOT NULL, PRIMARY KEY(tenant, session_id)); "
      "CREATE INDEX by_update ON sessions(tenant, updated_us DESC, session_id)",
      nullptr, nullptr, nullptr);
  sqlite3_stmt* event = nullptr;
  sqlite3_prepare_v2(database, "INSERT INTO log VALUES('team', ?1, ?2, ?3)", -1, &event, nullptr);
  sqlite3_stmt* session = nullptr;
  sqlite3_prepare_v2(
      database,
      "INSERT INTO sessions VALUES('team', ?1, ?2, ?3, ?4) ON CONFLICT(tenant, session_id) DO UPDATE SET "
      "last_sequence = excluded.last_sequence, updated_us = excluded.updated_us, summary = excluded.summary",
      -1, &session, nullptr);
  const std::string bytes(kEventBytes, 'e');
  const std::string summary(100, 's');
  int64_t events = 0;
  const auto begin = Clock::now();
  for (int64_t sequence = 1; Clock::now() < begin + kRun; ++sequence) {
    sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
    for (int writer = 0; writer < per_commit; ++writer, ++events) {
      const std::string id = fmt::format("s{}", writer);
      sqlite3_bind_text(event, 1, id.c_str(), -1, SQLITE_TRANSIENT);
      sqlite3_bind_int64(event, 2, sequence);
      sqlite3_bind_blob(event, 3, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
      sqlite3_step(event);
      sqlite3_reset(event);
      sqlite3_bind_text(session, 1, id.c_str(), -1, SQLITE_TRANSIENT);
      sqlite3_bind_int64(session, 2, sequence);
      sqlite3_bind_int64(session, 3, events);
      sqlite3_bind_blob(session, 4, summary.data(), static_cast<int>(summary.size()), SQLITE_STATIC);
      sqlite3_step(session);
      sqlite3_reset(session);
    }
    sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr);
  }
  const double rate = static_cast<double>(events) / Seconds(Clock::now() - begin);
  sqlite3_finalize(event);
  sqlite3_finalize(session);
  sqlite3_close(database);
  return rate;
}

}  // namespace

bool MeasureStoreRate(const std::filesystem::path& folder) {
  fmt::print("| writers | events/s, store | events/s, plain SQLite | ratio |\n|---|---|---|---|\n");
  bool good = true;
  for (const int writers : {1, 100, 1000}) {
    const double raw = RawRate((folder / fmt::format("raw-{}.db", writers)).string(), writers);
    const double store = StoreRate((folder / fmt::format("store-{}.db", writers)).string(), writers);
    fmt::print("| {} | {:.0f} | {:.0f} | {:.2f} |\n", writers, store, raw, store / raw);
    good = good && store >= kLeastRatio * raw;
  }
  return good;
}

}  // namespace holdfast::bench
