#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::test {

std::string Base64(std::string_view bytes);
std::string Hex(std::string_view bytes);
// All but letters, digits and "-._~" as %XX.
std::string UrlEncoded(std::string_view bytes);
// Random letters and digits.
std::string RandomText(size_t length);

// Secrets that are searched for in whatever a program lets out: as they are, in base64 (also amidst other bytes), hex,
// URL-encoded, cut in halves, and each of these in any case and with anything but letters and digits strewn in.
class MarkedSecrets {
 public:
  // `value`: at least 32 letters and digits, which makes a chance hit out of the question. Returns it.
  std::string Add(const std::string& name, const std::string& value);

  const std::vector<std::pair<std::string, std::string>>& all() const { return secrets_; }
  // "NAME (FORM)" for each that is in `text`.
  std::vector<std::string> FindIn(std::string_view text) const;
  // The same for what is large: as they are and in base64 alone.
  std::vector<std::string> FindInBytes(std::string_view bytes) const;
  // The readable memory of a process, which must be ours to read.
  std::vector<std::string> FindInMemory(int pid) const;

 private:
  struct Form {
    std::string label;
    std::string bytes;  // as they would be in memory
    std::string plain;  // letters and digits, in lower case
    bool in_bytes = false;
  };

  std::vector<std::pair<std::string, std::string>> secrets_;
  std::vector<Form> forms_;
};

}  // namespace holdfast::test
