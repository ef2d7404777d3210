#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>

#include "tests/quota_service/frontdoor/http_session.h"
#include "tests/quota_service/service/quota_server_test_base.h"
#include "tests/support/http_call.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::quota {
namespace {

using test::HttpSession;
using testing::AllOf;
using testing::EndsWith;
using testing::Ge;
using testing::HasSubstr;
using testing::Lt;
using testing::Not;
using testing::StartsWith;

constexpr char kAsk[] = R"({"model":"m","input":"Hello","stream":true})";
constexpr char kPlain[] = R"({"model":"m","input":"Hello"})";
constexpr char kChat[] = R"({"model":"chat-model","messages":[{"role":"user","content":"Hello"}],"stream":true})";
// What ends a chunked body.
constexpr char kEnd[] = "\r\n0\r\n\r\n";

// -1: the answer does not say.
int64_t RemainingTokens(const std::string& answer) {
  constexpr std::string_view kName = "x-ratelimit-remaining-tokens: ";
  const size_t at = answer.find(kName);
  return at == std::string::npos ? -1 : std::stoll(answer.substr(at + kName.size()));
}

// A whole quota_service, its front door, and a real upstream_simulator behind it.
class FrontDoorTest : public QuotaServerTestBase {
 protected:
  void SetUp() override { StartServer(); }
  HttpSession Connect() const { return HttpSession(server_->http()); }
  // One request on a connection of its own: everything that comes.
  std::string Raw(const std::string& bytes) const {
    HttpSession session(server_->http());
    session.Send(bytes);
    return session.ReadAll();
  }
  std::string Post(const std::string& path, const std::string& body, const std::string& headers = "") const {
    HttpSession session(server_->http());
    session.Post(path, body, headers + "Connection: close\r\n");
    return session.ReadAll();
  }
};

TEST_F(FrontDoorTest, StreamsAnAnswerOfResponses) {
  HttpSession session = Connect();
  session.Post("/v1/responses", kAsk);
  const std::string answer = session.ReadUntil(kEnd);
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"),
                            HasSubstr("event: response.created\n"), HasSubstr("event: response.completed\n"),
                            HasSubstr("x-request-id: ")));
  session.Post("/v1/responses", kAsk);
  EXPECT_THAT(session.ReadUntil("x-request-id: req_sim_1"), HasSubstr("req_sim_1")) << "on the same connection";
}

TEST_F(FrontDoorTest, StreamsAnAnswerOfChat) {
  const std::string answer = Post("/v1/chat/completions", kChat);
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("data: [DONE]\n\n"), EndsWith(kEnd)));
}

TEST_F(FrontDoorTest, AnswersAPlainRequestWhole) {
  const std::string answer = Post("/v1/responses", kPlain);
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: application/json\r\n"),
                            HasSubstr("Content-Length: "), HasSubstr("\"status\":\"completed\"")));
}

TEST_F(FrontDoorTest, TheBodyReachesTheUpstreamByteForByte) {
  const std::string body =
      "{ \"stream\" : true,\n \"unknown\\u0020field\": [1.50, {\"type\":\"x\"}], \"model\":\"m\",\"input\":\"\\u00e4\" "
      "}";
  EXPECT_THAT(Post("/v1/responses", body), HasSubstr("response.completed"));
  const auto got = test::HttpCall("GET", upstream().url() + "/requests/0/body");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->body, body);
}

TEST_F(FrontDoorTest, OnlyTheNameOfAnAliasIsReplaced) {
  StopServer();
  config_.models.push_back({"alias", {"sim"}, "real-model", 0});
  StartServer();
  EXPECT_THAT(Post("/v1/responses", R"({"input":"x",  "model": "alias","stream":true})"),
              HasSubstr("response.completed"));
  const auto got = test::HttpCall("GET", upstream().url() + "/requests/0/body");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->body, R"({"input":"x",  "model": "real-model","stream":true})");
}

TEST_F(FrontDoorTest, ARouteThatTheUpstreamDoesNotServeNamesThoseThatDo) {
  StopServer();
  config_.models.push_back({"good", {"sim"}, "", 0});
  StartServer();
  const std::string answer = Post("/v1/responses", R"({"model":"chat-model","input":"x"})");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("/v1/chat/completions"), HasSubstr("one of: good")));
  EXPECT_EQ(Sent(), 0U);
}

