#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent_service/host/active_session.h"
#include "agent_service/transfer/import_lines.h"
#include "common/rpc/server_stream.h"

namespace holdfast::agent {

// Sessions made of other sessions' logs, and logs that leave. It works on the store alone: what is committed is
// committed, whoever writes on meanwhile. On the loop.
class SessionCopies {
 public:
  template <typename T>
  using Reply = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  explicit SessionCopies(SessionServices services) : services_(services) {}

  // INVALID_ARGUMENT: an event beyond the log.
  void Fork(const std::string& tenant, const v1::ForkSessionRequest& request, Reply<v1::Session> reply);
  // Everything that is committed now.
  void Export(const std::string& tenant, const std::string& session_id, ServerStream<v1::ExportChunk>* stream);
  void Import(const std::string& tenant, const std::string& client_key, ImportedLog log, Reply<v1::Session> reply);

 private:
  struct Copy {
    std::string tenant;
    std::string id;
    std::vector<LogRow> rows;
    v1::SessionEvent last;  // says where they are from
    std::string client_key;
    bool newest = false;                     // up to whichever event is the last
    int64_t events = 0;                      // as they are written, with `last`
    std::optional<v1::SessionEvent> made{};  // `last` of what the same key made before
    Reply<v1::Session> reply;
  };

  void ReadRows(std::shared_ptr<Copy> copy, const std::string& from, int64_t until);
  // All of it, or nothing. A session that is there already was made by the same key.
  void Write(std::shared_ptr<Copy> copy);
  // Looks through the log of the one that is there already, from `after` on, for where it came from.
  void FindMade(std::shared_ptr<Copy> copy, int64_t after);
  void AnswerMade(const std::shared_ptr<Copy>& copy);

  SessionServices services_;
};

}  // namespace holdfast::agent
