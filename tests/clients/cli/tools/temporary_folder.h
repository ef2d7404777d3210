#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "clients/cli/tools/workspace.h"

namespace holdfast::cli {

// A folder with a workspace `ws` and a neighbour `outside`; gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "holdfast-tools-XXXXXX";
    path_ = ::mkdtemp(name.data());
    std::filesystem::create_directories(path_ / "ws");
    std::filesystem::create_directories(path_ / "outside");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path ws(const std::string& name = "") const {
    return name.empty() ? path_ / "ws" : path_ / "ws" / name;
  }
  std::filesystem::path outside(const std::string& name) const { return path_ / "outside" / name; }

  Workspace Open(Workspace::Opening opening = Workspace::Opening::kKernel) const {
    return *Workspace::Open(ws().string(), opening);
  }

  static void Write(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string Read(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace holdfast::cli
