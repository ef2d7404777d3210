#include "quota_service/upstream/sse_parser.h"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <vector>

namespace holdfast::quota {

bool operator==(const SseEvent& a, const SseEvent& b) { return a.type == b.type && a.data == b.data; }
void PrintTo(const SseEvent& event, std::ostream* out) { *out << "{" << event.type << "|" << event.data << "}"; }

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr size_t kBound = 1'000;

std::vector<SseEvent> ParseInPieces(const std::vector<std::string_view>& pieces) {
  SseParser parser(kBound);
  std::vector<SseEvent> events;
  for (const auto piece : pieces) EXPECT_TRUE(parser.Feed(piece, &events).ok());
  return events;
}

std::vector<SseEvent> Parse(std::string_view bytes) { return ParseInPieces({bytes}); }

TEST(SseParser, GivesEachEventItsTypeAndData) {
  EXPECT_THAT(Parse("event: response.created\ndata: {\"a\":1}\n\ndata: [DONE]\n\n"),
              ElementsAre(SseEvent{"response.created", "{\"a\":1}"}, SseEvent{"", "[DONE]"}));
}

TEST(SseParser, JoinsDataLinesWithNewlines) {
  EXPECT_THAT(Parse("data: a\ndata: b\ndata\ndata:\n\n"), ElementsAre(SseEvent{"", "a\nb\n\n"}));
}

TEST(SseParser, TakesOffOneLeadingSpaceOnly) {
  EXPECT_THAT(Parse("data:  a \n\ndata:b\n\n"), ElementsAre(SseEvent{"", " a "}, SseEvent{"", "b"}));
}

TEST(SseParser, EndsLinesAtLfCrAndCrLf) {
  for (const char* bytes : {"data: a\ndata: b\n\ndata: c\n\n", "data: a\rdata: b\r\rdata: c\r\r",
                            "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", "data: a\r\ndata: b\r\n\ndata: c\r\r\n"}) {
    EXPECT_THAT(Parse(bytes), ElementsAre(SseEvent{"", "a\nb"}, SseEvent{"", "c"})) << bytes;
  }
}

TEST(SseParser, DoesNotWaitForTheLfAfterACr) { EXPECT_THAT(Parse("data: a\r\r"), ElementsAre(SseEvent{"", "a"})); }

TEST(SseParser, SkipsALeadingByteOrderMarkOnce) {
  EXPECT_THAT(Parse("\xEF\xBB\xBF"
                    "data: a\n\n"),
              ElementsAre(SseEvent{"", "a"}));
  EXPECT_THAT(Parse("\xEF\xBB\xBF\xEF\xBB\xBF"
                    "data: a\n\n"),
              IsEmpty());
  EXPECT_THAT(Parse("data: a\n\n\xEF\xBB\xBF"
                    "data: b\n\n"),
              ElementsAre(SseEvent{"", "a"}));
}

TEST(SseParser, TakesHalfAByteOrderMarkAsPartOfTheLine) {
  EXPECT_THAT(Parse("\xEF\xBB"
                    "data: a\ndata: b\n\n"),
              ElementsAre(SseEvent{"", "b"}));
  EXPECT_THAT(Parse("\xEF\n\ndata: b\n\n"), ElementsAre(SseEvent{"", "b"}));
}

TEST(SseParser, DropsCommentsAndFieldsItDoesNotKnow) {
  EXPECT_THAT(Parse(": OPENROUTER PROCESSING\n\n:\nid: 7\nretry: 10\nDATA: no\ndatax: no\n data: no\ndata: a\n: in "
                    "between\ndata: b\n\n"),
              ElementsAre(SseEvent{"", "a\nb"}));
}

TEST(SseParser, DropsAnEventWithoutData) {
  EXPECT_THAT(Parse("event: ping\n\ndata: a\n\n"), ElementsAre(SseEvent{"", "a"}));
}

TEST(SseParser, KeepsAnEventWithEmptyData) {
  EXPECT_THAT(Parse("data:\n\ndata\n\n"), ElementsAre(SseEvent{}, SseEvent{}));
}

TEST(SseParser, KeepsTheLastOfSeveralTypes) {
  EXPECT_THAT(Parse("event: a\nevent: b\ndata: x\n\n"), ElementsAre(SseEvent{"b", "x"}));
}

TEST(SseParser, KeepsDataAsBytes) {
  const std::string bytes("\0\xFF\xC3(", 4);
  EXPECT_THAT(Parse("data: " + bytes + "\n\n"), ElementsAre(SseEvent{"", bytes}));
}

TEST(SseParser, DropsAnUnfinishedEventAndKnowsThatItIsThere) {
  const auto partial_after = [](std::string_view bytes) {
    SseParser parser(kBound);
    std::vector<SseEvent> events;
    EXPECT_TRUE(parser.Feed(bytes, &events).ok());
    EXPECT_THAT(events, IsEmpty());
    return parser.has_partial_event();
  };
  EXPECT_TRUE(partial_after("data: a\n"));
  EXPECT_TRUE(partial_after("data: a"));
  EXPECT_TRUE(partial_after("da"));
  EXPECT_TRUE(partial_after("data\n"));
  EXPECT_TRUE(partial_after("event: a\n"));
  EXPECT_FALSE(partial_after(""));
  EXPECT_FALSE(partial_after(": comment"));
  EXPECT_FALSE(partial_after("\n\n\r"));
}

TEST(SseParser, HasNoPartialEventAfterAWholeOne) {
  SseParser parser(kBound);
  std::vector<SseEvent> events;
  EXPECT_TRUE(parser.Feed("event: x\ndata: a\n\n", &events).ok());
  EXPECT_FALSE(parser.has_partial_event());
}

constexpr std::string_view kSample =
    "\xEF\xBB\xBF: hello\r\nevent: one\rdata: a\r\ndata:b\n\r\n: keep-alive\n\n\r\rdata\n\nid: 3\nevent: two\ndata: "
    "\xC3\xA9\xFF\r\r"
    "data: {\"x\": [1, 2]}\r\n\r\ndata: unfinished\n";

TEST(SseParser, GivesTheSameEventsForEverySplitInTwo) {
  const auto whole = Parse(kSample);
  ASSERT_THAT(whole, ElementsAre(SseEvent{"one", "a\nb"}, SseEvent{}, SseEvent{"two", "\xC3\xA9\xFF"},
                                 SseEvent{"", "{\"x\": [1, 2]}"}));
  for (size_t at = 0; at <= kSample.size(); ++at) {
    EXPECT_EQ(ParseInPieces({kSample.substr(0, at), kSample.substr(at)}), whole) << at;
  }
}

TEST(SseParser, GivesTheSameEventsByteByByte) {
  std::vector<std::string_view> pieces;
  for (size_t i = 0; i < kSample.size(); ++i) pieces.push_back(kSample.substr(i, 1));
  EXPECT_EQ(ParseInPieces(pieces), Parse(kSample));
}

TEST(SseParser, GivesTheSameEventsForAnyBytesInAnySplit) {
  std::mt19937 random(42);
  const std::vector<std::string> tokens = {
      "data", "event", ":", " ", "\n", "\r", "\r\n", "x", "\xEF", "\xEF\xBB\xBF", "id: 1\n", std::string(1, '\0')};
  for (int round = 0; round < 3'000; ++round) {
    std::string text;
    for (auto i = random() % 60; i > 0; --i) text += tokens[random() % tokens.size()];
    std::vector<std::string_view> pieces;
    for (std::string_view rest = text; !rest.empty();) {
      const size_t length = std::min<size_t>(rest.size(), random() % 6);
      pieces.push_back(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    ASSERT_EQ(ParseInPieces(pieces), Parse(text)) << testing::PrintToString(text);
  }
}

TEST(SseParser, TakesAnEventOfExactlyTheBound) {
  SseParser parser(kBound);
  std::vector<SseEvent> events;
  const std::string line = "data: " + std::string(kBound - 6, 'x');
  EXPECT_TRUE(parser.Feed(line, &events).ok());
  EXPECT_TRUE(parser.Feed("\n\n", &events).ok());
  EXPECT_EQ(events.size(), 1u);
}

TEST(SseParser, RefusesAnEventOverTheBoundNowAndEverAfter) {
  for (const std::string& bytes : {"data: " + std::string(kBound, 'x'), "event: " + std::string(kBound, 'x') + "\n",
                                   std::string(kBound + 1, 'x')}) {
    SseParser parser(kBound);
    std::vector<SseEvent> events;
    EXPECT_TRUE(absl::IsResourceExhausted(parser.Feed(bytes, &events)));
    EXPECT_TRUE(absl::IsResourceExhausted(parser.Feed("\n\ndata: a\n\n", &events)));
    EXPECT_THAT(events, IsEmpty());
  }
}

TEST(SseParser, BoundsTheSumOfManySmallLines) {
  SseParser parser(kBound);
  std::vector<SseEvent> events;
  absl::Status status;
  for (int i = 0; i < 2'000 && status.ok(); ++i) status = parser.Feed("data\n", &events);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
}

TEST(SseParser, GivesTheEventsBeforeOneThatIsOverTheBound) {
  SseParser parser(kBound);
  std::vector<SseEvent> events;
  EXPECT_FALSE(parser.Feed("data: a\n\ndata: " + std::string(kBound, 'x'), &events).ok());
  EXPECT_THAT(events, ElementsAre(SseEvent{"", "a"}));
}

TEST(SseParser, LetsCommentsBeAsLongAsTheyLike) {
  SseParser parser(kBound);
  std::vector<SseEvent> events;
  EXPECT_TRUE(parser.Feed(":", &events).ok());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(parser.Feed(std::string(kBound, 'x'), &events).ok());
  EXPECT_TRUE(parser.Feed("\ndata: a\n\n", &events).ok());
  EXPECT_THAT(events, ElementsAre(SseEvent{"", "a"}));
}

}  // namespace
}  // namespace holdfast::quota