TEST_F(FrontDoorTest, AnUpstreamWhoseKeyIsRefusedIsGoneAround) {
  StopServer();
  UpstreamConfig refused = config_.upstreams[0];
  refused.account.name = "refused";
  refused.account.api_key = "sk-of-nobody";
  config_.upstreams.push_back(refused);
  config_.models.push_back({"both", {"refused", "sim"}, "", 0});
  StartServer();
  const std::string ask = R"({"model":"both","input":"Hello"})";
  EXPECT_THAT(Post("/v1/responses", ask), StartsWith("HTTP/1.1 502 "));
  EXPECT_THAT(Post("/v1/responses", ask), AllOf(StartsWith("HTTP/1.1 502 "), HasSubstr("upstream refused")));
  EXPECT_THAT(Post("/v1/responses", ask), StartsWith("HTTP/1.1 200 "));
}

std::string IdIn(const std::string& answer) {
  const size_t begin = answer.find("\"id\":\"resp_") + 6;
  return answer.substr(begin, answer.find('"', begin) - begin);
}

TEST_F(FrontDoorTest, GoingOnFromAResponseIsChargedWhatWentBefore) {
  upstream().SetLimits(R"({"tokens": {"limit": 1000000}})");
  upstream().SetScript(R"({"default": {"text": "OK.", "usage": {"input_tokens": 400000, "output_tokens": 1000}}})");
  const std::string id = IdIn(Post("/v1/responses", kPlain));
  const std::string again =
      Post("/v1/responses", R"({"model":"m","input":"Hello","previous_response_id":")" + id + "\"}");
  EXPECT_THAT(again, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("x-ratelimit-limit-tokens: 1000000\r\n")));
  // A million less 401,003, and the 17 tokens that come back each millisecond.
  EXPECT_THAT(RemainingTokens(again), AllOf(Ge(598'997), Lt(800'000)));
  EXPECT_THAT(test::HttpCall("GET", upstream().url() + "/requests/1/body")->body, HasSubstr(id)) << "passed on";
}

TEST_F(FrontDoorTest, AnImageIsChargedByItsRuleAndNotByItsBytes) {
  upstream().SetLimits(R"({"tokens": {"limit": 1000000}})");
  const auto ask = [](const std::string& images) {
    return R"({"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"Hello"})" + images + "]}]}";
  };
  // A PNG whose header says 1,024 x 1,024, of 75,000 bytes: 765 tokens.
  const std::string image = R"(,{"type":"input_image","image_url":"data:image/png;base64,)"
                            "iVBORw0KGgoAAAANSUhEUgAABAAAAAQA" +
                            std::string(100'000, 'A') + R"("})";
  Post("/v1/responses", ask(""));  // what the limit is
  std::string images;
  for (int i = 0; i < 40; ++i) images += image;
  const std::string answer = Post("/v1/responses", ask(images));
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("x-ratelimit-limit-tokens: 1000000\r\n")));
  // A million less 30,603, and the 17 tokens that come back each millisecond.
  EXPECT_THAT(RemainingTokens(answer), AllOf(Ge(969'397), Lt(999'000)));
}

