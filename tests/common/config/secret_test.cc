#include "common/config/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config/section.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temporary_folder.h"

namespace holdfast {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kSecret[] = "sk-test-0123456789";

// The secret, or the error.
std::string Outcome(const std::string& value) {
  auto root = Section::Parse("\ntoken: " + value + "\n", "f");
  const auto secret = root->Secret("token", "A secret.");
  const absl::Status status = root->Finish();
  EXPECT_NE(secret.has_value(), !status.ok());
  return secret.value_or(std::string(status.message()));
}

TEST(SectionSecret, ComesFromTheEnvironmentOrAFile) {
  const test::ScopedVariable variable("HOLDFAST_TEST_SECRET", kSecret);
  EXPECT_EQ(Outcome("{env: HOLDFAST_TEST_SECRET}"), kSecret);
  const test::TemporaryFolder folder;
  EXPECT_EQ(Outcome("{file: " + folder.Write("secret", std::string(kSecret) + "\n") + "}"), kSecret);
}

TEST(SectionSecret, IsNeverWrittenIntoTheFileNorRepeatedInTheError) {
  for (const std::string& value :
       {std::string(kSecret), "\"" + std::string(kSecret) + "\"", "[" + std::string(kSecret) + "]",
        "{value: " + std::string(kSecret) + "}", "{env: " + std::string(kSecret) + "}"}) {
    EXPECT_THAT(Outcome(value), AllOf(HasSubstr("f:2: token"), Not(HasSubstr("sk-")))) << value;
  }
  EXPECT_THAT(Outcome(kSecret), HasSubstr("{env: NAME} or {file: PATH}"));
}

TEST(SectionSecret, NeedsExactlyOneSource) {
  for (const char* value : {"{}", "{env: A, file: b}"}) {
    EXPECT_THAT(Outcome(value), AllOf(HasSubstr("f:2: token: "), HasSubstr("either {env: NAME} or {file: PATH}")))
        << value;
  }
}

TEST(SectionSecret, ThatIsNotThereNamesWhereItWasLookedFor) {
  const test::ScopedVariable variable("HOLDFAST_TEST_SECRET", std::nullopt);
  EXPECT_EQ(Outcome("{env: HOLDFAST_TEST_SECRET}"),
            "f:2: token: the environment variable HOLDFAST_TEST_SECRET is not set");
  EXPECT_EQ(Outcome("{file: /no/such/file}"), "f:2: token: the file /no/such/file cannot be read");
}

TEST(SectionSecret, WhatIsWrittenInPlaceOfAPathIsNotShown) {
  for (const std::string value : {kSecret, "/a+b/c==", "secrets.txt", "\"/a b\"", "\"-----BEGIN\\nX\""}) {
    EXPECT_EQ(Outcome("{file: " + value + "}"), "f:2: token: the file that is named here cannot be read") << value;
  }
}

TEST(SectionSecret, WithoutAValueIsAnError) { EXPECT_THAT(Outcome("~"), HasSubstr("f:2: token: has no value")); }

TEST(ReadSecret, TrimsTheEndsAndRefusesTheRest) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(ReadSecretFromFile(folder.Write("s", " \t" + std::string(kSecret) + "\r\n\n")).value(), kSecret);
  for (const char* bad : {"two words", "two\nlines", "sk-\x01", "schl\xC3\xBCssel"}) {
    const auto secret = ReadSecretFromFile(folder.Write("s", bad));
    EXPECT_EQ(secret.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(secret.status().message()), AllOf(HasSubstr(folder.path("s")), Not(HasSubstr(bad))));
  }
  EXPECT_EQ(ReadSecretFromFile(folder.Write("s", " \n")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadSecretFromFile(folder.path()).status().code(), absl::StatusCode::kNotFound);
}

TEST(ReadSecret, RefusesAFileThatIsTooLarge) {
  const test::TemporaryFolder folder;
  EXPECT_TRUE(ReadSecretFromFile(folder.Write("s", std::string(64 * 1024, 'k'))).ok());
  EXPECT_THAT(std::string(ReadSecretFromFile(folder.Write("s", std::string(64 * 1024 + 1, 'k'))).status().message()),
              HasSubstr("more than 65536 bytes"));
}

TEST(ReadSecret, AnEmptyVariableIsNotASecret) {
  const test::ScopedVariable variable("HOLDFAST_TEST_SECRET", "");
  EXPECT_THAT(std::string(ReadSecretFromEnv("HOLDFAST_TEST_SECRET").status().message()),
              HasSubstr("HOLDFAST_TEST_SECRET is empty"));
}

TEST(ReadSecret, OnlyANameNamesAVariable) {
  for (const char* name : {"", "sk-abc", "A B", "1A", "A=B", "\xC3\x84"}) {
    EXPECT_EQ(ReadSecretFromEnv(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace holdfast
