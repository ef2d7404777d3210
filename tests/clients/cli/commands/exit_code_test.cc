#include "clients/cli/commands/exit_code.h"

#include <gtest/gtest.h>

#include "common/rpc/status.h"

namespace holdfast::cli {
namespace {

grpc::Status Limited(absl::StatusCode code, const char* metric) {
  ErrorDetails details;
  details.violations.push_back({.subject = "s", .description = "d", .metric = metric, .value = 1});
  return ToGrpc(absl::Status(code, "limit"), details);
}

TEST(ExitCode, AWaitThatIsTooLongIs75) {
  ErrorDetails details;
  details.retry_delay = std::chrono::seconds(4);
  EXPECT_EQ(ExitCodeFor(ToGrpc(absl::ResourceExhaustedError("later"), details)), 75);
}

TEST(ExitCode, ExhaustedWithoutDetailsIsABugNotQuota) {
  EXPECT_EQ(ExitCodeFor(ToGrpc(absl::ResourceExhaustedError("message too large"))), 1);
}

TEST(ExitCode, WhatCanNeverFitIs76) {
  EXPECT_EQ(ExitCodeFor(Limited(absl::StatusCode::kFailedPrecondition, "tokens")), 76);
}

TEST(ExitCode, SpentMoneyIs1) {
  EXPECT_EQ(ExitCodeFor(Limited(absl::StatusCode::kFailedPrecondition, "insufficient_quota")), 1);
  EXPECT_EQ(ExitCodeFor(ToGrpc(absl::FailedPreconditionError("the upstream refuses our key"))), 1);
}

TEST(ExitCode, OtherCodes) {
  EXPECT_EQ(ExitCodeFor(grpc::Status::OK), 0);
  EXPECT_EQ(ExitCodeFor(ToGrpc(absl::UnauthenticatedError("t"))), 77);
  EXPECT_EQ(ExitCodeFor(ToGrpc(absl::PermissionDeniedError("t"))), 77);
  EXPECT_EQ(ExitCodeFor(ToGrpc(absl::UnavailableError("t"))), 69);
  EXPECT_EQ(ExitCodeFor(ToGrpc(absl::AbortedError("busy"))), 1);
  EXPECT_EQ(ExitCodeFor(ToGrpc(absl::NotFoundError("session"))), 1);
}

agent::v1::TurnFailed Failed(int code) {
  agent::v1::TurnFailed failure;
  failure.set_code(code);
  return failure;
}

TEST(ExitCode, OfATurnThatFailed) {
  agent::v1::TurnFailed waits = Failed(grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ExitCodeFor(waits), 1);
  waits.set_retry_after_seconds(42.5);
  EXPECT_EQ(ExitCodeFor(waits), 75);
  agent::v1::TurnFailed never = Failed(grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ExitCodeFor(never), 1);
  never.set_never_fits(true);
  EXPECT_EQ(ExitCodeFor(never), 76);
  EXPECT_EQ(ExitCodeFor(Failed(grpc::StatusCode::PERMISSION_DENIED)), 77);
  EXPECT_EQ(ExitCodeFor(Failed(grpc::StatusCode::UNAVAILABLE)), 69);
  EXPECT_EQ(ExitCodeFor(Failed(grpc::StatusCode::CANCELLED)), 1);
}

TEST(StatusCodeName, OfNumbersInsideAndOutside) {
  EXPECT_EQ(StatusCodeName(8), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(StatusCodeName(16), "UNAUTHENTICATED");
  EXPECT_EQ(StatusCodeName(17), "UNKNOWN");
  EXPECT_EQ(StatusCodeName(-1), "UNKNOWN");
}

TEST(IsLinkFailure, TellsBrokenLinksFromAnswers) {
  EXPECT_TRUE(IsLinkFailure(ToGrpc(absl::UnavailableError("connection refused"))));
  EXPECT_TRUE(IsLinkFailure(ToGrpc(absl::UnknownError("Stream removed"))));
  EXPECT_FALSE(IsLinkFailure(ToGrpc(absl::UnknownError("the database is gone"))));
  EXPECT_FALSE(IsLinkFailure(ToGrpc(absl::NotFoundError("session"))));
}

}  // namespace
}  // namespace holdfast::cli
