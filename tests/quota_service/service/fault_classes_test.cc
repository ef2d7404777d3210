// What waiting can fix is waited for, and what it cannot ends the call: every provider's errors, in every place where
// they were seen to arrive, for typed calls in both dialects.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>

#include "common/rpc/status.h"
#include "quota_service/service/failure_status.h"
#include "tests/quota_service/call/call_rig.h"
#include "tests/quota_service/service/fault_rows.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

enum class Place {
  kHttpStatus,
  kBodyOf200,       // JSON, as OpenRouter does it
  kErrorEvent,      // in a stream of 200, the error as an object
  kFlatErrorEvent,  // in a stream of 200, the error's fields in the event itself
  kFailedResponse,  // response.failed
};

struct Delivery {
  FaultRow row;
  Place place;
  Wire wire;
};

std::string Name(const testing::TestParamInfo<Delivery>& info) {
  static constexpr const char* kPlaces[] = {"HttpStatus", "BodyOf200", "ErrorEvent", "FlatErrorEvent",
                                            "FailedResponse"};
  return fmt::format("{}_{}_{}", info.param.row.name, kPlaces[static_cast<int>(info.param.place)],
                     info.param.wire == Wire::kTypedChat ? "Chat" : "Responses");
}

// The value of a text field of the error object, with its quotes; empty where it has none.
std::string TextField(const FaultRow& row, const std::string& key) {
  const std::string error = row.error;
  const size_t at = error.find("\"" + key + "\":\"");
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size() + 3;
  return error.substr(begin, error.find('"', begin + 1) + 1 - begin);
}

std::vector<Delivery> Deliveries() {
  std::vector<Delivery> deliveries;
  for (const FaultRow& row : FaultRows()) {
    for (const Wire wire : {Wire::kTypedResponses, Wire::kTypedChat}) {
      deliveries.push_back({row, Place::kHttpStatus, wire});
      if (!row.names_itself) continue;
      deliveries.push_back({row, Place::kBodyOf200, wire});
      deliveries.push_back({row, Place::kErrorEvent, wire});
      // This form has no place for more than a code and words.
      if (!TextField(row, "code").empty()) deliveries.push_back({row, Place::kFlatErrorEvent, wire});
      if (wire == Wire::kTypedResponses) deliveries.push_back({row, Place::kFailedResponse, wire});
    }
  }
  return deliveries;
}

class FaultClasses : public testing::TestWithParam<Delivery> {
 protected:
  FaultClasses() : stream_(GetParam().wire) {
    rig_.upstream.set_otherwise([this] { return Script::Stream().Body(stream_.Answer("hello")).End(); });
    rig_.upstream.Push(Fault());
  }

  const FaultRow& row() const { return GetParam().row; }

  Script Fault() const {
    const HttpHeaders date = {{"date", kFaultDate}};
    const std::string error = row().error;
    const std::string body = error.starts_with('{') ? fmt::format(R"({{"error":{}}})", error) : error;
    HttpHeaders headers = row().headers;
    headers.insert(headers.end(), date.begin(), date.end());
    const auto stream = [&](const std::string& event) {
      return std::move(Script::Stream(date).Body(stream_.Started()).After(seconds(2)).Body(event));
    };
    switch (GetParam().place) {
      case Place::kHttpStatus:
        return Script::Answer(row().status, body, headers);
      case Place::kBodyOf200:
        return Script::Answer(200, body, date);
      case Place::kErrorEvent:
        if (GetParam().wire == Wire::kTypedChat) return stream("data: " + body + "\n\n");
        return stream(fmt::format("event: error\ndata: {{\"type\":\"error\",\"error\":{}}}\n\n", error));
      case Place::kFlatErrorEvent:
        return stream(fmt::format("event: error\ndata: {{\"type\":\"error\",\"code\":{},\"message\":{}}}\n\n",
                                  TextField(row(), "code"), TextField(row(), "message")));
      case Place::kFailedResponse:
        return stream(
            fmt::format("event: response.failed\ndata: {{\"type\":\"response.failed\",\"response\":{{\"id\":"
                        "\"resp_1\",\"status\":\"failed\",\"error\":{}}}}}\n\n",
                        error));
    }
    return {};
  }

  Duration Delay() const {
    return GetParam().place == Place::kHttpStatus ? std::max(row().delay, row().header_delay) : row().delay;
  }
  bool Waits() const { return row().fate == Fate::kHolds || row().fate == Fate::kBacksOff; }

