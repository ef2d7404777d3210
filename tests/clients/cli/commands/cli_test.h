#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/clients/cli/commands/cli_process.h"
#include "tests/clients/cli/commands/fake_services.h"

namespace holdfast::cli {

// The binary against fake services, in a workspace and a home of its own.
class CliTest : public testing::Test {
 protected:
  CliTest() : agent_server_(&agent_), quota_server_(&quota_) {
    std::string pattern = testing::TempDir() + "holdfast-cli-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    home_ = std::filesystem::canonical(pattern);
    std::filesystem::create_directory(workspace());
    environment_ = {{"HOME", home_.string()},
                    {"PATH", "/usr/bin:/bin"},
                    {"TERM", "xterm"},
                    {"HOLDFAST_AGENT", agent_server_.address()},
                    {"HOLDFAST_QUOTA", quota_server_.address()}};
    if (const char* options = std::getenv("ASAN_OPTIONS")) environment_["ASAN_OPTIONS"] = options;
  }
  ~CliTest() override { std::filesystem::remove_all(home_); }

  std::filesystem::path workspace() const { return home_ / "workspace"; }
  CliProcess::Options Plain(const std::string& input = "") const {
    CliProcess::Options options;
    options.folder = workspace();
    options.environment = environment_;
    options.input = input;
    return options;
  }
  CliProcess::Options Terminal() const {
    CliProcess::Options options = Plain();
    options.terminal = true;
    return options;
  }
  std::string FileText(const std::filesystem::path& path) const {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  FakeAgent agent_;
  FakeQuota quota_;
  Served agent_server_;
  Served quota_server_;
  std::filesystem::path home_;
  std::map<std::string, std::string> environment_;
};

}  // namespace holdfast::cli
