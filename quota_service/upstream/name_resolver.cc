#include "quota_service/upstream/name_resolver.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace holdfast::quota {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr Duration kKnownFor = std::chrono::seconds(60);
constexpr size_t kThreads = 4;
// Whoever asks for more names than that has addresses looked up more often.
constexpr size_t kMostNames = 1024;

NameResolver::Addresses SystemLookUp(asio::thread_pool& threads, const std::string& name) {
  tcp::resolver resolver(threads);
  boost::system::error_code error;
  NameResolver::Addresses addresses;
  for (const auto& entry : resolver.resolve(name, "", error)) {
    const asio::ip::address address = entry.endpoint().address();
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

NameResolver::NameResolver(asio::io_context& context, NameResolverOptions options)
    : context_(context), options_(std::move(options)), self_(std::make_shared<NameResolver*>(this)) {}

NameResolver::~NameResolver() {
  if (!threads_) return;
  threads_->stop();
  threads_->join();
}

std::optional<NameResolver::Addresses> NameResolver::Known(std::string_view name) const {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(std::string(name), error);
  if (!error) return Addresses{address};
  const auto found = names_.find(name);
  if (found == names_.end() || found->second.addresses.empty() || options_.now() >= found->second.until) {
    return std::nullopt;
  }
  return found->second.addresses;
}

void NameResolver::LookUp(const std::string& name, Handler handler) {
  if (names_.size() >= kMostNames && !names_.contains(name)) {
    std::erase_if(names_, [](const auto& entry) { return entry.second.waiting.empty(); });
  }
  Name& entry = names_[name];
  entry.waiting.push_back(std::move(handler));
  if (entry.waiting.size() > 1) return;
  if (!threads_) threads_ = std::make_unique<asio::thread_pool>(kThreads);
  // The loop goes on until the lookup is over.
  asio::post(*threads_, [this, name, weak = std::weak_ptr(self_), work = asio::make_work_guard(context_)] {
    // The destructor waits for this.
    Addresses addresses = options_.look_up ? options_.look_up(name) : SystemLookUp(*threads_, name);
    asio::post(context_, [weak, name, addresses = std::move(addresses)]() mutable {
      if (const auto self = weak.lock()) (*self)->OnLookedUp(name, std::move(addresses));
    });
  });
}

void NameResolver::OnLookedUp(const std::string& name, Addresses addresses) {
  Name& entry = names_[name];
  entry.addresses = addresses;
  entry.until = options_.now() + kKnownFor;
  // One of them may ask again.
  for (const Handler& handler : std::exchange(entry.waiting, {})) handler(addresses);
}

void NameResolver::Forget(std::string_view name) {
  const auto found = names_.find(name);
  if (found != names_.end()) found->second.addresses.clear();
}

}  // namespace holdfast::quota
