#include "agent_service/store/session_writer.h"

#include <utility>
namespace holdfast::agent {
namespace {

constexpr char kHead[] = "SELECT last_sequence, generation FROM sessions WHERE tenant = ?1 AND session_id = ?2";

constexpr char kInsertEvent[] =
    "INSERT INTO log(tenant, session_id, sequence, time_us, type, schema_version, bytes, row_check) VALUES(?1, ?2, "
    "?3, ?4, ?5, ?6, ?7, ?8)";

constexpr char kInsertSession[] = R"sql(
INSERT INTO sessions(tenant, session_id, title, model, workspace, created_us, updated_us, last_sequence, generation, running,
                     summary)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
)sql";

// In one step with the check that it may move: with many sessions a look at the head first would cost a tenth more.
// Most events neither begin nor end a turn: without `running` among what is set, SQLite leaves sessions_running alone.
constexpr char kAdvanceSession[] = R"sql(
UPDATE sessions SET title = ?3, model = ?4, workspace = ?5, created_us = ?6, updated_us = ?7, last_sequence = ?8,
  generation = ?9, summary = ?11
WHERE tenant = ?1 AND session_id = ?2 AND last_sequence = ?12 AND generation <= ?9 AND running = ?10
)sql";
constexpr char kMoveSession[] = R"sql(
UPDATE sessions SET title = ?3, model = ?4, workspace = ?5, created_us = ?6, updated_us = ?7, last_sequence = ?8,
  generation = ?9, running = ?10, summary = ?11
WHERE tenant = ?1 AND session_id = ?2 AND last_sequence = ?12 AND generation <= ?9
)sql";

constexpr char kDeleteSession[] = "DELETE FROM sessions WHERE tenant = ?1 AND session_id = ?2 RETURNING 1";
constexpr char kDeleteLog[] = "DELETE FROM log WHERE tenant = ?1 AND session_id = ?2";

}  // namespace

absl::StatusOr<SessionWriter> SessionWriter::Create(sqlite::Connection& connection) {
  absl::StatusOr<sqlite::Statement> head = connection.Prepare(kHead);
  if (!head.ok()) return head.status();
  absl::StatusOr<sqlite::Statement> insert_event = connection.Prepare(kInsertEvent);
  if (!insert_event.ok()) return insert_event.status();
  absl::StatusOr<sqlite::Statement> insert_session = connection.Prepare(kInsertSession);
  if (!insert_session.ok()) return insert_session.status();
  absl::StatusOr<sqlite::Statement> advance_session = connection.Prepare(kAdvanceSession);
  if (!advance_session.ok()) return advance_session.status();
  absl::StatusOr<sqlite::Statement> move_session = connection.Prepare(kMoveSession);
  if (!move_session.ok()) return move_session.status();
  absl::StatusOr<sqlite::Statement> delete_session = connection.Prepare(kDeleteSession);
  if (!delete_session.ok()) return delete_session.status();
  absl::StatusOr<sqlite::Statement> delete_log = connection.Prepare(kDeleteLog);
  if (!delete_log.ok()) return delete_log.status();
  return SessionWriter(*std::move(head), *std::move(insert_event), *std::move(insert_session),
                       *std::move(advance_session), *std::move(move_session), *std::move(delete_session),
                       *std::move(delete_log));
}

SessionWriter::SessionWriter(sqlite::Statement head, sqlite::Statement insert_event, sqlite::Statement insert_session,
                             sqlite::Statement advance_session, sqlite::Statement move_session,
                             sqlite::Statement delete_session, sqlite::Statement delete_log)
    : head_(std::move(head)),
      insert_event_(std::move(insert_event)),
      insert_session_(std::move(insert_session)),
      advance_session_(std::move(advance_session)),
      move_session_(std::move(move_session)),
      delete_session_(std::move(delete_session)),
      delete_log_(std::move(delete_log)) {}

absl::Status SessionWriter::Append(const AppendRequest& request, std::span<const int64_t> checks) {
  const int64_t last_sequence = request.expected_sequence + static_cast<int64_t>(request.events.size());
  bool moved = false;
  if (request.expected_sequence > 0) {
    const absl::StatusOr<bool> fits = MoveSession(request, last_sequence);
    if (!fits.ok()) return fits.status();
    moved = *fits;
  }
  if (!moved) {
    const absl::StatusOr<std::optional<SessionHead>> head =
        ReadHead(request.session.tenant, request.session.session_id);
    if (!head.ok()) return head.status();
    if (absl::Status status = CheckHead(request, *head); !status.ok()) return status;
    if (absl::Status status = InsertSession(request.session, last_sequence, request.generation); !status.ok())
      return status;
  }
  int64_t sequence = request.expected_sequence;
  for (size_t i = 0; i < request.events.size(); ++i) {
    if (absl::Status status = InsertEvent(request.session, ++sequence, request.events[i], checks[i]); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status SessionWriter::Delete(const std::string& tenant, const std::string& session_id) {
  const absl::StatusOr<bool> found = delete_session_.BindText(1, tenant).BindText(2, session_id).Step();
  delete_session_.Reset();
  if (!found.ok()) return found.status();
  if (!*found) return NoSuchSession(session_id);
  sqlite::ResetAtExit reset(delete_log_);
  return delete_log_.BindText(1, tenant).BindText(2, session_id).Run();
}

absl::StatusOr<std::optional<SessionHead>> SessionWriter::ReadHead(const std::string& tenant,
                                                                   const std::string& session_id) {
  sqlite::ResetAtExit reset(head_);
  const absl::StatusOr<bool> found = head_.BindText(1, tenant).BindText(2, session_id).Step();
  if (!found.ok()) return found.status();
  std::optional<SessionHead> head;
  if (*found) head = SessionHead{.last_sequence = head_.Int(0), .generation = head_.Int(1)};
  return head;
}

absl::Status SessionWriter::InsertEvent(const SessionRow& session, int64_t sequence, const LogRow& event,
                                        int64_t check) {
  return insert_event_.BindText(1, session.tenant)
      .BindText(2, session.session_id)
      .Bind(3, sequence)
      .Bind(4, ToMicros(event.time))
      .Bind(5, event.type)
      .Bind(6, event.schema_version)
      .BindBlob(7, event.bytes)
      .Bind(8, check)
      .Run();
}

namespace {

sqlite::Statement& BindSession(sqlite::Statement& statement, const SessionRow& session, int64_t last_sequence,
                               int64_t generation) {
  return statement.BindText(1, session.tenant)
      .BindText(2, session.session_id)
      .BindText(3, session.title)
      .BindText(4, session.model)
      .BindText(5, session.workspace)
      .Bind(6, ToMicros(session.created))
      .Bind(7, ToMicros(session.updated))
      .Bind(8, last_sequence)
      .Bind(9, generation)
      .Bind(10, session.running ? 1 : 0)
      .BindBlob(11, session.summary);
}

}  // namespace

absl::Status SessionWriter::InsertSession(const SessionRow& session, int64_t last_sequence, int64_t generation) {
  return BindSession(insert_session_, session, last_sequence, generation).Run();
}

absl::StatusOr<bool> SessionWriter::MoveSession(const AppendRequest& request, int64_t last_sequence) {
  for (sqlite::Statement* statement : {&advance_session_, &move_session_}) {
    BindSession(*statement, request.session, last_sequence, request.generation).Bind(12, request.expected_sequence);
    if (absl::Status status = statement->Run(); !status.ok()) return status;
    if (statement->ChangedRows() > 0) return true;
  }
  return false;
}

}  // namespace holdfast::agent
