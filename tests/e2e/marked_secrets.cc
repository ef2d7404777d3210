#include "tests/e2e/marked_secrets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <fstream>
#include <random>
#include <set>

namespace holdfast::test {
namespace {

constexpr size_t kLeastPlain = 12;

bool IsAlnum(unsigned char c) { return std::isalnum(c) != 0; }

std::string Plain(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (const unsigned char c : text) {
    if (IsAlnum(c)) plain.push_back(static_cast<char>(std::tolower(c)));
  }
  return plain;
}

// What stays of the base64 of `bytes` whatever stands before and after them, with `offset` (0 to 2) bytes before.
std::string Base64Core(std::string_view bytes, size_t offset) {
  const std::string all = Base64(std::string(offset, '\0').append(bytes));
  const size_t begin = (offset * 8 + 5) / 6;
  return all.substr(begin, (offset + bytes.size()) * 8 / 6 - begin);
}

}  // namespace

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    unsigned group = 0;
    for (size_t i = 0; i < 3; ++i) {
      group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (size_t i = 0; i < 4; ++i) {
      text.push_back(at + i > bytes.size() ? '=' : kAlphabet[group >> (6 * (3 - i)) & 63U]);
    }
  }
  return text;
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const unsigned char c : bytes) text += fmt::format("{:02x}", c);
  return text;
}

std::string UrlEncoded(std::string_view bytes) {
  std::string text;
  for (const unsigned char c : bytes) {
    if (IsAlnum(c) || std::string_view("-._~").find(static_cast<char>(c)) != std::string_view::npos) {
      text.push_back(static_cast<char>(c));
    } else {
      text += fmt::format("%{:02X}", c);
    }
  }
  return text;
}

std::string RandomText(size_t length) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  static std::random_device device;
  std::uniform_int_distribution<size_t> any(0, kAlphabet.size() - 1);
  std::string text;
  while (text.size() < length) text.push_back(kAlphabet[any(device)]);
  return text;
}

std::string MarkedSecrets::Add(const std::string& name, const std::string& value) {
  EXPECT_GE(Plain(value).size(), 32u) << name << " is too short to be told from ordinary words";
  secrets_.emplace_back(name, value);
  const auto add = [&](const char* form, std::string bytes, bool in_bytes) {
    std::string plain = Plain(bytes);
    EXPECT_GE(plain.size(), kLeastPlain);
    forms_.push_back({fmt::format("{} ({})", name, form), std::move(bytes), std::move(plain), in_bytes});
  };
  add("as it is", value, true);
  add("URL-encoded", UrlEncoded(value), false);
  add("hex", Hex(value), false);
  for (size_t offset = 0; offset < 3; ++offset) add("base64", Base64Core(value, offset), true);
  add("first half", value.substr(0, value.size() / 2), false);
  add("second half", value.substr(value.size() / 2), false);
  return value;
}

std::vector<std::string> MarkedSecrets::FindIn(std::string_view text) const {
  const std::string plain = Plain(text);
  std::vector<std::string> found;
  for (const Form& form : forms_) {
    if (plain.find(form.plain) != std::string::npos) found.push_back(form.label);
  }
  return found;
}

std::vector<std::string> MarkedSecrets::FindInBytes(std::string_view bytes) const {
  std::vector<std::string> found;
  for (const Form& form : forms_) {
    // Not string_view::find, which stops at every first letter.
    if (form.in_bytes && memmem(bytes.data(), bytes.size(), form.bytes.data(), form.bytes.size()) != nullptr) {
      found.push_back(form.label);
    }
  }
  return found;
}

std::vector<std::string> MarkedSecrets::FindInMemory(int pid) const {
  std::ifstream maps(fmt::format("/proc/{}/maps", pid));
  const int memory = open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_GE(memory, 0) << "the memory of " << pid << " cannot be read";
  std::set<std::string> found;
  std::string bytes;
  for (std::string line; std::getline(maps, line);) {
    size_t begin = 0, end = 0;
    std::array<char, 5> rights{};
    if (std::sscanf(line.c_str(), "%zx-%zx %4s", &begin, &end, rights.data()) != 3 || rights[0] != 'r') continue;
    bytes.resize(end - begin);
    const ssize_t read = pread(memory, bytes.data(), bytes.size(), static_cast<off_t>(begin));
    const std::string_view part(bytes.data(), static_cast<size_t>(std::max<ssize_t>(read, 0)));
    for (std::string& label : FindInBytes(part)) found.insert(std::move(label));
  }
  close(memory);
  return {found.begin(), found.end()};
}

}  // namespace holdfast::test
