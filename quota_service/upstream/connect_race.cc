#include "quota_service/upstream/connect_race.h"

#include <utility>

namespace holdfast::quota {

ConnectRace::ConnectRace(boost::asio::io_context& context, Handler handler, Duration head_start)
    : context_(context), handler_(std::move(handler)), head_start_(head_start), timer_(context) {}

void ConnectRace::Start(std::vector<boost::asio::ip::tcp::endpoint> to) {
  to_ = std::move(to);
  sockets_.reserve(to_.size());
  Next();
}

void ConnectRace::Cancel() {
  handler_ = nullptr;
  timer_.cancel();
  sockets_.clear();
}

void ConnectRace::Next() {
  const size_t number = sockets_.size();
  sockets_.emplace_back(context_).async_connect(
      to_[number], [self = shared_from_this(), number](const Error& error) { self->OnConnect(number, error); });
  if (sockets_.size() == to_.size()) return;
  // Also ends the wait that was begun with the one before.
  timer_.expires_after(head_start_);
  timer_.async_wait([self = shared_from_this(), number](const Error& error) {
    // It may have failed since, so that the next one has begun.
    if (!error && self->handler_ && self->sockets_.size() == number + 1) self->Next();
  });
}

void ConnectRace::OnConnect(size_t number, const Error& error) {
  if (!handler_) return;
  if (!error) {
    End(error, std::move(sockets_[number]));
    return;
  }
  Error ignored;
  sockets_[number].close(ignored);
  ++failed_;
  if (failed_ == to_.size()) {
    End(error, Socket(context_));
  } else if (number + 1 == sockets_.size() && sockets_.size() < to_.size()) {
    Next();
  }
}

void ConnectRace::End(const Error& error, Socket socket) {
  const Handler handler = std::exchange(handler_, nullptr);
  timer_.cancel();
  sockets_.clear();
  handler(error, std::move(socket));
}

}  // namespace holdfast::quota
