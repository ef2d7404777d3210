#include "clients/cli/commands/held_lease.h"

#include <chrono>
#include <utility>

namespace holdfast::cli {
namespace {

// Several times in the two seconds after which it may move.
constexpr auto kRenewal = std::chrono::milliseconds(500);

}  // namespace

HeldLease::HeldLease(AgentClient& client, std::string session_id, int64_t generation)
    : client_(client), session_id_(std::move(session_id)), generation_(generation), renewing_([this] { Renew(); }) {}

HeldLease::~HeldLease() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  renewing_.join();
  if (lost_) return;
  agent::v1::ReleaseLeaseRequest request;
  request.set_session_id(session_id_);
  request.set_generation(generation_);
  client_.ReleaseLease(request);
}

void HeldLease::CancelWithTurn(std::string turn_id, const CancelToken* cancel) {
  const std::lock_guard lock(mutex_);
  turn_id_ = std::move(turn_id);
  cancel_ = cancel;
}

void HeldLease::LookAt(const grpc::Status& status, const agent::v1::Lease& lease) {
  if (cancel_ == nullptr) return;
  // An older server does not tell. Who has a lease that moved goes on with what runs; and that a server does not know
  // the session need not mean that it was deleted: it may have started with another store.
  if (status.ok() && lease.has_turn_id() && lease.turn_id() != turn_id_) cancel_->Cancel();
}

void HeldLease::Renew() {
  agent::v1::RenewLeaseRequest request;
  request.set_session_id(session_id_);
  request.set_generation(generation_);
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kRenewal, [this] { return stopping_; })) {
    lock.unlock();
    agent::v1::Lease lease;
    const grpc::Status status = client_.RenewLease(request, &lease, nullptr);
    // While the server is away nobody else gets it either.
    const bool moved =
        status.error_code() == grpc::StatusCode::ABORTED || status.error_code() == grpc::StatusCode::NOT_FOUND;
    if (moved) lost_ = true;
    lock.lock();
    LookAt(status, lease);
    if (moved) return;
  }
}

}  // namespace holdfast::cli
