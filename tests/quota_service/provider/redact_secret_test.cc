#include "quota_service/provider/redact_secret.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::quota {
namespace {

constexpr char kKey[] = "Zx81Qw92Er73/Ty64Ui55+Op46==";

TEST(RedactSecret, LeavesOtherWordsAlone) {
  for (const std::string text : {"", "Rate limit reached for o4-mini; try again in 3.646s.", "100% of 5%2 used",
                                 "Zx81Qw92 is only a little of it", "Größe überschritten: 漢字 🙂"}) {
    EXPECT_EQ(RedactSecret(kKey, text), text);
    EXPECT_EQ(RedactSecret("", text), text);
  }
  EXPECT_EQ(RedactSecret("sk-of-the-upstream", "the words of the upstream and of the other"),
            "the words of the upstream and of the other");
}

TEST(RedactSecret, RemovesTheSecretHoweverItIsWritten) {
  for (const std::string told : {kKey, "zx81qw92er73/ty64ui55+op46==", "Zx81Qw92Er73%2FTy64Ui55%2bOp46%3D%3D",
                                 "%5a%78%38%31%51%77%39%32%45%72%37%33%2f%54%79%36%34%55%69%35%35%2b%4f%70%34%36%3d%3d",
                                 "5a78383151773932457237332f54793634556935352b4f7034363d3d",
                                 "Zx81 Qw92 Er73 /Ty6 4Ui5 5+Op 46==", "Zx81Qw92Er73/\nTy64Ui55\n+Op46==",
                                 "Zx81Qw92Er73\\/Ty64Ui55+Op46==", "Wng4MVF3OTJFcjczL1R5NjRVaTU1K09wNDY9PQ=="}) {
    EXPECT_EQ(RedactSecret(kKey, "You are <" + told + ">, sorry").find("You are <[redacted]"), 0u) << told;
    EXPECT_LE(RedactSecret(kKey, told).size(), std::string("[redacted]").size() + 6) << "=, %3d or a half byte stay";
  }
}

TEST(RedactSecret, RemovesBase64OfItAmidstOtherBytes) {
  // "Bearer <key>", "u:<key>", "us:<key>".
  for (const std::string told :
       {"QmVhcmVyIFp4ODFRdzkyRXI3My9UeTY0VWk1NStPcDQ2PT0=", "dTpaeDgxUXc5MkVyNzMvVHk2NFVpNTUrT3A0Nj09",
        "dXM6Wng4MVF3OTJFcjczL1R5NjRVaTU1K09wNDY9PQ=="}) {
    const std::string shown = RedactSecret(kKey, "You sent Basic " + told);
    EXPECT_NE(shown.find("[redacted]"), std::string::npos) << told;
    EXPECT_LT(shown.size(), std::string("You sent Basic [redacted]").size() + 14) << shown;
  }
}

TEST(RedactSecret, RemovesPieces) {
  EXPECT_EQ(RedactSecret(kKey, "from Zx81Qw92Er73 to y64Ui55+Op46, with 81Qw92Er73/Ty6 amidst"),
            "from [redacted] to y64Ui55+Op46, with [redacted] amidst");
}

TEST(RedactSecret, AShortSecretIsFoundAsItIs) {
  EXPECT_EQ(RedactSecret("s3cr-t", "it is s3cr-t and s3crt; s3cr-ts3cr-t"),
            "it is [redacted] and s3crt; [redacted][redacted]");
}

}  // namespace
}  // namespace holdfast::quota
