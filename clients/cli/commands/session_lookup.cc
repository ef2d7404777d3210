#include "clients/cli/commands/session_lookup.h"

#include <fmt/format.h>

#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/session_text.h"

namespace holdfast::cli {
namespace {

constexpr int kMostSessions = 10'000;
constexpr int kMostShown = 5;

}  // namespace

grpc::Status LookUpSession(AgentClient& client, const std::string& given, Link* link, std::string* session_id) {
  *session_id = given;
  agent::v1::GetSessionRequest request;
  request.set_session_id(given);
  request.set_page_size(1);
  agent::v1::GetSessionResponse response;
  const grpc::Status whole = client.GetSession(request, &response, link);
  if (whole.error_code() != grpc::StatusCode::NOT_FOUND) return IsLinkFailure(whole) ? whole : grpc::Status::OK;
  if (given.size() < kLeastIdCharacters) {
    return {grpc::StatusCode::NOT_FOUND,
            fmt::format("no session {}; give its id, or at least {} characters of it", given, kLeastIdCharacters)};
  }

  int seen = 0;
  int found = 0;
  std::string candidates;
  grpc::Status listed = client.VisitSessions(
      [&](const agent::v1::Session& session) {
        if (session.session_id().starts_with(given)) {
          *session_id = session.session_id();
          if (++found <= kMostShown) candidates += "\n  " + SessionLine(session);
        }
        return ++seen < kMostSessions;
      },
      link);
  if (!listed.ok()) return listed;
  if (found == 0) {
    const std::string where = seen < kMostSessions ? "" : fmt::format(" among the newest {}", kMostSessions);
    return {grpc::StatusCode::NOT_FOUND,
            fmt::format("no session {}{}; `holdfast sessions list` shows them", given, where)};
  }
  if (found == 1) return grpc::Status::OK;
  if (found > kMostShown) candidates += fmt::format("\n  and {} more", found - kMostShown);
  return {grpc::StatusCode::INVALID_ARGUMENT,
          fmt::format("{} begins the ids of {} sessions; give more of it:{}", given, found, candidates)};
}

}  // namespace holdfast::cli
