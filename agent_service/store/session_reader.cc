#include "agent_service/store/session_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent_service/store/page_token.h"
#include "agent_service/store/row_check.h"
#include "agent_service/store/rules.h"

namespace holdfast::agent {
namespace {

constexpr char kLog[] =
    "SELECT sequence, time_us, type, schema_version, bytes, row_check FROM log "
    "WHERE tenant = ?1 AND session_id = ?2 AND sequence > ?3 ORDER BY sequence LIMIT ?4";

// In the order in which SessionOf reads them.
constexpr char kColumns[] =
    "tenant, session_id, title, model, workspace, created_us, updated_us, last_sequence, running, summary";

constexpr int kLastSequence = 7;

absl::Status Damaged(const std::string& what) {
  return absl::DataLossError(what + ": the disk is failing; restart agent_service, which saves what can be read");
}

absl::Status Missing(const std::string& session_id, int64_t sequence) {
  return Damaged(fmt::format("event {} of session {} is missing", sequence, session_id));
}

SessionRow SessionOf(const sqlite::Statement& row) {
  SessionRow session;
  session.tenant = row.Bytes(0);
  session.session_id = row.Bytes(1);
  session.title = row.Bytes(2);
  session.model = row.Bytes(3);
  session.workspace = row.Bytes(4);
  session.created = FromMicros(row.Int(5));
  session.updated = FromMicros(row.Int(6));
  session.last_sequence = row.Int(kLastSequence);
  session.running = row.Int(8) != 0;
  session.summary = row.Bytes(9);
  return session;
}

LogRow EventOf(const sqlite::Statement& row) {
  LogRow event;
  event.sequence = row.Int(0);
  event.time = FromMicros(row.Int(1));
  event.type = static_cast<int32_t>(row.Int(2));
  event.schema_version = static_cast<int32_t>(row.Int(3));
  event.bytes = row.Bytes(4);
  return event;
}

absl::StatusOr<std::vector<SessionRow>> AllSessions(sqlite::Statement& statement) {
  std::vector<SessionRow> sessions;
  while (true) {
    const absl::StatusOr<bool> row = statement.Step();
    if (!row.ok()) return row.status();
    if (!*row) return sessions;
    sessions.push_back(SessionOf(statement));
  }
}

}  // namespace

absl::StatusOr<SessionReader> SessionReader::Create(sqlite::Connection& connection) {
  absl::StatusOr<sqlite::Statement> log = connection.Prepare(kLog);
  if (!log.ok()) return log.status();
  absl::StatusOr<sqlite::Statement> session =
      connection.Prepare(fmt::format("SELECT {} FROM sessions WHERE tenant = ?1 AND session_id = ?2", kColumns));
  if (!session.ok()) return session.status();
  absl::StatusOr<sqlite::Statement> first_page = connection.Prepare(
      fmt::format("SELECT {} FROM sessions WHERE tenant = ?1 ORDER BY updated_us DESC, session_id LIMIT ?2", kColumns));
  if (!first_page.ok()) return first_page.status();
  absl::StatusOr<sqlite::Statement> next_page = connection.Prepare(fmt::format(
      "SELECT {} FROM sessions WHERE tenant = ?1 AND updated_us <= ?3 AND (updated_us < ?3 OR session_id > ?4) "
      "ORDER BY updated_us DESC, session_id LIMIT ?2",
      kColumns));
  if (!next_page.ok()) return next_page.status();
  absl::StatusOr<sqlite::Statement> running = connection.Prepare(
      fmt::format("SELECT {} FROM sessions WHERE running = 1 ORDER BY tenant, session_id", kColumns));
  if (!running.ok()) return running.status();
  return SessionReader(*std::move(log), *std::move(session), *std::move(first_page), *std::move(next_page),
                       *std::move(running));
}

SessionReader::SessionReader(sqlite::Statement log, sqlite::Statement session, sqlite::Statement first_page,
                             sqlite::Statement next_page, sqlite::Statement running)
    : log_(std::move(log)),
      session_(std::move(session)),
      first_page_(std::move(first_page)),
      next_page_(std::move(next_page)),
      running_(std::move(running)) {}

absl::StatusOr<std::vector<LogRow>> SessionReader::Read(const std::string& tenant, const std::string& session_id,
                                                        int64_t after_sequence, int limit) {
  // Not reset before the end, so that both statements see one state of the database.
  sqlite::ResetAtExit reset_session(session_);
  const absl::StatusOr<bool> listed = session_.BindText(1, tenant).BindText(2, session_id).Step();
  if (!listed.ok()) return listed.status();
  const int64_t end = *listed ? session_.Int(kLastSequence) : 0;

  sqlite::ResetAtExit reset(log_);
  log_.BindText(1, tenant).BindText(2, session_id).Bind(3, after_sequence).Bind(4, limit);
  std::vector<LogRow> events;
  int64_t sequence = std::max(after_sequence, int64_t{0});
  size_t bytes = 0;
  while (true) {
    const absl::StatusOr<bool> row = log_.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    if (!*listed) return Damaged(fmt::format("session {} has events and is not listed", session_id));
    bytes += log_.ByteCount(4);
    if (!events.empty() && bytes > kMaxReadBytes) return events;
    events.push_back(EventOf(log_));
    if (events.back().sequence != ++sequence) return Missing(session_id, sequence);
    if (!log_.Null(5) && log_.Int(5) != RowCheck(tenant, session_id, sequence, events.back()))
      return Damaged(fmt::format("event {} of session {} is not what was written", sequence, session_id));
  }
  if (!*listed) return NoSuchSession(session_id);
  if (sequence < end && events.size() < static_cast<size_t>(limit)) return Missing(session_id, sequence + 1);
  return events;
}

absl::StatusOr<SessionRow> SessionReader::Get(const std::string& tenant, const std::string& session_id) {
  sqlite::ResetAtExit reset(session_);
  const absl::StatusOr<bool> row = session_.BindText(1, tenant).BindText(2, session_id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return NoSuchSession(session_id);
  return SessionOf(session_);
}

absl::StatusOr<SessionPage> SessionReader::List(const std::string& tenant, int page_size,
                                                const std::string& page_token) {
  const size_t size = static_cast<size_t>(std::min(page_size, kMaxPageSize));
  sqlite::Statement& statement = page_token.empty() ? first_page_ : next_page_;
  sqlite::ResetAtExit reset(statement);
  PagePosition position;
  if (!page_token.empty()) {
    absl::StatusOr<PagePosition> decoded = DecodePageToken(tenant, page_token);
    if (!decoded.ok()) return decoded.status();
    position = *std::move(decoded);
    statement.Bind(3, position.updated_us).BindText(4, position.session_id);
  }
  // One more than asked tells whether there is a next page.
  statement.BindText(1, tenant).Bind(2, static_cast<int64_t>(size) + 1);
  absl::StatusOr<std::vector<SessionRow>> sessions = AllSessions(statement);
  if (!sessions.ok()) return sessions.status();
  SessionPage page{.sessions = *std::move(sessions), .next_page_token = {}};
  if (page.sessions.size() > size) {
    page.sessions.resize(size);
    const SessionRow& last = page.sessions.back();
    page.next_page_token =
        EncodePageToken(tenant, {.updated_us = ToMicros(last.updated), .session_id = last.session_id});
  }
  return page;
}

absl::StatusOr<std::vector<SessionRow>> SessionReader::ListRunning() {
  sqlite::ResetAtExit reset(running_);
  return AllSessions(running_);
}

}  // namespace holdfast::agent
