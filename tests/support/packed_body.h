#pragma once

#include <string>

namespace holdfast::test {

// HTTP bodies as clients pack them (RFC 9110, 8.4.1; RFC 8878).
std::string Gzipped(const std::string& text);
std::string Deflated(const std::string& text);  // the zlib format
std::string Zstd(const std::string& text);

}  // namespace holdfast::test
