#include <gtest/gtest.h>

#include <string>

#include "common/base/utf8.h"
#include "quota_service/provider/error_class.h"

namespace holdfast::quota {
namespace {

TEST(SanitizeMessage, LeavesOrdinaryWordsAlone) {
  for (const std::string message : {"Rate limit reached for o4-mini in organization org-AbCdEfGh12345678 on tokens per "
                                    "min (TPM): Limit 200000, Used 160193, "
                                    "Requested 51963. Please try again in 3.646s. Visit "
                                    "https://platform.openai.com/account/rate-limits to learn more.",
                                    "Invalid value provided: 'gpt-4o-2024-08-06'. Supported: risk-adjusted task-force, "
                                    "rs_03ede13b80370d1b016a5f56b4e5fc8196.",
                                    "You can find your API key at https://platform.openai.com/account/api-keys.",
                                    "max_token: 100000", "Größe überschritten: 漢字 🙂"}) {
    EXPECT_EQ(SanitizeMessage(message), message);
  }
}

TEST(SanitizeMessage, RedactsWhateverLooksLikeACredential) {
  const std::string secret = "Zx81Qw92Er73Ty64";
  for (const std::string& message :
       {"Incorrect API key provided: sk-" + secret + ".", "key 'sk-ant-api03-" + secret + "' is bad",
        "Authorization: Bearer " + secret, "bearer " + secret + " rejected",
        "https://host/v1beta/models?key=AIza" + secret + "&alt=sse", "api_key=" + secret,
        "{\"x-api-key\":\"" + secret + "\"}", "password: " + secret, "token = eyJ" + secret + "." + secret,
        "Incorrect API key provided: " + secret, "/path/sk-or-v1-" + secret, "gsk_" + secret, "(hf_" + secret + ")",
        "https://host/sk-" + secret + "/x"}) {
    const std::string shown = SanitizeMessage(message);
    EXPECT_EQ(shown.find(secret), std::string::npos) << shown;
    EXPECT_NE(shown.find("[redacted]"), std::string::npos) << shown;
  }
}

TEST(SanitizeMessage, RedactsHexKeysAsAzureAndZhipuGiveThem) {
  EXPECT_EQ(SanitizeMessage("bad key 0123456789abcdef0123456789ABCDEF here"), "bad key [redacted] here");
  EXPECT_EQ(SanitizeMessage("bad 0123456789abcdef0123456789abcdef.Ab12Cd34Ef56Gh78"), "bad [redacted]");
}

TEST(SanitizeMessage, ASecretAcrossTheCutIsNotShownInHalf) {
  const std::string shown = SanitizeMessage(std::string(2038, ' ') + "sk-" + std::string(5000, 'Q'));
  EXPECT_LE(shown.size(), 2048u);
  EXPECT_EQ(shown.find('Q'), std::string::npos);
}

TEST(SanitizeMessage, IsAtMost2KiBOfValidUtf8WithoutControlCharacters) {
  std::string hostile = "a\x1b[31mred\r\nnext\x7f";
  hostile.push_back('\0');
  EXPECT_EQ(SanitizeMessage(hostile), "a [31mred  next  ");
  for (const std::string& message :
       {std::string(100000, '\xff'), std::string(100000, '\x80'), std::string(2047, 'a') + "é"}) {
    const std::string shown = SanitizeMessage(message);
    EXPECT_LE(shown.size(), 2048u);
    EXPECT_TRUE(IsValidUtf8(shown));
  }
  EXPECT_EQ(SanitizeMessage(""), "");
}

}  // namespace
}  // namespace holdfast::quota
