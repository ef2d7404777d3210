#include "tests/support/lasting_address.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fstream>
#include <random>

namespace holdfast::test {
namespace {

using boost::asio::ip::tcp;

constexpr int kLowest = 10'000;
constexpr int kKernelsUsual = 32'768;

int KernelsLowest() {
  int lowest = kKernelsUsual;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> lowest;
  return std::max(lowest, kLowest + 1'000);
}

bool Free(int port) {
  boost::asio::io_context context;
  tcp::acceptor acceptor(context);
  boost::system::error_code error;
  const tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), static_cast<uint16_t>(port));
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.bind(endpoint, error);
  return !error;
}

}  // namespace

std::string LastingAddress() {
  std::random_device random;
  std::uniform_int_distribution<int> ports(kLowest, KernelsLowest() - 1);
  for (int i = 0; i < 1'000; ++i) {
    const int port = ports(random);
    if (Free(port)) return fmt::format("127.0.0.1:{}", port);
  }
  ADD_FAILURE() << "no free port below " << KernelsLowest();
  return "127.0.0.1:0";
}

}  // namespace holdfast::test
