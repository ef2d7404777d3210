#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent_service/store/store.h"

namespace holdfast::agent {

// Hands everything on to another store; subclasses get in the way.
class ForwardingStore : public Store {
 public:
  explicit ForwardingStore(Store& to) : to_(to) {}

  void Append(AppendRequest request, Callback<int64_t> done) override {
    to_.Append(std::move(request), std::move(done));
  }
  void Read(std::string tenant, std::string session_id, int64_t after_sequence, int limit,
            Callback<std::vector<LogRow>> done) override {
    to_.Read(std::move(tenant), std::move(session_id), after_sequence, limit, std::move(done));
  }
  void GetSession(std::string tenant, std::string session_id, Callback<SessionRow> done) override {
    to_.GetSession(std::move(tenant), std::move(session_id), std::move(done));
  }
  void ListSessions(std::string tenant, int page_size, std::string page_token, Callback<SessionPage> done) override {
    to_.ListSessions(std::move(tenant), page_size, std::move(page_token), std::move(done));
  }
  void ListRunning(Callback<std::vector<SessionRow>> done) override { to_.ListRunning(std::move(done)); }
  void DeleteSession(std::string tenant, std::string session_id, Done done) override {
    to_.DeleteSession(std::move(tenant), std::move(session_id), std::move(done));
  }
  int64_t generation() const override { return to_.generation(); }

 private:
  Store& to_;
};

}  // namespace holdfast::agent
