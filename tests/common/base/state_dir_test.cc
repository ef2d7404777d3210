#include "common/base/state_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

namespace holdfast {
namespace {

// The test's own environment comes back afterwards.
class StateDirectoryTest : public testing::Test {
 protected:
  StateDirectoryTest() {
    for (const char* name : {"XDG_STATE_HOME", "HOME"}) {
      const char* value = std::getenv(name);
      saved_.emplace_back(name, value == nullptr ? std::nullopt : std::optional<std::string>(value));
    }
  }
  ~StateDirectoryTest() override {
    for (const auto& [name, value] : saved_) Set(name, value);
  }

  static void Set(const char* name, const std::optional<std::string>& value) {
    if (value) {
      setenv(name, value->c_str(), 1);
    } else {
      unsetenv(name);
    }
  }

  std::vector<std::pair<const char*, std::optional<std::string>>> saved_;
};

TEST_F(StateDirectoryTest, FollowsXdgStateHome) {
  Set("XDG_STATE_HOME", "/state");
  Set("HOME", "/home/me");
  EXPECT_EQ(StateDirectory().value(), "/state/holdfast");
}

TEST_F(StateDirectoryTest, FallsBackToHomeWhereXdgIsAbsentEmptyOrRelative) {
  Set("HOME", "/home/me");
  for (const std::optional<std::string>& xdg :
       {std::optional<std::string>(), std::optional<std::string>(""), std::optional<std::string>("relative/state")}) {
    Set("XDG_STATE_HOME", xdg);
    EXPECT_EQ(StateDirectory().value(), "/home/me/.local/state/holdfast");
  }
}

TEST_F(StateDirectoryTest, WithoutAnAbsolutePathSaysWhatToSet) {
  Set("XDG_STATE_HOME", "state");
  for (const std::optional<std::string>& home : {std::optional<std::string>(), std::optional<std::string>("~")}) {
    Set("HOME", home);
    const auto directory = StateDirectory();
    EXPECT_EQ(directory.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(directory.status().message()), testing::HasSubstr("XDG_STATE_HOME"));
  }
}

}  // namespace
}  // namespace holdfast
