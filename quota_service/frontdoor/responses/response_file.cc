#include "quota_service/frontdoor/responses/response_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/sqlite/schema.h"

namespace holdfast::quota {
namespace {

using std::chrono::microseconds;

// Times in microseconds since 1970.
constexpr char kFirstSchema[] = R"sql(
CREATE TABLE responses(
  id TEXT NOT NULL,
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  model TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  made_us INTEGER NOT NULL,
  PRIMARY KEY(id, tenant)
) WITHOUT ROWID;
)sql";

constexpr std::array<const char*, 1> kMigrations = {kFirstSchema};

sqlite::Schema OurSchema() {
  constexpr int64_t kApplicationId = 0x484f4c52;  // "HOLR"
  return {.application_id = kApplicationId, .program = "quota_service", .migrations = kMigrations};
}

bool Never() { return false; }

}  // namespace

absl::StatusOr<ResponseFile> ResponseFile::Open(const std::string& path) {
  absl::StatusOr<sqlite::Connection> connection =
      sqlite::OpenOwnDatabase(path, OurSchema(), sqlite::Durability::kNewestMayGo);
  if (!connection.ok()) return connection.status();
  return ResponseFile(*std::move(connection));
}

absl::Status ResponseFile::Load(const std::function<void(ResponseKey, KnownResponse)>& take) {
  absl::StatusOr<sqlite::Statement> rows =
      connection_.Prepare("SELECT id, tenant, account, model, tokens, made_us FROM responses ORDER BY made_us");
  if (!rows.ok()) return rows.status();
  while (true) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok() || !*row) return row.status();
    const WallTime made(std::chrono::duration_cast<WallTime::duration>(microseconds(rows->Int(5))));
    take({rows->Bytes(0), rows->Bytes(1)}, {rows->Bytes(2), rows->Bytes(3), std::max<int64_t>(0, rows->Int(4)), made});
  }
}

absl::Status ResponseFile::Write(const ResponseChanges& changes) {
  return sqlite::InTransaction(connection_, Never, [&]() -> absl::Status {
    absl::StatusOr<sqlite::Statement> keep =
        connection_.Prepare("INSERT OR REPLACE INTO responses VALUES(?, ?, ?, ?, ?, ?)");
    if (!keep.ok()) return keep.status();
    absl::StatusOr<sqlite::Statement> forget = connection_.Prepare("DELETE FROM responses WHERE id = ? AND tenant = ?");
    if (!forget.ok()) return forget.status();
    for (const auto& [key, response] : changes) {
      absl::Status status;
      if (response) {
        const auto made = std::chrono::duration_cast<microseconds>(response->made.time_since_epoch());
        keep->BindText(1, key.id).BindText(2, key.tenant).BindText(3, response->account).BindText(4, response->model);
        status = keep->Bind(5, response->tokens).Bind(6, made.count()).Run();
      } else {
        status = forget->BindText(1, key.id).BindText(2, key.tenant).Run();
      }
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  });
}

}  // namespace holdfast::quota
