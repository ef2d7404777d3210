#pragma once

#include <string>

#include "quota_service/config/config.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::quota {

// A quota.yaml, and the secrets that it may name: KEY_A, KEY_B, TOKEN_A, TOKEN_B.
class ConfigFile {
 public:
  absl::StatusOr<QuotaConfig> Load(const std::string& text, const QuotaOverrides& overrides = {}) const {
    return LoadQuotaConfig(folder_.Write("quota.yaml", text), overrides);
  }
  // The words of the refusal, without the path of the file: "3: upstreams[].name: …".
  std::string Refusal(const std::string& text, const QuotaOverrides& overrides = {}) const {
    const auto config = Load(text, overrides);
    const std::string words(config.status().message());
    const std::string path = folder_.path("quota.yaml") + ":";
    return words.starts_with(path) ? words.substr(path.size()) : words;
  }

  const test::TemporaryFolder& folder() const { return folder_; }

 private:
  test::TemporaryFolder folder_;
  test::ScopedVariable key_a_{"KEY_A", "sk-a"};
  test::ScopedVariable key_b_{"KEY_B", "sk-b"};
  test::ScopedVariable token_a_{"TOKEN_A", "token-a"};
  test::ScopedVariable token_b_{"TOKEN_B", "token-b"};
};

}  // namespace holdfast::quota
