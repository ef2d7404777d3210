#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"

namespace holdfast::quota {

struct NameResolverOptions {
  using Addresses = std::vector<boost::asio::ip::address>;

  // Blocks; called on threads of the resolver. Empty: the name is unknown. Null: the system's.
  std::function<Addresses(const std::string& name)> look_up;
  std::function<BootTime()> now = BootClock::now;
};

// Addresses of upstreams' names. What was found is known for 60 s; whoever asks for a name that is being looked up
// waits for that lookup. The system's lookups block, so they run on four threads: a name whose lookup hangs holds up no
// other one. On the loop's thread.
//
// Its destructor waits for the lookups that run.
class NameResolver {
 public:
  using Addresses = NameResolverOptions::Addresses;
  // On the loop, never from inside LookUp. Empty: the name is unknown.
  using Handler = std::function<void(const Addresses&)>;

  explicit NameResolver(boost::asio::io_context& context, NameResolverOptions options = {});
  ~NameResolver();

  // Of a numeric address, or of a name that was looked up within 60 s. Absent: it has to be looked up.
  std::optional<Addresses> Known(std::string_view name) const;
  void LookUp(const std::string& name, Handler handler);
  // Nobody could be reached there: its next user looks it up anew.
  void Forget(std::string_view name);

 private:
  struct Name {
    Addresses addresses;
    BootTime until{};
    std::vector<Handler> waiting;  // for the lookup that runs; none: none does
  };

  void OnLookedUp(const std::string& name, Addresses addresses);

  boost::asio::io_context& context_;
  const NameResolverOptions options_;
  std::map<std::string, Name, std::less<>> names_;
  std::shared_ptr<NameResolver*> self_;  // what the threads hand to the loop looks here whether it still is
  std::unique_ptr<boost::asio::thread_pool> threads_;  // from the first lookup on
};

}  // namespace holdfast::quota
