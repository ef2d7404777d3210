#include "common/rpc/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/base/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using testing::SizeIs;
using testing::StartsWith;

grpc::Status WithDelay(int64_t seconds, int32_t nanos) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(seconds);
  info.mutable_retry_delay()->set_nanos(nanos);
  google::rpc::Status wire;
  wire.add_details()->PackFrom(info);
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "m", wire.SerializeAsString()};
}

TEST(StatusDetails, ComeBackAsTheyWere) {
  ErrorDetails details;
  details.retry_delay = milliseconds(3646);
  details.violations = {{"upstream:openai/o4-mini", "200000 tokens per 1m", "tokens", 200000}, {"s", "d", "m", -1}};
  const grpc::Status status = ToGrpc(absl::ResourceExhaustedError("wait"), details);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "wait");

  const ErrorDetails back = DetailsOf(status);
  EXPECT_EQ(back.retry_delay, details.retry_delay);
  ASSERT_THAT(back.violations, SizeIs(2));
  EXPECT_EQ(back.violations[0].subject, "upstream:openai/o4-mini");
  EXPECT_EQ(back.violations[0].description, "200000 tokens per 1m");
  EXPECT_EQ(back.violations[0].metric, "tokens");
  EXPECT_EQ(back.violations[0].value, 200000);
  EXPECT_EQ(back.violations[1].value, -1);
}

TEST(StatusDetails, AreAsGoogleApisDefineThem) {
  ErrorDetails details;
  details.retry_delay = milliseconds(1500);
  google::rpc::Status wire;
  ASSERT_TRUE(wire.ParseFromString(ToGrpc(absl::ResourceExhaustedError("wait"), details).error_details()));
  EXPECT_EQ(wire.code(), 8);
  EXPECT_EQ(wire.message(), "wait");
  ASSERT_EQ(wire.details_size(), 1);
  EXPECT_EQ(wire.details(0).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
}

TEST(StatusDetails, AreAbsentWhereThereIsNothingToSay) {
  EXPECT_EQ(ToGrpc(absl::NotFoundError("x")).error_details(), "");
  EXPECT_TRUE(DetailsOf(grpc::Status(grpc::StatusCode::NOT_FOUND, "x")).empty());
  ErrorDetails details;
  details.retry_delay = milliseconds(1);
  EXPECT_TRUE(ToGrpc(absl::OkStatus(), details).ok());
}

TEST(StatusDetails, OfAHostilePeerAreReadWithinBounds) {
  EXPECT_TRUE(DetailsOf({grpc::StatusCode::UNKNOWN, "m", "\xFF\xFE garbage"}).empty());
  EXPECT_EQ(DetailsOf(WithDelay(-5, 0)).retry_delay, Duration::zero());
  EXPECT_EQ(DetailsOf(WithDelay(0, -1)).retry_delay, Duration::zero());
  for (const int64_t seconds : {std::numeric_limits<int64_t>::max(), int64_t{10'000'000'000}}) {
    EXPECT_GT(*DetailsOf(WithDelay(seconds, 999'999'999)).retry_delay, std::chrono::hours(24 * 365 * 280));
  }
  EXPECT_EQ(DetailsOf(WithDelay(std::numeric_limits<int64_t>::min(), -999'999'999)).retry_delay, Duration::zero());

  google::rpc::Status wire;
  wire.add_details()->set_type_url("type.googleapis.com/google.rpc.Unknown");
  wire.add_details()->set_type_url("type.googleapis.com/google.rpc.RetryInfo");
  wire.mutable_details(1)->set_value("\xFF not a RetryInfo");
  EXPECT_TRUE(DetailsOf({grpc::StatusCode::UNKNOWN, "m", wire.SerializeAsString()}).empty());
}

TEST(StatusConversion, KeepsEveryCodeBothWays) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "words");
    const grpc::Status over = ToGrpc(status);
    EXPECT_EQ(static_cast<int>(over.error_code()), code);
    EXPECT_EQ(FromGrpc(over), status);
  }
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(StatusConversion, KeepsTheDetailsThereAndBack) {
  ErrorDetails details;
  details.retry_delay = std::chrono::seconds(1);
  const grpc::Status over = ToGrpc(absl::UnavailableError("later"), details);
  const grpc::Status again = ToGrpc(FromGrpc(over));
  EXPECT_EQ(again.error_message(), "later");
  EXPECT_EQ(DetailsOf(again).retry_delay, std::chrono::seconds(1));
}

TEST(StatusConversion, RepairsWordsThatAreNoUtf8) {
  ErrorDetails details;
  details.violations = {{"\xFF", "d\xC3", "m\x80", 0}};
  const grpc::Status status = ToGrpc(absl::NotFoundError("bad \xFF byte"), details);
  EXPECT_EQ(status.error_message(), "bad \xEF\xBF\xBD byte");
  const QuotaViolation violation = DetailsOf(status).violations.at(0);
  for (const std::string& word : {violation.subject, violation.description, violation.metric}) {
    EXPECT_TRUE(IsValidUtf8(word));
  }
}

TEST(StatusConversion, CutsWordsToWhatTrailersTake) {
  std::string words = "begin ";
  while (words.size() < 100'000) words += "配额";
  ErrorDetails details;
  details.retry_delay = milliseconds(1);
  details.violations.assign(100, {words, words, words, 1});
  const grpc::Status status = ToGrpc(absl::ResourceExhaustedError(words), details);
  EXPECT_THAT(status.error_message(), StartsWith("begin 配额"));
  EXPECT_TRUE(IsValidUtf8(status.error_message()));
  // Percent-encoding triples the one, base64 adds a third to the other; gRPC's bound is 8 KiB for all trailers.
  EXPECT_LT(status.error_message().size() * 3 + status.error_details().size() * 4 / 3, 8000U);
}

}  // namespace
}  // namespace holdfast
