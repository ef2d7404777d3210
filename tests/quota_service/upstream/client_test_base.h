#pragma once

#include <gmock/gmock.h>
#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <string>
#include <utility>

#include "quota_service/upstream/upstream_client.h"

namespace holdfast::quota {

// A loop that a test turns until something has happened.
class ClientTestBase : public testing::Test {
 protected:
  ClientTestBase() { setenv("no_proxy", "*", 1); }

  template <typename Predicate>
  void RunUntil(Predicate&& predicate) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!predicate()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "what the test waits for did not happen";
      context_.restart();
      context_.run_one_until(deadline);
    }
  }

  // Runs everything that is ready now, and what that makes ready.
  void RunReady() {
    context_.restart();
    while (context_.poll() > 0) {
    }
  }

  static UpstreamRequest Post(std::string url, std::string body = "{}") {
    UpstreamRequest request;
    request.url = std::move(url);
    request.headers = {{"content-type", "application/json"}, {"authorization", "Bearer sk-very-secret"}};
    request.body = std::move(body);
    return request;
  }

  boost::asio::io_context context_;
};

}  // namespace holdfast::quota
