#include "quota_service/upstream/plain_url.h"

#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

TEST(PlainUrlTest, TakesAUrlApart) {
  const auto url = ReadPlainUrl("http://vllm-1.internal:8000/v1/responses?x=y&z=%20");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "vllm-1.internal");
  EXPECT_EQ(url->port, 8000);
  EXPECT_EQ(url->target, "/v1/responses?x=y&z=%20");
}

TEST(PlainUrlTest, KnowsTheDefaultPortAndAddresses) {
  const auto url = ReadPlainUrl("http://127.0.0.1/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "127.0.0.1");
  EXPECT_EQ(url->port, 80);
  EXPECT_EQ(url->target, "/");
}

TEST(PlainUrlTest, LeavesAllThatHasAnotherReadingToOthers) {
  for (const char* url : {"",
                          "http://",
                          "http:///x",
                          "http://host",
                          "http://host?x/y",
                          "https://host/",
                          "HTTP://host/",
                          "http://Host/",
                          "http://user@host/",
                          "http://user:password@host/",
                          "http://host:/",
                          "http://host:0/",
                          "http://host:65536/",
                          "http://host:8o/",
                          "http://host:+80/",
                          "http://host.:80/",
                          "http://a..b/",
                          "http://[::1]/",
                          "http://127.1/",
                          "http://127.0.0.01/",
                          "http://127.0.0.256/",
                          "http://127.0.0.1.1/",
                          "http://0x7f.0.0.1x/../",
                          "http://2130706433/",
                          "http://h\xc3\xb6st/",
                          "http://host/a b",
                          "http://host/a#b",
                          "http://host/a/../b",
                          "http://host/./b",
                          "http://host/a\\b",
                          "http://host/\xc3\xb6",
                          "http://host/a\r\nHost: elsewhere"}) {
    EXPECT_FALSE(ReadPlainUrl(url)) << url;
  }
}

}  // namespace
}  // namespace holdfast::quota
