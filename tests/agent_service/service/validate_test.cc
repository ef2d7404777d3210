#include "agent_service/service/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

using testing::StartsWith;

std::string Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

// INVALID_ARGUMENT, and the message begins with the field.
void ExpectRefused(const absl::Status& status, const std::string& field) {
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << field << ": " << status;
  EXPECT_THAT(Words(status), StartsWith(field + ":"));
  EXPECT_GT(Words(status).size(), field.size() + 10) << "no remedy";
}

v1::SubmitTurnRequest Turn() {
  v1::SubmitTurnRequest request;
  request.set_client_key("k1");
  request.add_input()->set_text("hello");
  return request;
}

template <typename Change>
void ExpectTurnRefused(const std::string& field, Change change) {
  v1::SubmitTurnRequest request = Turn();
  change(request);
  ExpectRefused(Validate(request), field);
}

template <typename Change>
void ExpectTurnTaken(Change change) {
  v1::SubmitTurnRequest request = Turn();
  change(request);
  EXPECT_TRUE(Validate(request).ok()) << Validate(request) << request.DebugString();
}

TEST(ValidateSessionId, TakesWhatWeGiveOut) {
  EXPECT_TRUE(ValidateSessionId("0123456789abcdefghijklmnop").ok());
  EXPECT_TRUE(ValidateSessionId("a-b_C").ok());
  EXPECT_TRUE(ValidateSessionId(std::string(64, 'a')).ok());
}

TEST(ValidateSessionId, RefusesEverythingElse) {
  for (const std::string& id : {std::string(), std::string(65, 'a'), std::string("a b"), std::string("../a"),
                                std::string("a\0b", 3), std::string("\u00e9"), std::string("a\n")}) {
    ExpectRefused(ValidateSessionId(id), "session_id");
  }
}

TEST(ValidatePageSize, TakesOneToAThousandAndTheDefault) {
  for (const int size : {0, 1, 1000}) EXPECT_TRUE(ValidatePageSize(size).ok()) << size;
  for (const int size : {-1, 1001}) ExpectRefused(ValidatePageSize(size), "page_size");
}

TEST(ValidateCursor, IsNotNegative) {
  EXPECT_TRUE(ValidateCursor(0).ok());
  ExpectRefused(ValidateCursor(-1), "after_sequence");
}

TEST(ValidateCreateSession, BoundsItsFields) {
  v1::CreateSessionRequest request;
  request.set_client_key(std::string(128, 'k'));
  request.set_model(std::string(256, 'm'));
  request.set_workspace(std::string(4096, 'w'));
  EXPECT_TRUE(Validate(request).ok());
  v1::CreateSessionRequest key = request, model = request, workspace = request;
  key.set_client_key(std::string(129, 'k'));
  ExpectRefused(Validate(key), "client_key");
  model.set_model(std::string(257, 'm'));
  ExpectRefused(Validate(model), "model");
  workspace.set_workspace(std::string(4097, 'w'));
  ExpectRefused(Validate(workspace), "workspace");
}

TEST(ValidateSubmitTurn, NeedsAClientKey) {
  ExpectTurnRefused("client_key", [](auto& turn) { turn.clear_client_key(); });
  ExpectTurnRefused("client_key", [](auto& turn) { turn.set_client_key(std::string(129, 'k')); });
  ExpectTurnTaken([](auto& turn) { turn.set_client_key(std::string(128, 'k')); });
}

TEST(ValidateSubmitTurn, NeedsInputAndNamesThePartThatIsWrong) {
  ExpectTurnRefused("input", [](auto& turn) { turn.clear_input(); });
  ExpectTurnRefused("input[1]", [](auto& turn) { turn.add_input(); });
  ExpectTurnRefused("input[1].refusal", [](auto& turn) { turn.add_input()->set_refusal("no"); });
}

// An image that no provider takes would stay in the conversation and fail every later turn.
TEST(ValidateSubmitTurn, RefusesImagesThatNoProviderTakes) {
  const auto refused = [](const std::string& field, auto change) {
    ExpectTurnRefused("input[1].image" + field, [&](auto& turn) { change(*turn.add_input()->mutable_image()); });
  };
  refused("", [](auto&) {});
  refused(".url", [](auto& image) { image.set_url("file:///etc/passwd"); });
  refused(".url", [](auto& image) { image.set_url(""); });
  refused(".media_type", [](auto& image) { image.set_data("bytes"); });
  for (const char* type : {"text/html", "image/", "image/png; x", "image/svg\n"}) {
    refused(".media_type", [&](auto& image) {
      image.set_data("bytes");
      image.set_media_type(type);
    });
  }
  refused(".detail", [](auto& image) {
    image.set_url("https://example.com/a.png");
    image.set_detail("ultra");
  });
}

TEST(ValidateSubmitTurn, TakesImagesByUrlAndByData) {
  ExpectTurnTaken([](auto& turn) { turn.add_input()->mutable_image()->set_url("https://example.com/a.png"); });
  ExpectTurnTaken([](auto& turn) {
    auto* image = turn.add_input()->mutable_image();
    image->set_data("bytes");
    image->set_media_type("image/svg+xml");
    image->set_detail("low");
  });
}

TEST(ValidateSubmitTurn, BoundsItsNumbers) {
  ExpectTurnRefused("max_wait", [](auto& turn) { turn.mutable_max_wait()->set_seconds(-1); });
  ExpectTurnRefused("max_wait", [](auto& turn) { turn.mutable_max_wait()->set_nanos(-1); });
  ExpectTurnTaken([](auto& turn) { turn.mutable_max_wait(); });
  ExpectTurnRefused("max_output_tokens", [](auto& turn) { turn.set_max_output_tokens(-1); });
  ExpectTurnRefused("max_steps", [](auto& turn) { turn.set_max_steps(-1); });
  ExpectTurnRefused("max_steps", [](auto& turn) { turn.set_max_steps(1001); });
  ExpectTurnTaken([](auto& turn) { turn.set_max_steps(1000); });
  ExpectTurnRefused("model", [](auto& turn) { turn.set_model(std::string(257, 'm')); });
}

TEST(ValidateSubmitToolResult, BoundsItsFields) {
  v1::SubmitToolResultRequest request;
  ExpectRefused(Validate(request), "call_id");
  request.set_call_id(std::string(257, 'c'));
  ExpectRefused(Validate(request), "call_id");
  request.set_call_id("c1");
  EXPECT_TRUE(Validate(request).ok());
  request.set_output(std::string(16 * 1024 * 1024, 'x'));
  EXPECT_TRUE(Validate(request).ok());
  request.mutable_output()->push_back('x');
  ExpectRefused(Validate(request), "output");
}

TEST(ValidateCancelTurn, BoundsItsKey) {
  v1::CancelTurnRequest request;
  EXPECT_TRUE(Validate(request).ok());
  request.set_client_key(std::string(128, 'k'));
  EXPECT_TRUE(Validate(request).ok());
  request.mutable_client_key()->push_back('k');
  ExpectRefused(Validate(request), "client_key");
}

}  // namespace
}  // namespace holdfast::agent
