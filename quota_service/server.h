#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/base/address.h"
#include "quota_service/config/config.h"

namespace holdfast::quota {

// The whole of quota_service, put together: loop, ledger, upstream, calls, and the three listeners. main.cc runs one;
// tests too.
class QuotaServer {
 public:
  // kStop: SIGTERM and SIGINT do what Stop does, from here on; a second one ends the process at once.
  enum class Signals { kIgnore, kStop };

  // Listens when it returns. UNAVAILABLE names the address that could not be bound; FAILED_PRECONDITION an upstream
  // that is this server itself.
  static absl::StatusOr<std::unique_ptr<QuotaServer>> Start(const QuotaConfig& config,
                                                            Signals signals = Signals::kIgnore);
  // Not while Run is under way. Calls that are still there are cancelled.
  ~QuotaServer();

  const Address& grpc() const;
  const Address& http() const;
  const Address& metrics() const;

  // Makes this thread the loop, until it has stopped.
  void Run();
  // New calls are refused, waiting ones left to their callers, running ones get up to `drain`. Any thread; returns at
  // once.
  void Stop();

 private:
  struct Impl;
  explicit QuotaServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::quota
