#include "clients/cli/tools/safe_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

using testing::ElementsAre;
using testing::Optional;

bool Safe(const std::string& command, const std::string& folder = ".") {
  return IsKnownSafe({.command = command, .folder = folder});
}

TEST(SafeCommand, SplitsPlainWordsAndQuotes) {
  EXPECT_THAT(SimpleWords("grep -n 'a|b $x' \"c d\"e 'f'"), Optional(ElementsAre("grep", "-n", "a|b $x", "c de", "f")));
  EXPECT_THAT(SimpleWords("git diff HEAD~2 ''"), Optional(ElementsAre("git", "diff", "HEAD~2", "")));
}

class SafeLine : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, SafeLine,
                         testing::Values("ls", "ls -la src", "cat README.md", "head -n 20 a.txt", "tail -c 5 a",
                                         "wc -l a b", "pwd", "grep -rn 'foo(bar)|baz' src", "rg --files",
                                         "rg -n \"a b\" src", "find . -name '*.cc' -type f", "git status --porcelain",
                                         "git diff HEAD~1 -- src", "git log --oneline -5", "git show HEAD:src/a.cc",
                                         "sed -n 1,20p a.txt", "sed -n '5p' a.txt", "git log main..HEAD"));
TEST_P(SafeLine, RunsUnasked) { EXPECT_TRUE(Safe(GetParam())); }

class UnsafeLine : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Shell, UnsafeLine,
                         testing::Values("", "   ", "ls; rm x", "ls && rm x", "ls | sh", "ls > x", "cat < x", "ls &",
                                         "ls $(rm x)", "ls `rm x`", "ls \"$(rm x)\"", "ls \"`rm x`\"", "ls \"$HOME\"",
                                         "ls $HOME", "ls\nrm x", "ls \\\nx", "ls 'a\nb'", "ls {a,b}", "ls *", "ls ?",
                                         "ls [a]", "(ls)", "! ls", "ls # x", "ls 'open", "ls \"open", "ls a\\ b",
                                         "A=b ls", "PATH=. ls", "ls\r", "ls \x01"));
INSTANTIATE_TEST_SUITE_P(Outside, UnsafeLine,
                         testing::Values("cat /etc/passwd", "cat ~/.ssh/id_rsa", "cat ../x", "ls a/../../b",
                                         "cat '/etc/passwd'", "cat \"~\"", "grep -f/etc/passwd x",
                                         "grep --file=/etc/passwd x", "ls .."));
INSTANTIATE_TEST_SUITE_P(
    Programs, UnsafeLine,
    testing::Values("rm x", "./ls", "bin/ls", "/bin/ls", "python -c 1", "env ls", "sudo ls", "xargs ls", "sh",
                    "find . -delete", "find . -exec rm x", "find . -execdir rm x", "find . -ok rm x",
                    "find . -okdir rm x", "find . -fprint x", "find . -fprint0 x", "find . -fprintf x y",
                    "find . -fls x", "find . '-delete'", "rg --pre=./x y", "rg --pre ./x y", "rg -z x",
                    "rg --hostname-bin x y", "rg --search-zip x", "git", "git push", "git -c core.pager=x log",
                    "git -C sub status", "git --git-dir=x status", "git diff --output=x", "git log --outp x",
                    "git diff --ext-diff", "git show --textconv", "git diff --no-index a b", "git checkout .",
                    "git log --out=x", "git diff --ext", "sed -i s/a/b/ x", "sed -n 'w x' y", "sed -n 1e y",
                    "sed -n 1p -i y", "sed -n 1p", "sed -n 1,2,3p x", "sort -o a b", "tee x"));
TEST_P(UnsafeLine, Asks) { EXPECT_FALSE(Safe(GetParam())); }

TEST(SafeCommand, TrustsGitInTheRootOnly) {
  EXPECT_TRUE(Safe("git status", "."));
  EXPECT_FALSE(Safe("git status", "planted"));
  EXPECT_TRUE(Safe("ls", "sub"));
}

TEST(SafeCommand, AddsToTheGitConfigurationThatIsInherited) {
  using Entry = EnvironmentEntry;
  EXPECT_THAT(KnownSafeEnvironment(nullptr), testing::Contains(Entry{"GIT_CONFIG_COUNT", "2"}));
  const auto added = KnownSafeEnvironment("3");
  EXPECT_THAT(added, testing::Contains(Entry{"GIT_CONFIG_COUNT", "5"}));
  EXPECT_THAT(added, testing::Contains(Entry{"GIT_CONFIG_KEY_3", "safe.bareRepository"}));
}

}  // namespace
}  // namespace holdfast::cli
