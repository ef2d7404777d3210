#include "agent_service/store/page_token.h"

#include <gtest/gtest.h>

#include <limits>

namespace holdfast::agent {
namespace {

TEST(PageToken, ReturnsThePositionThatItWasMadeOf) {
  for (const int64_t updated :
       {int64_t{0}, int64_t{-1}, int64_t{1'750'000'000'123'456}, std::numeric_limits<int64_t>::max()}) {
    const PagePosition position{.updated_us = updated, .session_id = std::string("s\0\xff", 3)};
    const auto decoded = DecodePageToken("team", EncodePageToken("team", position));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->updated_us, updated);
    EXPECT_EQ(decoded->session_id, position.session_id);
  }
}

TEST(PageToken, HoldsOnlyWhatAUrlCarries) {
  const std::string token = EncodePageToken("team", {.updated_us = -2, .session_id = "\xff\xfe\xfd/+?&"});
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="),
            std::string::npos)
      << token;
}

TEST(PageToken, RefusesEveryChangedCharacter) {
  const std::string token =
      EncodePageToken("team", {.updated_us = 1'750'000'000'000'000, .session_id = "session-12345"});
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'Q' ? 'g' : 'Q';
    const auto decoded = DecodePageToken("team", changed);
    EXPECT_TRUE(absl::IsInvalidArgument(decoded.status())) << i << ": " << decoded.status();
  }
}

TEST(PageToken, RefusesForeignText) {
  const std::string token = EncodePageToken("team", {.updated_us = 1, .session_id = "s1"});
  for (const std::string& text :
       {std::string(), std::string("!"), std::string(5, '\0'), std::string(1000, 'A'), token + "AAAA"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(DecodePageToken("team", text).status())) << text;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(DecodePageToken("teams", token).status()));
}

}  // namespace
}  // namespace holdfast::agent
