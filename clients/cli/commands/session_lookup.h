#pragma once

#include <string>

#include "clients/cli/commands/agent_client.h"

namespace holdfast::cli {

// The fewest characters that may stand for a whole session id.
inline constexpr size_t kLeastIdCharacters = 4;

// Turns what the user wrote for a session into its id: the whole id, or a beginning of it that no other of the newest
// 10,000 sessions has. A session that is used while they are looked through may be missed, so what a beginning comes to
// is good for looking and going on, and not for what cannot be taken back. Nothing or several such sessions: NOT_FOUND
// or INVALID_ARGUMENT, which names the candidates. What a whole id comes to is left to whoever uses it, unless the
// service is not there. `link` as for AgentClient's calls.
grpc::Status LookUpSession(AgentClient& client, const std::string& given, Link* link, std::string* session_id);

}  // namespace holdfast::cli
