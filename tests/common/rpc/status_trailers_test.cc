#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "common/rpc/unary.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "tests/common/rpc/loop_thread.h"

namespace holdfast {
namespace {

namespace v1 = quota::v1;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::SizeIs;

// Answers WhoAmI with the status that it is given, from the loop; a tenant only with OK.
class AnsweringService final : public v1::QuotaService::CallbackService {
 public:
  explicit AnsweringService(LoopThread& thread) : thread_(thread) {}

  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* context, const v1::WhoAmIRequest*,
                                   v1::WhoAmIResponse* response) override {
    return AnswerOnLoop(thread_.loop(), context, [this, context, response](auto finish) {
      on_loop = thread_.IsThisThread();
      token = BearerToken(*context);
      response->set_tenant("a");
      // Later than the handler: what it started answers.
      thread_.loop().Post([this, finish] { finish(answer); });
    });
  }

  grpc::Status answer;
  bool on_loop = false;
  std::string token;

 private:
  LoopThread& thread_;
};

class StatusTrailersTest : public testing::Test {
 protected:
  grpc::Status Call(const std::string& token = "") {
    const auto stub = v1::QuotaService::NewStub(MakeChannel(server_->address()));
    grpc::ClientContext context;
    SetBearerToken(context, token);
    return stub->WhoAmI(&context, {}, &response_);
  }

  LoopThread thread_;
  AnsweringService service_{thread_};
  std::unique_ptr<RpcServer> server_ = *RpcServer::Start(*ParseAddress("127.0.0.1:0"), {&service_});
  v1::WhoAmIResponse response_;
};

TEST_F(StatusTrailersTest, DetailsTravelInRealTrailers) {
  ErrorDetails details;
  details.retry_delay = milliseconds(3646);
  details.violations = {{"upstream:openai/m", "words with ü and 配额", "tokens", 200000}};
  service_.answer = ToGrpc(absl::ResourceExhaustedError("one line\nand another, with ü"), details);
  const grpc::Status status = Call();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "one line\nand another, with ü");
  EXPECT_EQ(DetailsOf(status).retry_delay, milliseconds(3646));
  ASSERT_THAT(DetailsOf(status).violations, SizeIs(1));
  EXPECT_EQ(DetailsOf(status).violations[0].description, "words with ü and 配额");
}

TEST_F(StatusTrailersTest, AVeryLongMessageNeverCostsTheDetails) {
  std::string words;
  while (words.size() < 100'000) words += "\xE9\x85\x8D\xE9\xA2\x9D";
  ErrorDetails details;
  details.retry_delay = milliseconds(7);
  details.violations.assign(10, {words, words, words, 1});
  service_.answer = ToGrpc(absl::FailedPreconditionError(words), details);
  const grpc::Status status = Call();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(DetailsOf(status).retry_delay, milliseconds(7));
}

TEST_F(StatusTrailersTest, AnAnswerComesFromTheLoop) {
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(response_.tenant(), "a");
  EXPECT_TRUE(service_.on_loop);
}

TEST_F(StatusTrailersTest, TheBearerTokenArrivesAndOtherSchemesAreNone) {
  EXPECT_TRUE(Call("secret-1").ok());
  EXPECT_EQ(service_.token, "secret-1");
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(service_.token, "");
  for (const char* header : {"Basic secret-1", "Bearer", "secret-1", ""}) {
    const auto stub = v1::QuotaService::NewStub(MakeChannel(server_->address()));
    grpc::ClientContext context;
    context.AddMetadata("authorization", header);
    EXPECT_TRUE(stub->WhoAmI(&context, {}, &response_).ok());
    EXPECT_EQ(service_.token, "") << header;
  }
}

TEST_F(StatusTrailersTest, AMessageOverTheSizeLimitIsResourceExhaustedWithoutDetails) {
  const auto stub = v1::QuotaService::NewStub(MakeChannel(server_->address()));
  v1::GenerateRequest request;
  request.set_instructions(std::string(65 * 1024 * 1024, 'x'));
  grpc::ClientContext context;
  const auto reader = stub->Generate(&context, request);
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(DetailsOf(status).empty());
  EXPECT_THAT(status.error_message(), HasSubstr("larger than max"));
}

}  // namespace
}  // namespace holdfast
