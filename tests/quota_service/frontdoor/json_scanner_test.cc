#include "quota_service/frontdoor/request/json_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <vector>

namespace holdfast::quota {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Writes down what it is told.
class Recorder final : public JsonVisitor {
 public:
  absl::Status OnKey(const JsonString& key) override { return Note("key " + key.Decoded()); }
  absl::Status OnString(const JsonString& value) override {
    characters = value.characters;
    begin = value.begin;
    end = value.end();
    return Note("string " + value.Decoded());
  }
  absl::Status OnScalar(std::string_view text, size_t) override { return Note(std::string(text)); }
  absl::Status OnBegin(char bracket) override { return Note(std::string(1, bracket)); }
  absl::Status OnEnd() override { return Note("end"); }

  std::vector<std::string> seen;
  int64_t characters = 0;
  size_t begin = 0;
  size_t end = 0;

 private:
  absl::Status Note(std::string what) {
    seen.push_back(std::move(what));
    return absl::OkStatus();
  }
};

absl::Status Scan(std::string_view text) {
  Recorder recorder;
  return ScanJson(text, recorder);
}

TEST(JsonScanner, TellsEverythingInOrder) {
  Recorder recorder;
  ASSERT_TRUE(ScanJson(R"( {"a": [1, -2.5e+3, true], "b": {"c": null}, "d": "x", "e": [], "f": {}} )", recorder).ok());
  EXPECT_THAT(recorder.seen,
              ElementsAre("{", "key a", "[", "1", "-2.5e+3", "true", "end", "key b", "{", "key c", "null", "end",
                          "key d", "string x", "key e", "[", "end", "key f", "{", "end", "end"));
}

TEST(JsonScanner, TakesAnyValueAsTheWholeText) {
  for (const char* text : {"1", "\"x\"", "null", "[]", "{}", " 0.5 ", "-0"}) EXPECT_TRUE(Scan(text).ok()) << text;
}

TEST(JsonScanner, NamesThePlaceOfWhatIsNoJson) {
  for (const std::string_view text : {"",         " ",           "{",
                                      "[",        "{\"a\"",      "{\"a\":",
                                      "{\"a\":1", "{\"a\":1,}",  "[1,]",
                                      "[1 2]",    "{\"a\" 1}",   "{a:1}",
                                      "tru",      "nul",         "01",
                                      "1.",       "1e",          "-",
                                      "+1",       "\"",          "\"\\",
                                      "\"\\x\"",  "\"\\u12\"",   "\"\\u12g4\"",
                                      "\"\n\"",   "1 1",         "{}{}",
                                      "]",        "}",           "'a'",
                                      "NaN",      "\"a\" \"b\"", "{\"a\":1 \"b\":2}"}) {
    EXPECT_EQ(Scan(text).code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_THAT(std::string(Scan("[1, x]").message()), HasSubstr("byte 4"));
  EXPECT_FALSE(Scan(std::string_view("\"a\0b\"", 5)).ok()) << "a NUL";
}

TEST(JsonScanner, BoundsTheDepthAndNotTheStack) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(Scan(nested(kMostJsonDepth)).ok());
  EXPECT_THAT(std::string(Scan(nested(kMostJsonDepth + 1)).message()), HasSubstr("512"));
  EXPECT_FALSE(Scan(std::string(10'000'000, '[')).ok());
}

TEST(JsonScanner, RefusesBytesThatAreNotUtf8) {
  for (const char* bad :
       {"\xFF", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3", "\x80", "\xF0\x9F\x98"}) {
    EXPECT_FALSE(Scan("\"" + std::string(bad) + "\"").ok());
    EXPECT_FALSE(Scan("\"0123456789" + std::string(bad) + "0123456789\"").ok());
  }
  EXPECT_TRUE(Scan("\"\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80\"").ok());
}

TEST(JsonScanner, CountsCodePointsOfWhatAStringStandsFor) {
  const auto characters = [](std::string_view text) {
    Recorder recorder;
    EXPECT_TRUE(ScanJson(text, recorder).ok()) << text;
    return recorder.characters;
  };
  EXPECT_EQ(characters(R"("")"), 0);
  EXPECT_EQ(characters(R"("abcdefghijklmnopqrstuvwxyz")"), 26);
  EXPECT_EQ(characters("\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""), 3);
  EXPECT_EQ(characters(R"("a\n\"\\\/b")"), 6);
  EXPECT_EQ(characters(R"("\u00e4\ud83d\ude00")"), 2) << "a pair of surrogates is one character";
  EXPECT_EQ(characters(R"("\ud83d")"), 1) << "half a pair is one too";
  EXPECT_EQ(characters(R"("\ud83dx\ude00\ud83d\u0041")"), 5);
}

TEST(JsonScanner, DecodesEscapes) {
  Recorder recorder;
  ASSERT_TRUE(ScanJson(R"({"mod\u0065l":"\"\\\/\b\f\n\r\t\u00e4\u20ac\ud83d\ude00\udc00."})", recorder).ok());
  EXPECT_THAT(
      recorder.seen,
      ElementsAre("{", "key model", "string \"\\/\b\f\n\r\t\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBD.", "end"));
}

TEST(JsonScanner, DecodesNoMoreOfAStringThanIsAskedFor) {
  JsonString plain{.raw = "abcdef"};
  EXPECT_EQ(plain.DecodedHead(0), "");
  EXPECT_EQ(plain.DecodedHead(3), "abc");
  EXPECT_EQ(plain.DecodedHead(7), "abcdef");
  JsonString escaped{.raw = R"(\/\/a\ud83d\ude00z)", .escaped = true};
  EXPECT_EQ(escaped.DecodedHead(2), "//");
  EXPECT_EQ(escaped.DecodedHead(4), "//a\xF0\x9F\x98\x80");
  EXPECT_EQ(escaped.DecodedHead(100), "//a\xF0\x9F\x98\x80z");
}

TEST(JsonScanner, ComparesWhatAStringStandsForWithoutDecodingWhatIsTooLong) {
  const auto escaped = [](std::string_view raw) { return JsonString{.raw = raw, .escaped = true}; };
  EXPECT_TRUE(escaped(R"(\u0074\u0079\u0070\u0065)").Is("type")) << "six bytes for each is the longest there is";
  EXPECT_TRUE(escaped(R"(typ\u0065)").Is("type"));
  EXPECT_TRUE(escaped(R"(\ud83d\ude00)").Is("\xF0\x9F\x98\x80"));
  EXPECT_TRUE(escaped(R"(\ud83d)").Is("\xEF\xBF\xBD")) << "half a surrogate pair";
  EXPECT_FALSE(escaped(R"(\u0074\u0079\u0070\u0065s)").Is("type"));
  EXPECT_FALSE(escaped(R"(typ\u0065)").Is("typ"));
  EXPECT_FALSE(escaped(R"(\u0074)").Is(""));
  // Whoever reads one byte of it crashes.
  constexpr size_t kBytes = size_t{64} << 20;
  void* const unreadable = ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(unreadable, MAP_FAILED);
  EXPECT_FALSE(escaped({static_cast<const char*>(unreadable), kBytes}).Is("max_completion_tokens"));
  ::munmap(unreadable, kBytes);
}

TEST(JsonScanner, SaysWhereAStringStands) {
  const std::string text = R"({"a":"xyz","b":1})";
  Recorder recorder;
  ASSERT_TRUE(ScanJson(text, recorder).ok());
  EXPECT_EQ(text.substr(recorder.begin, recorder.end - recorder.begin), "\"xyz\"");
}

}  // namespace
}  // namespace holdfast::quota
