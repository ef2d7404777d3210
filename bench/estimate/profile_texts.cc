// profile_texts < LIST: for each line "script <TAB> tokens <TAB> path", a line "script <TAB> tokens <TAB> bytes <TAB>
// characters" and the counts of every TextClass.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "quota_service/estimate/text_profile.h"

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const size_t first = line.find('\t');
    const size_t second = line.find('\t', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      fmt::print(stderr, "profile_texts: not three columns: {}\n", line);
      return 2;
    }
    std::ifstream file(line.substr(second + 1), std::ios::binary);
    if (!file) {
      fmt::print(stderr, "profile_texts: cannot read {}\n", line.substr(second + 1));
      return 1;
    }
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const holdfast::quota::TextProfile profile = holdfast::quota::ProfileText(text);
    fmt::print("{}\t{}\t{}\t{}\n", line.substr(0, second), profile.bytes, profile.characters,
               fmt::join(profile.counts, "\t"));
  }
  return 0;
}
