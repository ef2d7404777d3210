#include "common/config/pem.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

constexpr char kPem[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

class PemTest : public testing::Test {
 protected:
  std::optional<TlsServer> Server(const std::string& text) {
    auto root = Section::Parse(text, "f");
    auto tls = ReadTlsServer(*root);
    error_ = std::string(root->Finish().message());
    return tls;
  }
  std::optional<TlsClient> Client(const std::string& text) {
    auto root = Section::Parse(text, "f");
    auto tls = ReadTlsClient(*root);
    error_ = std::string(root->Finish().message());
    return tls;
  }

  test::TemporaryFolder folder_;
  std::string pem_ = folder_.Write("a.pem", kPem);
  std::string error_;
};

TEST_F(PemTest, AbsentMeansPlainText) {
  EXPECT_EQ(Server(""), std::nullopt);
  EXPECT_EQ(error_, "");
  EXPECT_EQ(Client(""), std::nullopt);
  EXPECT_EQ(error_, "");
}

TEST_F(PemTest, ASectionWithoutAValueIsNotPlainText) {
  Server("tls:\n");
  EXPECT_THAT(error_, HasSubstr("f:1: tls: has no value"));
}

TEST_F(PemTest, AServerGetsTheTextsOfItsFiles) {
  const auto tls = Server(fmt::format("tls: {{certificate: {0}, key: {0}, client_ca: {0}}}", pem_));
  ASSERT_TRUE(tls.has_value());
  EXPECT_EQ(error_, "");
  EXPECT_EQ(tls->certificate, kPem);
  EXPECT_EQ(tls->key, kPem);
  EXPECT_EQ(tls->client_ca, kPem);
}

TEST_F(PemTest, AServerNeedsCertificateAndKey) {
  Server(fmt::format("tls: {{key: {}}}", pem_));
  EXPECT_EQ(error_, "f:1: tls.certificate: is required");
  Server(fmt::format("tls: {{certificate: {}}}", pem_));
  EXPECT_EQ(error_, "f:1: tls.key: is required");
}

TEST_F(PemTest, AFileThatIsMissingOrIsNoPemIsNamed) {
  for (const std::string& path : {folder_.path("none.pem"), folder_.path()}) {
    Server(fmt::format("tls:\n  key: {}\n  certificate: {}\n", pem_, path));
    EXPECT_EQ(error_, fmt::format("f:3: tls.certificate: the file {} cannot be read", path));
  }
  for (const char* text : {"", "\x30\x82 DER", "no PEM"}) {
    Server(fmt::format("tls:\n  key: {}\n  certificate: {}\n", pem_, folder_.Write("b.pem", text)));
    EXPECT_THAT(error_, HasSubstr("b.pem is not PEM"));
  }
}

TEST_F(PemTest, AClientMayRelyOnTheSystemsAuthorities) {
  const auto tls = Client("tls: {}");
  ASSERT_TRUE(tls.has_value());
  EXPECT_EQ(error_, "");
  EXPECT_EQ(tls->server_ca, "");
}

TEST_F(PemTest, AClientsCertificateAndKeyComeTogether) {
  EXPECT_EQ(Client(fmt::format("tls: {{ca: {0}, certificate: {0}, key: {0}}}", pem_))->key, kPem);
  EXPECT_EQ(error_, "");
  for (const char* one : {"certificate", "key"}) {
    Client(fmt::format("tls: {{{}: {}}}", one, pem_));
    EXPECT_THAT(error_, HasSubstr("tls.certificate: needs `key`")) << one;
  }
}

}  // namespace
}  // namespace holdfast
