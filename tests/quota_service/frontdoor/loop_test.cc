#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <memory>

#include "tests/quota_service/frontdoor/http_session.h"
#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using test::HttpSession;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// A port that leads to another one, as a tunnel or a proxy does.
class Forwarder {
 public:
  Forwarder() {
    Accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Forwarder() {
    context_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/v1"; }
  // Before the first connection.
  void LeadTo(const Address& address) {
    asio::post(context_, [this, address] { target_ = {asio::ip::make_address(address.host), address.port}; });
  }

 private:
  struct Pipe {
    tcp::socket socket;
    std::array<char, 4096> bytes{};
  };
  using Pair = std::pair<std::shared_ptr<Pipe>, std::shared_ptr<Pipe>>;

  void Accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (error) return;
      const Pair pair{std::make_shared<Pipe>(Pipe{std::move(socket), {}}),
                      std::make_shared<Pipe>(Pipe{tcp::socket(context_), {}})};
      boost::system::error_code refused;
      pair.second->socket.connect(target_, refused);
      if (!refused) {
        ++connections;
        Copy(pair.first, pair.second);
        Copy(pair.second, pair.first);
      }
      Accept();
    });
  }
  static void Copy(const std::shared_ptr<Pipe>& from, const std::shared_ptr<Pipe>& to) {
    from->socket.async_read_some(asio::buffer(from->bytes),
                                 [from, to](const boost::system::error_code& error, size_t count) {
                                   boost::system::error_code broken = error;
                                   if (!broken) asio::write(to->socket, asio::buffer(from->bytes, count), broken);
                                   if (!broken) return Copy(from, to);
                                   to->socket.close(broken);
                                 });
  }

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  tcp::acceptor acceptor_{context_, {asio::ip::make_address("127.0.0.1"), 0}};
  tcp::endpoint target_;
  std::thread thread_;

 public:
  std::atomic<int> connections = 0;
};

class LoopTest : public QuotaServerTestBase {};

TEST_F(LoopTest, ALoopThatTheStartCouldNotSeeEndsAtOnceAndSaysSo) {
  Forwarder forwarder;
  config_.upstreams[0].account.base_url = forwarder.url();
  StartServer();
  forwarder.LeadTo(server_->http());
  for (const char* body : {R"({"model":"m","input":"x","stream":true})", R"({"model":"m","input":"x"})"}) {
    HttpSession session(server_->http());
    session.Post("/v1/responses", body, "Connection: close\r\n");
    EXPECT_THAT(session.ReadAll(), AllOf(StartsWith("HTTP/1.1 502 "), HasSubstr("has passed a Holdfast already"),
                                         HasSubstr("HOLDFAST_UPSTREAM_URL")));
  }
  EXPECT_LE(forwarder.connections, 2) << "it goes round once, not until something breaks";
}

TEST_F(LoopTest, AnUpstreamThatIsOurOwnListenerIsRefusedAtTheStart) {
  StartServer();
  const Address own = server_->http();
  StopServer();
  config_.http = own;
  config_.upstreams[0].account.base_url = "http://localhost:" + std::to_string(own.port) + "/v1";
  const auto server = QuotaServer::Start(config_);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(server.status().message()),
              AllOf(HasSubstr("upstream sim"), HasSubstr("own address"), HasSubstr("HOLDFAST_UPSTREAM_URL")));
}

}  // namespace
}  // namespace holdfast::quota
