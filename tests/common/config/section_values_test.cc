#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/config/section.h"

namespace holdfast {
namespace {

using std::chrono::minutes;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Read {
  explicit Read(const std::string& value) : section(*Section::Parse("key: " + value, "f")) {}

  std::string error() { return std::string(section.Finish().message()); }

  Section section;
};

TEST(SectionInteger, TakesWholeNumbersWithinItsBounds) {
  EXPECT_EQ(Read("5").section.Integer("key", 1, 5, ""), 5);
  EXPECT_EQ(Read("-3").section.Integer("key", -3, 5, ""), -3);
  EXPECT_EQ(Read("\"5\"").section.Integer("key", 1, 5, ""), 5);
  EXPECT_EQ(Section::Parse("", "f")->Integer("key", 1, 5, ""), std::nullopt);
}

TEST(SectionInteger, RefusesEverythingElseAndSaysTheBounds) {
  for (const char* value :
       {"0", "6", "1.5", "1e2", "0x4", "five", "1_0", "99999999999999999999", "\"\"", "\" 4\"", "true"}) {
    Read read(value);
    EXPECT_EQ(read.section.Integer("key", 1, 5, ""), std::nullopt) << value;
    EXPECT_THAT(read.error(), AllOf(HasSubstr("f:1: key: "), HasSubstr("whole number from 1 to 5"))) << value;
  }
}

TEST(SectionNumber, TakesFractionsWithinItsBoundsAndNothingElse) {
  EXPECT_EQ(Read("0.5").section.Number("key", 0.25, 2, ""), 0.5);
  for (const char* value : {"nan", ".nan", "inf", "-1", "2.5", "1,5", "x", "1.5x"}) {
    Read read(value);
    EXPECT_EQ(read.section.Number("key", 0.25, 2, ""), std::nullopt) << value;
    EXPECT_THAT(read.error(), HasSubstr("number from 0.25 to 2")) << value;
  }
}

TEST(SectionBoolean, TakesTrueAndFalseAndNoneOfYamlsOtherWords) {
  EXPECT_EQ(Read("true").section.Boolean("key", ""), true);
  EXPECT_EQ(Read("false").section.Boolean("key", ""), false);
  for (const char* value : {"yes", "no", "on", "1", "True"}) {
    Read read(value);
    EXPECT_EQ(read.section.Boolean("key", ""), std::nullopt) << value;
    EXPECT_THAT(read.error(), HasSubstr("neither true nor false"));
  }
}

TEST(SectionTime, TakesADurationWithItsUnit) {
  EXPECT_EQ(Read("15m").section.Time("key", ""), minutes(15));
  for (const char* value : {"15", "-1s", "soon"}) {
    Read read(value);
    EXPECT_EQ(read.section.Time("key", ""), std::nullopt) << value;
    EXPECT_THAT(read.error(), AllOf(HasSubstr("f:1: key: "), HasSubstr("not a duration"))) << value;
  }
}

TEST(SectionListen, TakesAnAddress) {
  EXPECT_EQ(Read("127.0.0.1:80").section.Listen("key", "")->port, 80);
  Read read("127.0.0.1");
  EXPECT_EQ(read.section.Listen("key", ""), std::nullopt);
  EXPECT_THAT(read.error(), AllOf(HasSubstr("f:1: key: "), HasSubstr("host:port")));
}

TEST(SectionBytes, TakesSizesByTheirUnit) {
  const std::pair<const char*, int64_t> cases[] = {
      {"1000", 1000}, {"7B", 7}, {"256 KiB", 256 << 10}, {"64MiB", 64 << 20}, {"1GiB", int64_t{1} << 30}, {"0", 0}};
  for (const auto& [text, bytes] : cases) {
    EXPECT_EQ(Read(text).section.Bytes("key", 0, int64_t{1} << 40, ""), bytes) << text;
  }
}

TEST(SectionBytes, RefusesWhatIsOutOfBoundsOrHasAnotherUnit) {
  for (const char* value : {"-1", "-1KiB", "2MiB", "1025KiB", "9", "9223372036854775807GiB", "99999999999999999999",
                            "64MB", "64M", "64mib", "1.5MiB", "MiB", "1 2", "64MiBs"}) {
    Read read(value);
    EXPECT_EQ(read.section.Bytes("key", 10, 1 << 20, ""), std::nullopt) << value;
    EXPECT_THAT(read.error(), AllOf(HasSubstr("from 10 to 1048576 bytes"), HasSubstr("256MiB"))) << value;
  }
}

TEST(SectionOneOf, TakesOneOfItsChoicesAndListsThemOtherwise) {
  EXPECT_EQ(Read("b").section.OneOf("key", {"a", "b"}, ""), "b");
  for (const char* value : {"c", "B", "\"\"", "[a]"}) {
    Read read(value);
    EXPECT_EQ(read.section.OneOf("key", {"a", "b"}, ""), std::nullopt) << value;
    EXPECT_THAT(read.error(), HasSubstr("a, b")) << value;
  }
}

TEST(SectionStrings, TakesAListOfTexts) {
  EXPECT_THAT(Read("[a, \"b c\", 3]").section.Strings("key", ""), ElementsAre("a", "b c", "3"));
  EXPECT_THAT(Read("[]").section.Strings("key", ""), IsEmpty());
  for (const char* value : {"a", "{a: b}", "[[a]]", "[a, {b: c}]", "[a, ~]", "[a, \"\"]"}) {
    Read read(value);
    read.section.Strings("key", "");
    EXPECT_THAT(read.error(), AllOf(HasSubstr("f:1: key: "), HasSubstr("must be a list"))) << value;
  }
}

}  // namespace
}  // namespace holdfast
