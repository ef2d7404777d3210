#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast::cli {

// What makes a runner: the program beside the test.
inline std::vector<std::string> TestRunner() {
  return {std::filesystem::read_symlink("/proc/self/exe").parent_path() / "cli_test_runner"};
}

}  // namespace holdfast::cli
