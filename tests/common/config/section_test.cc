#include "common/config/section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace holdfast {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

// Reads `text` by `read` and says how that ended: the error's words, or "".
template <typename Read>
std::string Outcome(const std::string& text, Read read) {
  auto root = Section::Parse(text, "test.yaml");
  if (!root.ok()) return std::string(root.status().message());
  read(*root);
  const absl::Status status = root->Finish();
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

// As a small service would read its file.
void ReadExample(Section& root) {
  root.String("name", "Its name.");
  root.Integer("count", 1, 10, "How many.");
  root.Map("inner", "A mapping.", [](Section& inner) { inner.Boolean("flag", "A flag."); });
  root.List("rows", "A list.", [](Section& row) {
    row.String("id", "Its id.");
    row.List("cells", "A list inside.", [](Section& cell) { cell.String("text", "Words."); });
  });
}

TEST(Section, TakesAWholeFile) {
  EXPECT_EQ(Outcome("name: x\ncount: 3\ninner: {flag: true}\nrows:\n  - {id: a, cells: [{text: b}]}\n", ReadExample),
            "");
}

TEST(Section, TakesAFileWithNothingInIt) {
  for (const char* text : {"", "\n\n", "# only words\n", "---\n", "{}"})
    EXPECT_EQ(Outcome(text, ReadExample), "") << text;
}

// Each made the parser give the same empty document for ever.
TEST(Section, TextThatBeginsNoValueIsAnError) {
  for (const char* text : {",", ",name: x\n", "\n, [1\n", "name: x\n---\n,\n"}) {
    EXPECT_THAT(Outcome(text, ReadExample), testing::StartsWith("test.yaml:")) << text;
  }
  EXPECT_THAT(Outcome("\n,", ReadExample), AllOf(HasSubstr("test.yaml:2: "), HasSubstr("not valid YAML")));
}

TEST(Section, AnUnknownKeyIsAnErrorThatNamesFileLineKeyAndWhatIsKnown) {
  EXPECT_EQ(Outcome("name: x\n\nnmae: y\n", ReadExample),
            "test.yaml:3: nmae: unknown key; known here: count, inner, name, rows");
  EXPECT_EQ(Outcome("inner:\n  flag: true\n  flg: false\n", ReadExample),
            "test.yaml:3: inner.flg: unknown key; known here: flag");
  EXPECT_EQ(Outcome("rows:\n  - id: a\n  - id: b\n    cells:\n      - {text: c, txt: d}\n", ReadExample),
            "test.yaml:5: rows[].cells[].txt: unknown key; known here: text");
}

TEST(Section, AKeyThatStandsTwiceIsAnErrorAtTheSecond) {
  EXPECT_EQ(Outcome("name: x\ncount: 3\nname: y\n", ReadExample), "test.yaml:3: name: is there twice; keep one");
  EXPECT_EQ(Outcome("inner:\n  flag: true\n  flag: true\n", ReadExample),
            "test.yaml:3: inner.flag: is there twice; keep one");
  EXPECT_EQ(Outcome("rows: [{id: a,\n id: b}]", ReadExample), "test.yaml:2: rows[].id: is there twice; keep one");
}

TEST(Section, ASecondDocumentIsNotIgnored) {
  const std::string outcome = Outcome("name: x\n---\nname: y\n", ReadExample);
  EXPECT_THAT(outcome, AllOf(HasSubstr("test.yaml:2: "), HasSubstr("second document")));
}

TEST(Section, AKeyWithoutAValueIsAnErrorAndNotTheDefault) {
  EXPECT_EQ(Outcome("count: 3\nname:\ninner: {flag: true}\n", ReadExample),
            "test.yaml:2: name: has no value; write one, or remove the key");
  EXPECT_THAT(Outcome("inner:\n", ReadExample), HasSubstr("inner: has no value"));
  EXPECT_THAT(Outcome("rows: ~\n", ReadExample), HasSubstr("rows: has no value"));
  EXPECT_THAT(Outcome("inner: {flag: null}\n", ReadExample), HasSubstr("inner.flag: has no value"));
}

TEST(Section, AValueOfTheWrongTypeNamesTheTypeThatIsWanted) {
  EXPECT_EQ(Outcome("name: [x]\n", ReadExample), "test.yaml:1: name: must be a single value: text");
  EXPECT_EQ(Outcome("\ninner: 3\n", ReadExample), "test.yaml:2: inner: must be a mapping of keys to values");
  EXPECT_EQ(Outcome("inner: [1]\n", ReadExample), "test.yaml:1: inner: must be a mapping of keys to values");
  EXPECT_EQ(Outcome("rows: {id: a}\n", ReadExample), "test.yaml:1: rows: must be a list");
  EXPECT_EQ(Outcome("rows:\n  - id: a\n  - b\n", ReadExample), "test.yaml:3: rows: must be a list of mappings");
}

TEST(Section, AFileThatIsNoMappingIsAnError) {
  for (const char* text : {"just text", "- a\n- b\n", "[1, 2]", "3"}) {
    EXPECT_EQ(Outcome(text, ReadExample), "test.yaml:1: the file must be a mapping of keys to values") << text;
  }
}

TEST(Section, BrokenYamlNamesTheLine) {
  EXPECT_THAT(Outcome("name: x\ninner: {flag: true\ncount: 3\n", ReadExample), HasSubstr("not valid YAML"));
  EXPECT_THAT(Outcome("name: x\n\tcount: 3\n", ReadExample),
              AllOf(HasSubstr("test.yaml:2: "), HasSubstr("not valid YAML")));
  EXPECT_THAT(Outcome("name: *nowhere\n", ReadExample), HasSubstr("test.yaml:1: not valid YAML"));
}

TEST(Section, SurvivesHostileYaml) {
  EXPECT_THAT(Outcome(std::string(100'000, '['), ReadExample), HasSubstr("test.yaml:"));
  EXPECT_THAT(Outcome("? [complex, key]\n: value\n", ReadExample), HasSubstr("keys must be plain text"));
  EXPECT_THAT(Outcome("inner: {<<: {flag: true}}\n", ReadExample), HasSubstr("inner.<<: unknown key"));
  EXPECT_THAT(Outcome(std::string("name: a\0b\nx: y\n", 15), ReadExample), HasSubstr("test.yaml:"));
}

TEST(Section, TheFirstErrorIsKept) {
  EXPECT_EQ(Outcome("count: 11\ninner: 3\nunknown: 4\n", ReadExample),
            "test.yaml:1: count: \"11\" is not a whole number from 1 to 10");
}

TEST(Section, AMisspeltKeyIsToldBeforeTheOneThatIsMissedForIt) {
  const auto read = [](Section& root) {
    if (!root.String("name", "Its name.")) root.Fail("name", "is required");
  };
  EXPECT_EQ(Outcome("nmae: y\n", read), "test.yaml:1: nmae: unknown key; known here: name");
  EXPECT_EQ(Outcome("", read), "test.yaml:1: name: is required");
}

TEST(Section, FailPointsAtTheKeyWhereItIsThere) {
  const auto read = [](Section& root) {
    root.List("rows", "Rows.", [](Section& row) {
      row.String("id", "Id.");
      row.Fail("id", "is not to be");
    });
  };
  EXPECT_EQ(Outcome("rows:\n  - {}\n  -\n    id:\n      x\n", read), "test.yaml:5: rows[].id: is not to be");
}

TEST(Section, ASkippedKeyIsKnownButNotRead) {
  const auto read = [](Section& root) { root.Skip("name"); };
  EXPECT_EQ(Outcome("name: [whatever]\n", read), "");
}

TEST(Section, ReadsFilesAndNamesThemInErrors) {
  const test::TemporaryFolder folder;
  EXPECT_TRUE(Section::ParseFile(folder.Write("empty.yaml", "")).ok());

  auto wrong = Section::ParseFile(folder.Write("wrong.yaml", "\nwrong: 1\n"));
  ASSERT_TRUE(wrong.ok());
  EXPECT_THAT(std::string(wrong->Finish().message()), HasSubstr(folder.path("wrong.yaml") + ":2: wrong: unknown key"));

  for (const std::string& path : {folder.path("none.yaml"), folder.path()}) {
    const auto missing = Section::ParseFile(path);
    EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound) << path;
    EXPECT_THAT(std::string(missing.status().message()), HasSubstr(path));
  }
}

TEST(SectionForReference, ListsEveryKeyInOrderAndFailsNothing) {
  Section root = Section::ForReference();
  ReadExample(root);
  root.Secret("token", "A secret.");
  root.Fail("name", "is required");
  EXPECT_TRUE(root.Finish().ok());
  std::vector<std::string> paths;
  for (const ConfigKey& key : root.keys()) paths.push_back(key.path);
  EXPECT_THAT(paths, ElementsAre("name", "count", "inner", "inner.flag", "rows", "rows[].id", "rows[].cells",
                                 "rows[].cells[].text", "token", "token.env", "token.file"));
  EXPECT_THAT(root.keys(), testing::Each(AllOf(Field(&ConfigKey::type, testing::Not(IsEmpty())),
                                               Field(&ConfigKey::doc, testing::Not(IsEmpty())))));
}

}  // namespace
}  // namespace holdfast
