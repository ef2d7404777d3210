#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "tests/support/test_certificate.h"

namespace holdfast {
namespace {

namespace v1 = quota::v1;
using testing::HasSubstr;

// A server whose methods are all unimplemented: whoever is told so got through.
class RpcTlsTest : public testing::Test {
 protected:
  grpc::StatusCode Ask(const Address& address, const std::optional<TlsClient>& tls) {
    const auto stub = v1::QuotaService::NewStub(MakeChannel(address, tls));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::WhoAmIResponse response;
    return stub->WhoAmI(&context, {}, &response).error_code();
  }

  test::TestCertificate ours_ = test::MakeTestCertificate();
  test::TestCertificate foreign_ = test::MakeTestCertificate();
  v1::QuotaService::Service service_;
  const Address any_ = *ParseAddress("127.0.0.1:0");
};

TEST_F(RpcTlsTest, ServesWhoTrustsItsCertificateAndNobodyInPlainText) {
  const auto server = RpcServer::Start(any_, {&service_}, TlsServer{ours_.certificate_pem, ours_.key_pem, ""});
  ASSERT_TRUE(server.ok()) << server.status();
  const Address& address = (*server)->address();
  EXPECT_EQ(Ask(address, TlsClient{ours_.certificate_pem, "", ""}), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(Ask(address, TlsClient{foreign_.certificate_pem, "", ""}), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Ask(address, std::nullopt), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(RpcTlsTest, AClientAuthorityMakesClientsShowACertificateOfIt) {
  const auto server =
      RpcServer::Start(any_, {&service_}, TlsServer{ours_.certificate_pem, ours_.key_pem, ours_.certificate_pem});
  ASSERT_TRUE(server.ok()) << server.status();
  const Address& address = (*server)->address();
  const std::string& ca = ours_.certificate_pem;
  EXPECT_EQ(Ask(address, TlsClient{ca, ours_.certificate_pem, ours_.key_pem}), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(Ask(address, TlsClient{ca, "", ""}), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Ask(address, TlsClient{ca, foreign_.certificate_pem, foreign_.key_pem}), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(RpcTlsTest, ACertificateThatIsNoneIsSaidAtTheStart) {
  for (const TlsServer& tls :
       {TlsServer{"no PEM", "no PEM", ""}, TlsServer{ours_.certificate_pem, foreign_.key_pem, ""}}) {
    const auto server = RpcServer::Start(any_, {&service_}, tls);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("certificate"));
  }
}

}  // namespace
}  // namespace holdfast
