#include "clients/cli/tools/safe_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace holdfast::cli {
namespace {

using Words = std::vector<std::string>;

bool IsOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// Below, characters that mean themselves outside of quotes; among others not $ ` \ ; & | < > ( ) { } * ? [ ] # ! ~ and
// controls.
bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         std::string_view("-_./,:=@%+^").find(c) != std::string_view::npos;
}

// `word` as a path could lead out of the workspace: absolute, a home directory, or with a ".." in it. An option with a
// slash in it counts, because its value may be a path.
bool MayLeadOut(std::string_view word) {
  if (word.empty()) return false;
  if (word.front() == '/' || word.front() == '~') return true;
  if (word.front() == '-' && word.find('/') != std::string_view::npos) return true;
  while (true) {
    const size_t slash = word.find('/');
    if (word.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    word.remove_prefix(slash + 1);
  }
}

bool IsSafeFind(const Words& words) {
  constexpr std::array<std::string_view, 6> kActs = {"-exec", "-ok", "-delete", "-fprint", "-fls", "-files0-from"};
  return std::none_of(words.begin() + 1, words.end(), [&](std::string_view word) {
    return std::any_of(kActs.begin(), kActs.end(), [&](std::string_view act) { return word.starts_with(act); });
  });
}

bool IsSafeRipgrep(const Words& words) {
  return std::none_of(words.begin() + 1, words.end(), [](std::string_view word) {
    const bool bundle = word.size() > 1 && word[0] == '-' && word[1] != '-';
    return word.starts_with("--pre") || word.starts_with("--hostname-bin") || word.starts_with("--search-zip") ||
           (bundle && word.find('z') != std::string_view::npos);
  });
}

// git understands unambiguous beginnings of options, so those count too.
bool IsOptionOrPrefixOf(std::string_view word, std::string_view option) {
  const std::string_view name = word.substr(0, word.find('='));
  return name.size() > 2 && name.starts_with("--") && (option.starts_with(name) || name.starts_with(option));
}

bool IsSafeGit(const Words& words, const std::string& folder) {
  // In a subfolder, git could take a repository for its own that is not the workspace's.
  if (folder != "." || words.size() < 2 || !IsOneOf(words[1], {"status", "diff", "log", "show"})) return false;
  return std::none_of(words.begin() + 2, words.end(), [](std::string_view word) {
    return IsOptionOrPrefixOf(word, "--output") || IsOptionOrPrefixOf(word, "--ext-diff") ||
           IsOptionOrPrefixOf(word, "--textconv") || IsOptionOrPrefixOf(word, "--no-index") ||
           IsOptionOrPrefixOf(word, "--show-signature");
  });
}

// `sed -n 3p FILE…` and `sed -n 3,9p FILE…`; sed's other commands can write files and run programs.
bool IsSafeSed(const Words& words) {
  if (words.size() < 4 || words[1] != "-n") return false;
  const std::string& script = words[2];
  const bool prints_lines = script.size() >= 2 && script.back() == 'p' && script.front() >= '0' &&
                            script.front() <= '9' && script.find_first_not_of("0123456789,") == script.size() - 1 &&
                            std::count(script.begin(), script.end(), ',') <= 1;
  return prints_lines &&
         std::none_of(words.begin() + 3, words.end(), [](const std::string& word) { return word[0] == '-'; });
}

}  // namespace

std::optional<std::vector<std::string>> SimpleWords(std::string_view command) {
  Words words;
  bool in_word = false;
  for (size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (c == ' ' || c == '\t') {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == '\'' || c == '"') {
      const size_t end = command.find(c, i + 1);
      if (end == std::string_view::npos) return std::nullopt;
      const std::string_view quoted = command.substr(i + 1, end - i - 1);
      if (std::any_of(quoted.begin(), quoted.end(), IsControl)) return std::nullopt;
      if (c == '"' && quoted.find_first_of("$`\\!") != std::string_view::npos) return std::nullopt;
      words.back().append(quoted);
      i = end;
    } else if (IsPlain(c) || (c == '~' && !words.back().empty())) {
      words.back().push_back(c);
    } else {
      return std::nullopt;
    }
  }
  if (words.empty()) return std::nullopt;
  return words;
}

bool IsKnownSafe(const ShellArguments& arguments) {
  const std::optional<Words> words = SimpleWords(arguments.command);
  if (!words || std::any_of(words->begin(), words->end(), MayLeadOut)) return false;
  const std::string& program = words->front();
  if (IsOneOf(program, {"ls", "cat", "head", "tail", "wc", "nl", "grep", "egrep", "fgrep", "pwd", "echo", "stat", "du",
                        "which", "true", "false"})) {
    return true;
  }
  if (program == "find") return IsSafeFind(*words);
  if (program == "rg") return IsSafeRipgrep(*words);
  if (program == "git") return IsSafeGit(*words, arguments.folder);
  if (program == "sed") return IsSafeSed(*words);
  return false;
}

std::vector<EnvironmentEntry> KnownSafeEnvironment(const char* inherited_count) {
  const int first = inherited_count == nullptr ? 0 : std::clamp(std::atoi(inherited_count), 0, 1000);
  return {{"GIT_OPTIONAL_LOCKS", "0"},
          {"GIT_CONFIG_COUNT", fmt::format("{}", first + 2)},
          {fmt::format("GIT_CONFIG_KEY_{}", first), "safe.bareRepository"},
          {fmt::format("GIT_CONFIG_VALUE_{}", first), "explicit"},
          {fmt::format("GIT_CONFIG_KEY_{}", first + 1), "core.fsmonitor"},
          {fmt::format("GIT_CONFIG_VALUE_{}", first + 1), "false"}};
}

}  // namespace holdfast::cli
