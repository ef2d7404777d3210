// The runtime image has the shared libraries that our programs name, and nothing that they do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "tests/deploy/deployment.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

std::string Output(const std::vector<std::string>& command) {
  Process process(command);
  EXPECT_EQ(process.WaitForExit(), 0) << command[0] << ": " << process.err();
  return process.out();
}

// Where the loader finds the libraries that a program itself names: readelf has the names, "(NEEDED) … [NAME]", ldd the
// paths, "NAME => PATH (…)".
std::set<std::filesystem::path> NeededLibraries(const std::string& program) {
  const std::string dynamic = Output({"readelf", "--dynamic", "--wide", Program(program)});
  std::set<std::filesystem::path> paths;
  std::istringstream lines(Output({"ldd", Program(program)}));
  for (std::string name, arrow, path, rest; lines >> name >> arrow && std::getline(lines, rest);) {
    if (dynamic.find("[" + name + "]") == std::string::npos) continue;
    EXPECT_EQ(arrow, "=>") << name;
    std::istringstream(rest) >> path;
    paths.insert(path);
  }
  EXPECT_FALSE(paths.empty()) << program;
  return paths;
}

// Packages name files by /lib or by /usr/lib, which are the same folder.
std::string PackageOf(const std::filesystem::path& library) {
  const auto folder = library.parent_path().filename();
  const std::string owners = Output({"dpkg-query", "--search", "*/" + (folder / library.filename()).string()});
  return owners.substr(0, owners.find(':'));
}

TEST(Dockerfile, TheRuntimeHasThePackagesOfOurLibrariesAndNoMore) {
  std::set<std::filesystem::path> libraries;
  for (const char* program : {"quota_service", "agent_service", "holdfast"}) libraries.merge(NeededLibraries(program));
  // Trust in the provider's certificate.
  std::set<std::string> wanted = {"ca-certificates"};
  for (const std::filesystem::path& library : libraries) wanted.insert(PackageOf(library));
  // In every Debian, because apt needs them; and those of a sanitizer's build.
  for (const char* other : {"libc6", "libgcc-s1", "libstdc++6", "libasan8", "libubsan1"}) wanted.erase(other);

  const std::string dockerfile = ReadText(RepositoryFile("Dockerfile"));
  const size_t stage = dockerfile.find(" AS runtime\n");
  ASSERT_NE(stage, std::string::npos);
  const std::string install = "--no-install-recommends \\\n";
  const size_t begin = dockerfile.find(install, stage) + install.size();
  std::istringstream lines(dockerfile.substr(begin, dockerfile.find("&&", begin) - begin));
  std::set<std::string> installed;
  for (std::string word; lines >> word;) {
    if (word != "\\") installed.insert(word);
  }
  EXPECT_EQ(installed, wanted);
}

TEST(Dockerfile, NoSecretIsInTheContextOfTheBuild) {
  const std::string ignored = ReadText(RepositoryFile(".dockerignore"));
  EXPECT_THAT(ignored, HasSubstr("\ndeploy/compose/secrets\n"));
}

}  // namespace
}  // namespace holdfast::test
