#pragma once

#include <string>

namespace holdfast::agent {

// The id of a session that is made: new where `client_key` is empty; otherwise the same for the same tenant, `purpose`
// ("" for a session that begins empty) and key, whoever asks and however often.
std::string NewSessionId(const std::string& tenant, const std::string& purpose, const std::string& client_key);

}  // namespace holdfast::agent
