#include "quota_service/frontdoor/request/door_path.h"

#include <gtest/gtest.h>

namespace holdfast::quota {
namespace {

TEST(DoorPath, KnowsTheApis) {
  EXPECT_EQ(ApiOf("/v1/responses"), Api::kResponses);
  EXPECT_EQ(ApiOf("/v1/chat/completions"), Api::kChat);
  for (const char* path : {"/v1/embeddings", "/v1/responses/resp_1", "/v1/chat", "/v1/responses2"}) {
    EXPECT_EQ(ApiOf(path), Api::kOther) << path;
    EXPECT_TRUE(CheckDoorPath(path).ok()) << path;
  }
}

TEST(DoorPath, LeadsNowhereElse) {
  for (const char* path : {"/", "/v1", "/v1/", "/v2/responses", "v1/responses", "/healthz/v1/"}) {
    EXPECT_EQ(CheckDoorPath(path).code(), absl::StatusCode::kNotFound) << path;
  }
  for (const char* path : {"/v1/../admin", "/v1/a/../b", "/v1/a/..", "/v1/./a", "/v1//a", "/v1/a/", "/v1/%2e%2e/a",
                           "/v1/a%2fb", "/v1/a\\b", "/v1/a b", "/v1/a#b", "/v1/\xC3\xA4", "/v1/a\"b"}) {
    EXPECT_EQ(CheckDoorPath(path).code(), absl::StatusCode::kInvalidArgument) << path;
  }
}

TEST(DoorPath, KnowsWhatTenantsWouldShare) {
  for (const char* path : {"/v1/files", "/v1/batches/b_1", "/v1/organization/usage", "/v1/fine_tuning/jobs",
                           "/v1/chat/completions/chatcmpl_1", "/v1/vector_stores", "/v1/something_new"}) {
    EXPECT_TRUE(IsSharedState(path)) << path;
  }
  for (const char* path : {"/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/models/m",
                           "/v1/audio/transcriptions", "/v1/completions"}) {
    EXPECT_FALSE(IsSharedState(path)) << path;
  }
}

}  // namespace
}  // namespace holdfast::quota
