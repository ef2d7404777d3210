#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using testing::HasSubstr;
using testing::SizeIs;

// Who waits, as those see it who may.
class QueueTest : public QuotaServerTestBase {
 protected:
  // A limit that is full for an hour and more.
  QueueTest() {
    config_.upstreams[0].limits = {
        {{"m"}, {{Dimension::kTokens, WindowKind::kSliding, 1000, hours(24)}}, std::nullopt}};
    config_.tenants = {{"a", "token-a"}, {"b", "token-b"}};
    config_.services = {{"agent", "token-agent"}};
  }
  void Fill() { ASSERT_TRUE(Generate(Of("fills", 900), "token-a").status.ok()); }
  // A call of so many tokens that waits for a day if it has to.
  static v1::GenerateRequest Of(const std::string& id, int64_t tokens) {
    v1::GenerateRequest request = Request(id, std::string(static_cast<size_t>((tokens - 2) * 4), 'x'));
    request.set_session_id("session-of-" + id);
    request.mutable_max_wait()->set_seconds(25 * 3600);
    return request;
  }
  // Returns when it waits.
  std::unique_ptr<Reader> Wait(const v1::GenerateRequest& request, const std::string& token) {
    std::unique_ptr<Reader> reader = Open(request, token);
    EXPECT_TRUE(reader->ReadUntil(v1::GenerateEvent::kWait));
    return reader;
  }
  static const v1::LimitGroupStatus& Group(const v1::WatchStatusResponse& status) {
    return status.upstreams(0).groups(0);
  }
  static std::function<bool(const v1::WatchStatusResponse&)> Shows(int waiters) {
    return [waiters](const v1::WatchStatusResponse& status) { return Group(status).waiters_size() == waiters; };
  }
};

TEST_F(QueueTest, StatusShowsWhoWaitsToAServiceAndToATenantItsOwnAlone) {
  StartServer();
  Fill();
  const auto first = Wait(Of("c1", 500), "token-a");
  const auto second = Wait(Of("c2", 300), "token-b");
  const v1::WatchStatusResponse all = Status("token-agent", Shows(2));
  EXPECT_EQ(Group(all).queued(), 2);
  EXPECT_EQ(Group(all).visible(), 2);
  const v1::WaiterStatus& waiter = Group(all).waiters(0);
  EXPECT_EQ(waiter.tenant(), "a");
  EXPECT_EQ(waiter.session(), "session-of-c1");
  EXPECT_EQ(waiter.position(), 1);
  EXPECT_EQ(waiter.requested(), 500);
  EXPECT_EQ(waiter.reason(), v1::WAIT_REASON_RATE_LIMIT);
  EXPECT_GT(waiter.seconds(), 3600);
  EXPECT_LE(waiter.least_seconds(), waiter.seconds());
  EXPECT_GE(waiter.most_seconds(), waiter.seconds());

  const v1::WatchStatusResponse own = Status("token-b", Shows(1));
  EXPECT_EQ(Group(own).waiters(0).tenant(), "b");
  EXPECT_EQ(Group(own).waiters(0).position(), 2) << "it knows where it stands";
  EXPECT_EQ(Group(own).queued(), 2) << "and how many there are";
  EXPECT_EQ(Group(own).visible(), 1);
  EXPECT_EQ(own.SerializeAsString().find("session-of-c1"), std::string::npos);
  for (const auto& reader : {first.get(), second.get()}) reader->context.TryCancel();
}

TEST_F(QueueTest, WhatNobodyLooksAtWaitsForWhatSomebodyDoes) {
  StartServer();
  Fill();
  v1::GenerateRequest unattended = Of("c1", 300);
  unattended.set_background(true);
  const auto first = Wait(unattended, "token-a");
  const auto second = Wait(Of("c2", 500), "token-a");
  const v1::WatchStatusResponse status = Status("token-a", Shows(2));
  EXPECT_EQ(Group(status).waiters(0).session(), "session-of-c2");
  EXPECT_EQ(Group(status).waiters(1).session(), "session-of-c1");
  unattended.set_background(false);
  EXPECT_TRUE(Open(unattended, "token-a")->ReadUntil(v1::GenerateEvent::kWait))
      << "the same call: one may attach to it";
  for (const auto& reader : {first.get(), second.get()}) reader->context.TryCancel();
}

TEST_F(QueueTest, ACancelledWaiterLeavesAtOnceAndTheNextMovesUp) {
  StartServer();
  Fill();
  const auto first = Wait(Of("c1", 500), "token-a");
  const auto second = Wait(Of("c2", 60), "token-a");
  v1::CancelCallRequest request;
  request.set_call_id("c1");
  v1::CancelCallResponse response;
  ASSERT_TRUE(Ask(&v1::QuotaService::Stub::CancelCall, request, &response, "token-a").ok());
  EXPECT_EQ(first->Drain().status.error_code(), grpc::StatusCode::CANCELLED);
  const Generation answered = second->Drain();
  EXPECT_TRUE(answered.status.ok()) << "the large one before it was all it waited for";
  EXPECT_EQ(answered.Count(v1::GenerateEvent::kAdmitted), 1);
}

TEST_F(QueueTest, TooManyBytesThatWaitAreAnsweredAtOnceWithWhenToComeBack) {
  config_.queue_bytes_per_tenant = 3000;
  StartServer();
  Fill();
  const auto first = Wait(Of("c1", 400), "token-a");
  const grpc::Status status = Generate(Of("c2", 400), "token-a").status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("bytes"));
  EXPECT_TRUE(DetailsOf(status).retry_delay.has_value());
  ASSERT_THAT(DetailsOf(status).violations, SizeIs(1));
  EXPECT_EQ(DetailsOf(status).violations[0].metric, "queue");
  const auto other = Wait(Of("c3", 400), "token-b");
  for (const auto& reader : {first.get(), other.get()}) reader->context.TryCancel();
}

}  // namespace
}  // namespace holdfast::quota
