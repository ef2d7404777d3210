#include "quota_service/checkpoint/checkpoint_file.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include "common/sqlite/schema.h"

namespace holdfast::quota {
namespace {

// Times in microseconds since 1970 or, of windows, in nanoseconds; amounts of limits as the bits of a double, so that
// what is read is what was written.
constexpr char kFirstSchema[] = R"sql(
CREATE TABLE saved(
  time_us INTEGER NOT NULL
);
CREATE TABLE budgets(
  tenant TEXT NOT NULL PRIMARY KEY,
  day INTEGER NOT NULL,
  spent INTEGER NOT NULL,
  warned INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE upstreams(
  name TEXT NOT NULL PRIMARY KEY,
  base_url TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE limit_groups(
  name TEXT NOT NULL PRIMARY KEY,
  concurrent INTEGER NOT NULL,
  concurrent_source INTEGER NOT NULL,
  learnt INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE limits(
  limit_group TEXT NOT NULL,
  position INTEGER NOT NULL,
  dimension INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  size_bits INTEGER NOT NULL,
  per_ns INTEGER NOT NULL,
  source INTEGER NOT NULL,
  level_bits INTEGER NOT NULL,
  PRIMARY KEY(limit_group, position)
) WITHOUT ROWID;
)sql";

constexpr std::array<const char*, 1> kMigrations = {kFirstSchema};

sqlite::Schema OurSchema() {
  constexpr int64_t kApplicationId = 0x484f4c51;  // "HOLQ"
  return {.application_id = kApplicationId, .program = "quota_service", .migrations = kMigrations};
}

bool Never() { return false; }

// The numbers by which these are kept never change.
int64_t NumberOf(Dimension dimension) {
  switch (dimension) {
    case Dimension::kRequests:
      return 1;
    case Dimension::kInputTokens:
      return 2;
    case Dimension::kOutputTokens:
      return 3;
    case Dimension::kTokens:
    case Dimension::kConcurrency:  // kept elsewhere
      break;
  }
  return 0;
}
int64_t NumberOf(WindowKind kind) {
  switch (kind) {
    case WindowKind::kSliding:
      return 1;
    case WindowKind::kFixed:
      return 2;
    case WindowKind::kContinuous:
      break;
  }
  return 0;
}
int64_t NumberOf(LimitSource source) {
  switch (source) {
    case LimitSource::kHeaders:
      return 1;
    case LimitSource::kRefusal:
      return 2;
    case LimitSource::kProbe:
      return 3;
    case LimitSource::kConfigured:
      break;
  }
  return 0;
}

template <typename E>
std::optional<E> Among(int64_t number, std::initializer_list<E> all) {
  for (const E value : all) {
    if (NumberOf(value) == number) return value;
  }
  return std::nullopt;
}

std::optional<LimitSource> SourceOf(int64_t number) {
  return Among(number, {LimitSource::kConfigured, LimitSource::kHeaders, LimitSource::kRefusal, LimitSource::kProbe});
}

std::optional<LimitGroupState::Limit> LimitOf(const sqlite::Statement& row) {
  constexpr double kMost = 1e15;
  const auto dimension =
      Among(row.Int(1), {Dimension::kTokens, Dimension::kRequests, Dimension::kInputTokens, Dimension::kOutputTokens});
  const auto kind = Among(row.Int(2), {WindowKind::kContinuous, WindowKind::kSliding, WindowKind::kFixed});
  const auto size = std::bit_cast<double>(row.Int(3));
  const int64_t per = row.Int(4);
  const auto source = SourceOf(row.Int(5));
  const auto level = std::bit_cast<double>(row.Int(6));
  if (!dimension || !kind || !source || !std::isfinite(size) || size <= 0 || size > kMost || per <= 0 ||
      !std::isfinite(level) || level > size || level < -kMost) {
    return std::nullopt;
  }
  return LimitGroupState::Limit{
      .dimension = *dimension, .kind = *kind, .limit = size, .per = Duration(per), .source = *source, .level = level};
}

absl::Status ForEachRow(sqlite::Connection& connection, std::string_view sql,
                        const std::function<void(const sqlite::Statement&)>& take) {
  absl::StatusOr<sqlite::Statement> statement = connection.Prepare(sql);
  if (!statement.ok()) return statement.status();
  while (true) {
    const absl::StatusOr<bool> row = statement->Step();
    if (!row.ok() || !*row) return row.status();
    take(*statement);
  }
}

}  // namespace

absl::StatusOr<CheckpointFile> CheckpointFile::Open(const std::string& path) {
  absl::StatusOr<sqlite::Connection> connection =
      sqlite::OpenOwnDatabase(path, OurSchema(), sqlite::Durability::kEveryCommit);
  if (!connection.ok()) return connection.status();
  return CheckpointFile(*std::move(connection));
}

absl::StatusOr<CheckpointState> CheckpointFile::Load(int* skipped) {
  CheckpointState state;
  absl::Status status = ForEachRow(connection_, "SELECT time_us FROM saved", [&](const sqlite::Statement& row) {
    state.saved = WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::microseconds(row.Int(0))));
  });
  if (!status.ok()) return status;
  status = ForEachRow(connection_, "SELECT tenant, day, spent, warned FROM budgets", [&](const sqlite::Statement& row) {
    // The year 292,000,000 is the last that a moment can have.
    constexpr int64_t kMostDays = 100'000;
    if (row.Int(1) < 0 || row.Int(1) > kMostDays || row.Int(2) < 0) {
      ++*skipped;
    } else {
      state.budgets[row.Bytes(0)] = {.day = row.Int(1), .spent = row.Int(2), .warned = row.Int(3) != 0};
    }
  });
  if (!status.ok()) return status;
  status = ForEachRow(connection_, "SELECT name, base_url FROM upstreams",
                      [&](const sqlite::Statement& row) { state.upstreams[row.Bytes(0)] = row.Bytes(1); });
  if (!status.ok()) return status;
  std::map<std::string, LimitGroupState> groups;
  status = ForEachRow(connection_, "SELECT name, concurrent, concurrent_source, learnt FROM limit_groups",
                      [&](const sqlite::Statement& row) {
                        const auto source = SourceOf(row.Int(2));
                        if (!source || row.Int(1) < 0) {
                          ++*skipped;
                          return;
                        }
                        LimitGroupState& group = groups[row.Bytes(0)];
                        group.name = row.Bytes(0);
                        if (row.Int(1) > 0) group.concurrent = row.Int(1);
                        group.concurrent_source = *source;
                        group.learnt = row.Int(3) != 0;
                      });
  if (!status.ok()) return status;
  status = ForEachRow(connection_,
                      "SELECT limit_group, dimension, kind, size_bits, per_ns, source, level_bits FROM limits "
                      "ORDER BY limit_group, position",
                      [&](const sqlite::Statement& row) {
                        const auto group = groups.find(row.Bytes(0));
                        const auto limit = LimitOf(row);
                        if (group == groups.end() || !limit) {
                          ++*skipped;
                        } else {
                          group->second.limits.push_back(*limit);
                        }
                      });
  if (!status.ok()) return status;
  for (auto& [name, group] : groups) state.groups.push_back(std::move(group));
  return state;
}

absl::Status CheckpointFile::Save(const CheckpointState& state) {
  return sqlite::InTransaction(connection_, Never, [&] { return Write(state); });
}

absl::Status CheckpointFile::Write(const CheckpointState& state) {
  absl::Status status = connection_.Execute(
      "DELETE FROM saved; DELETE FROM budgets; DELETE FROM upstreams; DELETE FROM limit_groups; DELETE FROM limits");
  if (!status.ok()) return status;
  absl::StatusOr<sqlite::Statement> saved = connection_.Prepare("INSERT INTO saved VALUES(?)");
  absl::StatusOr<sqlite::Statement> budgets = connection_.Prepare("INSERT INTO budgets VALUES(?, ?, ?, ?)");
  absl::StatusOr<sqlite::Statement> upstreams = connection_.Prepare("INSERT INTO upstreams VALUES(?, ?)");
  absl::StatusOr<sqlite::Statement> groups = connection_.Prepare("INSERT INTO limit_groups VALUES(?, ?, ?, ?)");
  absl::StatusOr<sqlite::Statement> limits = connection_.Prepare("INSERT INTO limits VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  for (const auto* statement : {&saved, &budgets, &upstreams, &groups, &limits}) {
    if (!statement->ok()) return statement->status();
  }
  saved->Bind(1, std::chrono::duration_cast<std::chrono::microseconds>(state.saved.time_since_epoch()).count());
  if (status = saved->Run(); !status.ok()) return status;
  for (const auto& [tenant, budget] : state.budgets) {
    budgets->BindText(1, tenant).Bind(2, budget.day).Bind(3, budget.spent).Bind(4, budget.warned ? 1 : 0);
    if (status = budgets->Run(); !status.ok()) return status;
  }
  for (const auto& [name, base_url] : state.upstreams) {
    if (status = upstreams->BindText(1, name).BindText(2, base_url).Run(); !status.ok()) return status;
  }
  for (const LimitGroupState& group : state.groups) {
    groups->BindText(1, group.name)
        .Bind(2, group.concurrent.value_or(0))
        .Bind(3, NumberOf(group.concurrent_source))
        .Bind(4, group.learnt ? 1 : 0);
    if (status = groups->Run(); !status.ok()) return status;
    for (size_t i = 0; i < group.limits.size(); ++i) {
      const LimitGroupState::Limit& limit = group.limits[i];
      limits->BindText(1, group.name)
          .Bind(2, static_cast<int64_t>(i))
          .Bind(3, NumberOf(limit.dimension))
          .Bind(4, NumberOf(limit.kind))
          .Bind(5, std::bit_cast<int64_t>(limit.limit))
          .Bind(6, limit.per.count())
          .Bind(7, NumberOf(limit.source))
          .Bind(8, std::bit_cast<int64_t>(limit.level));
      if (status = limits->Run(); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace holdfast::quota
