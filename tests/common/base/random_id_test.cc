#include "common/base/random_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace holdfast {
namespace {

TEST(RandomId, Has26CharactersThatGoIntoEveryNameAndUrl) {
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomId();
    ASSERT_EQ(id.size(), 26U);
    ASSERT_EQ(id.find_first_not_of("0123456789abcdefghijklmnopqrstuv"), std::string::npos) << id;
  }
}

TEST(RandomId, NeverComesTwice) {
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(seen.insert(RandomId()).second);
}

TEST(RandomId, UsesEveryCharacterInEveryPlace) {
  std::set<char> seen[26];
  for (int i = 0; i < 2000; ++i) {
    const std::string id = RandomId();
    for (size_t place = 0; place < id.size(); ++place) seen[place].insert(id[place]);
  }
  for (const std::set<char>& characters : seen) EXPECT_EQ(characters.size(), 32U);
}

}  // namespace
}  // namespace holdfast
