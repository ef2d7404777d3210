#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "quota_service/upstream/curl_client.h"
#include "tests/quota_service/upstream/client_test_base.h"
#include "tests/quota_service/upstream/recording_listener.h"
#include "tests/support/test_certificate.h"

namespace holdfast::quota {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using testing::HasSubstr;

constexpr char kAnswer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Answers every request on a TLS connection with kAnswer.
class TlsServer {
 public:
  TlsServer(boost::asio::io_context& context, const test::TestCertificate& identity)
      : acceptor_(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
        tls_(boost::asio::ssl::context::tls_server) {
    tls_.use_certificate_chain(boost::asio::buffer(identity.certificate_pem));
    tls_.use_private_key(boost::asio::buffer(identity.key_pem), boost::asio::ssl::context::pem);
    Accept();
  }

  int port() const { return acceptor_.local_endpoint().port(); }
  int requests() const { return requests_; }

 private:
  struct Connection {
    Connection(tcp::socket socket, boost::asio::ssl::context& tls) : stream(std::move(socket), tls) {}
    boost::asio::ssl::stream<tcp::socket> stream;
    boost::asio::streambuf input;
  };

  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return;
      const auto connection = std::make_shared<Connection>(std::move(socket), tls_);
      connection->stream.async_handshake(boost::asio::ssl::stream_base::server, [this, connection](error_code failed) {
        if (!failed) Serve(connection);
      });
      Accept();
    });
  }

  void Serve(const std::shared_ptr<Connection>& connection) {
    async_read_until(connection->stream, connection->input, "\r\n\r\n{}",
                     [this, connection](error_code error, size_t length) {
                       if (error) return;
                       connection->input.consume(length);
                       ++requests_;
                       async_write(connection->stream, boost::asio::buffer(kAnswer, sizeof(kAnswer) - 1),
                                   [this, connection](error_code failed, size_t) {
                                     if (!failed) Serve(connection);
                                   });
                     });
  }

  tcp::acceptor acceptor_;
  boost::asio::ssl::context tls_;
  int requests_ = 0;
};

class CurlClientTlsTest : public ClientTestBase {
 protected:
  CurlClientTlsTest() { std::ofstream(ca_file_) << identity_.certificate_pem; }
  ~CurlClientTlsTest() override { std::filesystem::remove(ca_file_); }

  void Exchange(CurlClient& client, const std::string& host) {
    listener_ = RecordingListener();
    const auto exchange = client.Start(Post(fmt::format("https://{}:{}/v1/x", host, server_.port())), &listener_);
    RunUntil([this] { return listener_.done.has_value(); });
  }

  const test::TestCertificate identity_ = test::MakeTestCertificate();
  const std::string ca_file_ = testing::TempDir() + fmt::format("curl_client_tls_test.{}.pem", getpid());
  TlsServer server_{context_, identity_};
  RecordingListener listener_;
};

TEST_F(CurlClientTlsTest, RefusesACertificateThatNobodyTrusted) {
  CurlClient client(context_);
  Exchange(client, "127.0.0.1");
  EXPECT_TRUE(absl::IsUnavailable(*listener_.done)) << *listener_.done;
  EXPECT_THAT(std::string(listener_.done->message()), HasSubstr("certificate"));
  EXPECT_EQ(server_.requests(), 0);
}

TEST_F(CurlClientTlsTest, TrustsTheAuthoritiesOfItsBundleAndReusesTheConnection) {
  CurlClient client(context_, {.ca_bundle = ca_file_});
  for (int i = 0; i < 2; ++i) {
    Exchange(client, "127.0.0.1");
    EXPECT_EQ(*listener_.done, absl::OkStatus());
    EXPECT_EQ(listener_.body, "ok");
  }
  EXPECT_EQ(server_.requests(), 2);
}

TEST_F(CurlClientTlsTest, RefusesATrustedCertificateOfAnotherHost) {
  CurlClient client(context_, {.ca_bundle = ca_file_});
  Exchange(client, "localhost");
  EXPECT_TRUE(absl::IsUnavailable(*listener_.done)) << *listener_.done;
  EXPECT_EQ(server_.requests(), 0);
}

TEST_F(CurlClientTlsTest, SaysSoWhenTheBundleCannotBeRead) {
  CurlClient client(context_, {.ca_bundle = ca_file_ + ".missing"});
  Exchange(client, "127.0.0.1");
  EXPECT_TRUE(absl::IsUnavailable(*listener_.done)) << *listener_.done;
  EXPECT_EQ(server_.requests(), 0);
}

}  // namespace
}  // namespace holdfast::quota