  CallRig rig_{{.tokens_per_minute = 0}};
  StreamText stream_;
};
INSTANTIATE_TEST_SUITE_P(Errors, FaultClasses, testing::ValuesIn(Deliveries()), Name);

TEST_P(FaultClasses, WhatWaitingFixesIsWaitedForOnceAndTheRestIsNeverSentAgain) {
  TestCall test(rig_, GetParam().wire, {.charge = row().charge, .max_wait = hours(48)});
  test.Start();
  rig_.loop.Advance(hours(60));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(rig_.State().in_flight, 0u);
  EXPECT_EQ(rig_.State().queued, 0u);
  EXPECT_EQ(rig_.upstream.open(), 0u);
  EXPECT_THAT(test.spy->restarts, IsEmpty());
  const auto& seen = rig_.upstream.seen();
  if (!Waits()) {
    EXPECT_FALSE(test.completed());
    EXPECT_THAT(seen, SizeIs(1));
    EXPECT_THAT(test.spy->waits, IsEmpty());
    return;
  }
  ASSERT_TRUE(test.completed()) << test.failure().message;
  EXPECT_EQ(test.Text(), "hello");
  ASSERT_THAT(seen, SizeIs(2));
  EXPECT_EQ(seen[1].request.body, seen[0].request.body);
  EXPECT_EQ(seen[1].request.headers, seen[0].request.headers);

  const Duration pause = seen[1].at - seen[0].closed;
  EXPECT_GE(pause, Delay());
  Duration most = row().most > Duration::zero() ? row().most : Delay() + seconds(1);
  if (row().fate == Fate::kBacksOff) most = Delay() * 3 / 2 + seconds(1);
  // Whoever says nothing of the time is asked again by own pauses.
  if (row().fate == Fate::kHolds && Delay() == Duration::zero()) most = std::max(most, Duration(seconds(60)));
  EXPECT_LE(pause, most);

  ASSERT_FALSE(test.spy->waits.empty());
  const WaitNotice& told = test.spy->waits.back();
  EXPECT_LE(told.ends, seen[1].at + seconds(1)) << "the announced wait is honest";
  EXPECT_GE(told.ends, seen[1].at - seconds(1));
  EXPECT_EQ(told.reason == WaitNotice::Reason::kBackoff, row().fate == Fate::kBacksOff);
}

TEST_P(FaultClasses, ACallerWhoMayNotWaitIsToldWhatAndHowLong) {
  TestCall test(rig_, GetParam().wire, {.charge = row().charge, .max_wait = Duration::zero()});
  test.Start();
  rig_.loop.Advance(seconds(10));
  ASSERT_TRUE(test.finished());
  ASSERT_FALSE(test.completed());
  EXPECT_THAT(rig_.upstream.seen(), SizeIs(1));
  const grpc::Status status = StatusOf(test.failure(), kGroup);
  const ErrorDetails details = DetailsOf(status);
  EXPECT_THAT(status.error_message(), Not(HasSubstr("key-of-acme")));

  if (Waits()) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    ASSERT_TRUE(details.retry_delay) << "without it, it would not mean a wait";
    EXPECT_GE(*details.retry_delay, Delay());
    EXPECT_THAT(details.violations, SizeIs(1));
    return;
  }
  EXPECT_THAT(status.error_message(), HasSubstr("acme")) << "names the upstream";
  switch (row().fate) {
    case Fate::kNeverFits:
      EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
      ASSERT_THAT(details.violations, SizeIs(1));
      EXPECT_EQ(details.violations[0].metric, "tokens");
      EXPECT_EQ(details.violations[0].value, row().largest);
      EXPECT_FALSE(details.retry_delay) << "no time makes it fit";
      break;
    case Fate::kQuotaGone:
      EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
      EXPECT_THAT(details.violations, IsEmpty()) << "that is for what can never fit";
      EXPECT_EQ(details.retry_delay.has_value(), row().reset.has_value());
      // The moment is absolute, and in a stream some seconds have gone by since its date.
      if (row().reset && details.retry_delay) {
        EXPECT_NEAR(ToSeconds(*details.retry_delay), ToSeconds(*row().reset), 3);
      }
      break;
    case Fate::kKeyRefused:
      EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
      EXPECT_TRUE(details.empty());
      break;
    default:
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
      EXPECT_TRUE(details.empty());
  }
}

}  // namespace
}  // namespace holdfast::quota
