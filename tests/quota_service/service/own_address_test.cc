#include "quota_service/service/own_address.h"

#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

bool Reaches(const std::string& url, const std::string& listener) {
  return ReachesListener(url, *ParseAddress(listener));
}

TEST(OwnAddress, IsRecognisedUnderEveryNameOfThisMachine) {
  for (const char* url : {"http://127.0.0.1:8080/v1", "http://127.0.0.1:8080", "http://localhost:8080/v1",
                          "http://LocalHost:8080/v1", "https://127.0.0.1:8080/v1", "http://127.1:8080/v1",
                          "http://[::ffff:127.0.0.1]:8080/v1", "http://0.0.0.0:8080/v1"}) {
    EXPECT_TRUE(Reaches(url, "127.0.0.1:8080")) << url;
  }
}

TEST(OwnAddress, IsAnyAddressOfThisMachineForAListenerOnAll) {
  for (const char* url : {"http://127.0.0.1:8080", "http://127.0.0.5:8080", "http://localhost:8080"}) {
    EXPECT_TRUE(Reaches(url, "0.0.0.0:8080")) << url;
  }
  EXPECT_TRUE(Reaches("http://[::1]:8080", "[::]:8080"));
  EXPECT_FALSE(Reaches("http://192.0.2.7:8080", "0.0.0.0:8080"));
}

TEST(OwnAddress, TakesThePortOfTheSchemeWhereNoneIsNamed) {
  EXPECT_TRUE(Reaches("http://127.0.0.1/v1", "127.0.0.1:80"));
  EXPECT_TRUE(Reaches("http://[::1]/v1", "[::1]:80"));
  EXPECT_TRUE(Reaches("https://127.0.0.1/v1", "127.0.0.1:443"));
  EXPECT_FALSE(Reaches("https://127.0.0.1/v1", "127.0.0.1:80"));
}

TEST(OwnAddress, IsNotAnotherPortNorAnotherHost) {
  EXPECT_FALSE(Reaches("http://127.0.0.1:8081/v1", "127.0.0.1:8080"));
  EXPECT_FALSE(Reaches("http://127.0.0.2:8080/v1", "127.0.0.1:8080"));
  EXPECT_FALSE(Reaches("http://192.0.2.7:8080/v1", "127.0.0.1:8080"));
  EXPECT_FALSE(Reaches("http://127.0.0.1:8080/v1", "unix:/tmp/s"));
}

TEST(OwnAddress, WhatCannotBeResolvedIsNotOurs) {
  EXPECT_FALSE(Reaches("http://no-such-host.invalid:8080/v1", "127.0.0.1:8080"));
  EXPECT_FALSE(Reaches("http://", "127.0.0.1:80"));
  EXPECT_FALSE(Reaches("nonsense", "127.0.0.1:80"));
}

}  // namespace
}  // namespace holdfast::quota