TEST_F(FrontDoorTest, ImagesThatMayBeSmallAreNotRefusedForAGuess) {
  upstream().SetLimits(R"({"tokens": {"limit": 200000}})");
  const auto ask = [](int count, const std::string& image) {
    std::string images;
    for (int i = 0; i < count; ++i) images += image;
    return R"({"model":"gpt-4o-mini","input":[{"role":"user","content":[{"type":"input_text","text":"Hello"})" +
           images + "]}]}";
  };
  const std::string by_url = R"(,{"type":"input_image","image_url":"https://example.com/thumbnail"})";
  Post("/v1/responses", ask(0, ""));  // what the limit is
  // Of 1,024 x 1,024, eight would be 204,008 tokens; the upstream, which sees them, takes them.
  EXPECT_THAT(Post("/v1/responses", ask(8, by_url)), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(Sent(), 2U);
  // As small as images are there, these are 201,143 tokens.
  EXPECT_THAT(Post("/v1/responses", ask(71, by_url)), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(Sent(), 2U);
}

TEST_F(FrontDoorTest, GoingOnFromAResponseLeadsToTheAccountThatMadeIt) {
  StopServer();
  test::TemporaryFolder folder;
  config_.data_dir = folder.path("state");
  test::SimulatorProcess other({"--api-key", kApiKey});
  UpstreamConfig second = config_.upstreams[0];
  second.account.name = "second";
  second.account.base_url = other.url();
  config_.upstreams.push_back(second);
  config_.models.push_back({"both", {"second", "sim"}, "", 0});
  StartServer();
  const std::string id = IdIn(Post("/v1/responses", R"({"model":"both","input":"Hello"})"));
  EXPECT_EQ(other.control().Requests().size(), 1U);
  StopServer();
  config_.models.back().upstreams = {"sim", "second"};
  StartServer();
  const std::string go_on = R"({"model":"both","input":"Hello","previous_response_id":")";
  EXPECT_THAT(Post("/v1/responses", go_on + id + "\"}"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(other.control().Requests().size(), 2U) << "also after a restart, and where another is preferred now";
  EXPECT_THAT(Post("/v1/responses", go_on + "resp_of_another_day\"}"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(Sent(), 1U) << "one that nobody knows is passed on";
  StopServer();
}

TEST_F(FrontDoorTest, AnotherTenantsResponseDoesNotExist) {
  StopServer();
  config_.tenants.push_back({"web", "token-of-web", 1, 0});
  config_.tenants.push_back({"app", "token-of-app", 1, 0});
  StartServer();
  const std::string web = "Authorization: Bearer token-of-web\r\n";
  const std::string app = "Authorization: Bearer token-of-app\r\n";
  const std::string id = IdIn(Post("/v1/responses", kPlain, web));
  const std::string go_on = R"({"model":"m","input":"Hi","previous_response_id":")" + id + "\"}";
  EXPECT_THAT(Post("/v1/responses", go_on, app),
              AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("\"code\":\"previous_response_not_found\""),
                    HasSubstr("\"param\":\"previous_response_id\""), HasSubstr("Previous response with id '" + id)));
  EXPECT_THAT(Post("/v1/responses/" + id + "/cancel", "{}", app),
              AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("Response with id")));
  EXPECT_EQ(Sent(), 1U);
  EXPECT_THAT(Post("/v1/responses", go_on, web), StartsWith("HTTP/1.1 200 "));
}

TEST_F(FrontDoorTest, AResponseThatIsNotStoredIsNotRemembered) {
  upstream().SetLimits(R"({"tokens": {"limit": 1000000}})");
  upstream().SetScript(R"({"default": {"text": "OK.", "usage": {"input_tokens": 400000, "output_tokens": 1000}}})");
  const std::string id = IdIn(Post("/v1/responses", R"({"model":"m","input":"Hello","store":false})"));
  EXPECT_GT(
      RemainingTokens(Post("/v1/responses", R"({"model":"m","input":"Hello","previous_response_id":")" + id + "\"}")),
      990'000);
}

TEST_F(FrontDoorTest, OutputCapsAreLoweredOnlyWhereTheOperatorSaysSo) {
  StopServer();
  config_.upstreams[0].account.lower_output_cap = true;
  StartServer();
  const std::string streamed = R"({"model":"m","stream":true, "max_output_tokens" : 32000,"input":"Hello"})";
  const auto sent = [this](int index) {
    return test::HttpCall("GET", upstream().url() + "/requests/" + std::to_string(index) + "/body")->body;
  };
  EXPECT_THAT(Post("/v1/responses", streamed), HasSubstr("response.completed"));
  EXPECT_EQ(sent(0), streamed) << "nothing is known of this model's answers";
  HttpSession session = Connect();
  for (int i = 1; i < 99; ++i) {
    session.Post("/v1/responses", R"({"model":"m","max_output_tokens":32000,"input":"Hello"})");
    session.ReadUntil("\"metadata\":{}}");
    session.Forget();
  }
  EXPECT_THAT(Post("/v1/responses", streamed), HasSubstr("response.completed"));
  EXPECT_EQ(sent(99), R"({"model":"m","stream":true, "max_output_tokens" : 1024,"input":"Hello"})");
}

TEST_F(FrontDoorTest, TellsATenantItsBudgetWhereThatIsWhatIsLeft) {
  StopServer();
  config_.tenants.push_back({.name = "web", .token = "token-of-web", .tokens_per_day = 5'000});
  StartServer();
  upstream().SetLimits(R"({"tokens": {"limit": 1000000}})");
  const std::string web = "Authorization: Bearer token-of-web\r\n";
  EXPECT_THAT(Post("/v1/responses", kPlain, web), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Post("/v1/responses", kPlain, web),
              AllOf(HasSubstr("x-ratelimit-limit-tokens: 5000\r\n"), HasSubstr("x-ratelimit-remaining-tokens: 49")));
}

TEST_F(FrontDoorTest, ListsTheModelsThatItKnows) {
  const auto models = test::HttpCall("GET", HttpUrl("/v1/models"));
  ASSERT_TRUE(models.ok());
  EXPECT_EQ(models->body,
            R"({"object":"list","data":[{"id":"chat-model","object":"model","created":0,"owned_by":"sim-chat"}]})");
  EXPECT_EQ(test::HttpCall("GET", HttpUrl("/v1/models?client_version=0.169.0"))->body, R"({"models":[]})");
  EXPECT_THAT(test::HttpCall("GET", HttpUrl("/v1/models/chat-model"))->body, StartsWith(R"({"id":"chat-model")"));
}

TEST_F(FrontDoorTest, AsksTheUpstreamForModelsWhereNoneIsConfigured) {
  StopServer();
  config_.models.clear();
  StartServer();
  EXPECT_THAT(test::HttpCall("GET", HttpUrl("/v1/models"))->body, HasSubstr("o4-mini"));
}

TEST_F(FrontDoorTest, AWebSocketIsAnsweredWithExactly426) {
  EXPECT_THAT(Raw("GET /v1/responses HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n"),
              StartsWith("HTTP/1.1 426 "));
  EXPECT_THAT(Raw("GET /v1/responses HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
}

TEST_F(FrontDoorTest, OneThatHasBeenHereBeforeIsALoop) {
  EXPECT_THAT(Post("/v1/responses", kAsk, "X-Holdfast-Hop: 1\r\n"), StartsWith("HTTP/1.1 508 "));
  EXPECT_EQ(Sent(), 0U);
}

TEST_F(FrontDoorTest, EachTenantHasItsToken) {
  StopServer();
  config_.tenants.push_back({"web", "token-of-web", 1, 0});
  StartServer();
  EXPECT_THAT(Post("/v1/responses", kAsk), AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("invalid_api_key")));
  EXPECT_THAT(Post("/v1/responses", kAsk, "Authorization: Bearer wrong\r\n"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Post("/v1/responses", kAsk, "Authorization: Bearer token-of-web\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Post("/v1/files", "{}", "Authorization: Bearer token-of-web\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Metrics(), HasSubstr("tenant=\"web\""));
}

TEST_F(FrontDoorTest, PagesOfOtherMachinesCannotSpendTheKey) {
  EXPECT_THAT(Post("/v1/responses", kAsk, "Origin: https://evil.test\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Post("/v1/responses", kAsk, "Origin: http://localhost:3000\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(FrontDoorTest, BadBodiesAreNamed) {
  EXPECT_THAT(Post("/v1/responses", "{\"model\""),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("not valid JSON at byte 8")));
  EXPECT_THAT(Post("/v1/responses", R"({"input":"x"})"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("model: is required")));
  EXPECT_THAT(Post("/v1/responses", R"({"model":5})"), HasSubstr("model: must be a string"));
  EXPECT_THAT(Post("/v1/responses", kAsk, "X-Holdfast-Max-Wait: 5\r\n"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("x-holdfast-max-wait")));
  EXPECT_THAT(Post("/v1/responses", kAsk, "X-Holdfast-Priority: urgent\r\n"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("must be interactive (the default) or background")));
  EXPECT_THAT(Post("/nowhere", kAsk), StartsWith("HTTP/1.1 404 "));
  EXPECT_EQ(Sent(), 0U);
}

TEST_F(FrontDoorTest, BackgroundRequestsWaitForTheOthers) {
  StopServer();
  config_.upstreams[0].limits.push_back({.models = {}, .limits = {}, .concurrent = 1});
  StartServer();
  upstream().Put("/options", R"({"hold_streams": true})");
  HttpSession running = Connect();
  running.Post("/v1/responses", kAsk);
  running.ReadUntil("output_text.delta");
  const auto wait_for = [this](int64_t queued) {
    Status("", [queued](const v1::WatchStatusResponse& status) {
      return status.upstreams(0).groups_size() > 0 && status.upstreams(0).groups(0).queued() == queued;
    });
  };
  const std::string later = R"({"model":"m","input":"of nobody","stream":true})";
  HttpSession background = Connect();
  background.Post("/v1/responses", later, "X-Holdfast-Priority: background\r\n");
  wait_for(1);
  HttpSession interactive = Connect();
  interactive.Post("/v1/responses", kAsk);
  wait_for(2);
  upstream().Put("/options", R"({"hold_streams": false})");
  EXPECT_THAT(background.ReadUntil(kEnd), HasSubstr("response.completed"));
  EXPECT_EQ(test::HttpCall("GET", upstream().url() + "/requests/2/body")->body, later) << "the last of three";
}

TEST_F(FrontDoorTest, ARefusalIsWaitedOutUnseen) {
  upstream().PushFault(R"({"fault":"429","seconds":1})");
  upstream().PushFault(R"({"fault":"stream_error","seconds":1})");
  const std::string answer = Post("/v1/responses", kAsk);
  EXPECT_THAT(answer,
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("response.completed"), Not(HasSubstr("event: error"))));
  EXPECT_EQ(Sent(), 3U);
}

TEST_F(FrontDoorTest, AClientThatHangsUpCancelsTheUpstreamsWork) {
  upstream().Put("/options", R"({"hold_streams": true})");
  HttpSession session = Connect();
  session.Post("/v1/responses", kAsk);
  EXPECT_THAT(session.ReadUntil("output_text.delta"), HasSubstr("output_text.delta"));
  session.Close();
  EXPECT_TRUE(
      upstream().AwaitRequests([](const auto& requests) { return requests.at(0).at("client_gone").as_bool(); }));
}

TEST_F(FrontDoorTest, OneThatHasSaidAllAndWaitsForNothingElseIsGone) {
  upstream().Put("/options", R"({"hold_streams": true})");
  HttpSession session = Connect();
  session.Post("/v1/responses", kAsk);
  EXPECT_THAT(session.ReadUntil("output_text.delta"), HasSubstr("output_text.delta"));
  session.ShutdownSend();
  EXPECT_TRUE(
      upstream().AwaitRequests([](const auto& requests) { return requests.at(0).at("client_gone").as_bool(); }));
}

TEST_F(FrontDoorTest, RequestsThatWerePipelinedAreAnsweredInOrder) {
  upstream().SetScript(R"({"default": {"text": "OK.", "delay_ms": 500}})");
  HttpSession session = Connect();
  session.Post("/v1/responses", kPlain);
  session.Post("/v1/chat/completions", kChat, "Connection: close\r\n");
  session.ShutdownSend();
  const std::string answers = session.ReadAll();
  EXPECT_LT(answers.find("\"status\":\"completed\""), answers.find("data: [DONE]"));
  EXPECT_EQ(Sent(), 2U);
}

TEST_F(FrontDoorTest, StreamsUnderWayAreFinishedBeforeTheServerGoes) {
  upstream().Put("/options", R"({"hold_streams": true})");
  HttpSession session = Connect();
  session.Post("/v1/responses", kAsk);
  session.ReadUntil("output_text.delta");
  server_->Stop();
  HttpSession late = Connect();
  late.Post("/v1/responses", kAsk);
  EXPECT_THAT(late.ReadUntil("}}"), StartsWith("HTTP/1.1 503 "));
  upstream().Put("/options", R"({"hold_streams": false})");
  EXPECT_THAT(session.ReadUntil(kEnd), HasSubstr("response.completed"));
}

}  // namespace
}  // namespace holdfast::quota
