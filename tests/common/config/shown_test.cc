#include "common/config/shown.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Shown, AUrlIsItsScheme) {
  EXPECT_EQ(ShownUrl("postgresql://user:password@host/db"), "\"postgresql:…\"");
  for (const char* url : {"", "password", ":password", "Pass:word", "u5er:x", "averylongschemeindeed:x"}) {
    EXPECT_EQ(ShownUrl(url), "what is given") << url;
  }
}

TEST(Shown, AFileIsItsPath) {
  for (const std::string path : {"/etc/holdfast/key", "./key.pem", "../secrets/a_b-c.d@e", "~/key"}) {
    EXPECT_EQ(ShownFile(path), "the file " + path);
  }
  EXPECT_EQ(ShownFile("/" + std::string(2000, 'a')), "the file that is named here");
}

}  // namespace
}  // namespace holdfast
