#include "common/base/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string Refusal(std::string_view text) {
  const auto address = ParseAddress(text);
  EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(address.status().message());
}

bool IsLoopback(std::string_view text) {
  const auto address = ParseAddress(text);
  EXPECT_TRUE(address.ok()) << text;
  return address.ok() && address->is_loopback();
}

TEST(Address, ReadsHostAndPort) {
  const auto address = ParseAddress("quota.example:50051");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->host, "quota.example");
  EXPECT_EQ(address->port, 50051);
  EXPECT_FALSE(address->is_unix());
}

TEST(Address, IsWrittenAsItWasRead) {
  for (const char* text : {"127.0.0.1:0", "localhost:65535", "[::1]:443", "[fe80::1%eth0]:1", "unix:/run/holdfast.sock",
                           "unix:relative.sock"}) {
    const auto address = ParseAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(Address, RefusalsQuoteTheTextAndSayWhatToWrite) {
  EXPECT_THAT(Refusal("localhost"),
              AllOf(HasSubstr("\"localhost\""), HasSubstr("no port"), HasSubstr("host:port, [v6]:port or unix:PATH")));
  EXPECT_THAT(Refusal("::1:80"), HasSubstr("brackets"));
  EXPECT_THAT(Refusal(":80"), HasSubstr("host is empty"));
  EXPECT_THAT(Refusal("[]:80"), HasSubstr("host is empty"));
  EXPECT_THAT(Refusal("unix:"), HasSubstr("path is empty"));
  EXPECT_THAT(Refusal(""), HasSubstr("no port"));
}

TEST(Address, RefusesAUrl) {
  EXPECT_THAT(Refusal("http://127.0.0.1:8080"), HasSubstr("no scheme"));
  EXPECT_THAT(Refusal("127.0.0.1:8080/v1"), HasSubstr("port is not a number"));
}

TEST(Address, RefusesAHostWithCharactersThatNoHostHas) {
  for (const char* text : {"a b:80", "a/b:80", "user@host:80", "a\nb:80", "\"h\":80"}) Refusal(text);
}

TEST(Address, RefusesPortsOutOfRange) {
  for (const char* port : {"65536", "-1", "+1", "", " 1", "0x50", "99999999999999999999", "80 "}) {
    EXPECT_THAT(Refusal(std::string("localhost:") + port), HasSubstr("from 0 to 65535"));
  }
}

TEST(Address, RefusesAPathThatASocketCannotHave) {
  EXPECT_TRUE(ParseAddress("unix:" + std::string(107, 'p')).ok());
  EXPECT_THAT(Refusal("unix:" + std::string(108, 'p')), HasSubstr("107"));
  EXPECT_THAT(Refusal(std::string("unix:/tmp/a\0b", 13)), HasSubstr("zero byte"));
}

TEST(Address, IsLoopbackOnlyWhereNoOtherMachineGetsIn) {
  for (const char* text : {"127.0.0.1:1", "127.255.255.254:1", "localhost:1", "[::1]:1", "unix:/tmp/s"}) {
    EXPECT_TRUE(IsLoopback(text)) << text;
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.0.0.1.example.com:1", "127.evil:1",
                           "localhost.example.com:1", "128.0.0.1:1", "12.7.0.0:1"}) {
    EXPECT_FALSE(IsLoopback(text)) << text;
  }
}

}  // namespace
}  // namespace holdfast
