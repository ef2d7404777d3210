#include "tests/agent_service/service/service_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using grpc::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class AgentServiceTest : public ServiceTest {
 protected:
  v1::GetSessionResponse GetSession(const std::string& id, int64_t after = 0, int page_size = 0) {
    v1::GetSessionRequest request;
    request.set_session_id(id);
    request.set_after_sequence(after);
    request.set_page_size(page_size);
    v1::GetSessionResponse response;
    const grpc::Status status = stub_->GetSession(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  v1::ListSessionsResponse List(int page_size, const std::string& page_token = "",
                                const std::string& token = "token-a") {
    v1::ListSessionsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(page_token);
    v1::ListSessionsResponse response;
    const grpc::Status status = stub_->ListSessions(Context(token).get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  // A session with a completed turn: five events.
  std::string Conversation() {
    const std::string id = CreateSession();
    const auto watch = Watch(id);
    EXPECT_TRUE(SubmitTurn(id).ok());
    watch->Until(v1::SessionEvent::kModelCallStarted);
    AnswerCall({Said("hi")});
    watch->Until(v1::SessionEvent::kTurnCompleted);
    return id;
  }

  // What each RPC that names a session says of this one.
  std::vector<grpc::Status> AskAll(const std::string& id, const std::string& token) {
    std::vector<grpc::Status> all;
    v1::GetSessionRequest get;
    get.set_session_id(id);
    v1::GetSessionResponse got;
    all.push_back(stub_->GetSession(Context(token).get(), get, &got));
    all.push_back(SubmitTurn(id, "k9", token));
    v1::SubmitToolResultRequest result;
    result.set_session_id(id);
    result.set_call_id("c1");
    v1::SubmitToolResultResponse recorded;
    all.push_back(stub_->SubmitToolResult(Context(token).get(), result, &recorded));
    v1::CancelTurnRequest cancel;
    cancel.set_session_id(id);
    v1::CancelTurnResponse cancelled;
    all.push_back(stub_->CancelTurn(Context(token).get(), cancel, &cancelled));
    v1::DeleteSessionRequest remove;
    remove.set_session_id(id);
    v1::DeleteSessionResponse removed;
    all.push_back(stub_->DeleteSession(Context(token).get(), remove, &removed));
    const auto watch = Watch(id, 0, token);
    EXPECT_FALSE(watch->Next());
    all.push_back(watch->Finish());
    return all;
  }
};

TEST_F(AgentServiceTest, CreatesASessionAndTellsAboutIt) {
  const std::string id = CreateSession();
  const v1::GetSessionResponse response = GetSession(id);
  EXPECT_EQ(response.session().session_id(), id);
  EXPECT_EQ(response.session().model(), "o4-mini");
  EXPECT_EQ(response.session().last_sequence(), 1);
  EXPECT_EQ(response.session().status(), v1::SESSION_STATUS_IDLE);
  ASSERT_EQ(response.events_size(), 1);
  EXPECT_TRUE(response.events(0).has_session_created());
  EXPECT_FALSE(response.more());
}

TEST_F(AgentServiceTest, TheSameClientKeyIsOneSessionPerTenant) {
  const std::string a = CreateSession("token-a", "job");
  EXPECT_EQ(CreateSession("token-a", "job"), a);
  EXPECT_NE(CreateSession("token-b", "job"), a);
  EXPECT_EQ(List(0).sessions_size(), 1);
}

TEST_F(AgentServiceTest, ASessionNeedsAModel) {
  v1::Session session;
  const grpc::Status status = stub_->CreateSession(Context().get(), {}, &session);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), StartsWith("model:"));
}

TEST_F(AgentServiceTest, RunsATurnWithToolsToItsEnd) {
  const std::string id = CreateSession();
  const auto watch = Watch(id);
  ASSERT_TRUE(SubmitTurn(id).ok());
  watch->Until(v1::SessionEvent::kModelCallStarted);
  AnswerCall({Asked("c1")});
  watch->Until(v1::SessionEvent::kModelAnswered);
  EXPECT_EQ(GetSession(id).session().status(), v1::SESSION_STATUS_TOOLS);
  bool accepted = false;
  ASSERT_TRUE(SubmitToolResult(id, "c1", "output", &accepted).ok());
  EXPECT_TRUE(accepted);
  ASSERT_TRUE(SubmitToolResult(id, "c1", "again", &accepted).ok());
  EXPECT_FALSE(accepted);
  watch->Until(v1::SessionEvent::kModelCallStarted);
  EXPECT_EQ(SubmitTurn(id, "k2").error_code(), StatusCode::ABORTED);
  AnswerCall({Said("done")});
  watch->Until(v1::SessionEvent::kTurnCompleted);
  EXPECT_EQ(GetSession(id).session().status(), v1::SESSION_STATUS_IDLE);
  EXPECT_TRUE(SubmitTurn(id, "k2").ok());
}

TEST_F(AgentServiceTest, CancelEndsTheTurn) {
  const std::string id = CreateSession();
  ASSERT_TRUE(SubmitTurn(id).ok());
  v1::CancelTurnRequest request;
  request.set_session_id(id);
  v1::CancelTurnResponse response;
  ASSERT_TRUE(stub_->CancelTurn(Context().get(), request, &response).ok());
  EXPECT_TRUE(response.cancelled());
  ASSERT_TRUE(stub_->CancelTurn(Context().get(), request, &response).ok());
  EXPECT_FALSE(response.cancelled());
}

TEST_F(AgentServiceTest, ErrorsNameTheField) {
  const std::string id = CreateSession();
  const auto expect_refused = [](const grpc::Status& status, const std::string& field) {
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << field;
    EXPECT_THAT(status.error_message(), StartsWith(field + ":"));
  };
  for (const grpc::Status& status : AskAll("../other", "token-a")) expect_refused(status, "session_id");
  for (const grpc::Status& status : AskAll("", "token-a")) expect_refused(status, "session_id");

  v1::SubmitTurnRequest turn;
  turn.set_session_id(id);
  v1::SubmitTurnResponse started;
  expect_refused(stub_->SubmitTurn(Context().get(), turn, &started), "client_key");
  turn.set_client_key("k1");
  expect_refused(stub_->SubmitTurn(Context().get(), turn, &started), "input");
  expect_refused(SubmitToolResult(id, "", "x"), "call_id");

  v1::GetSessionRequest get;
  v1::GetSessionResponse got;
  get.set_session_id(id);
  get.set_page_size(1001);
  expect_refused(stub_->GetSession(Context().get(), get, &got), "page_size");
  get.set_page_size(1);
  get.set_after_sequence(-1);
  expect_refused(stub_->GetSession(Context().get(), get, &got), "after_sequence");

  v1::ListSessionsRequest list;
  v1::ListSessionsResponse listed;
  list.set_page_size(-1);
  expect_refused(stub_->ListSessions(Context().get(), list, &listed), "page_size");
  list.set_page_size(1);
  list.set_page_token("forged");
  const grpc::Status status = stub_->ListSessions(Context().get(), list, &listed);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), StartsWith("page_token"));

  const auto watch = Watch(id, -1);
  EXPECT_FALSE(watch->Next());
  expect_refused(watch->Finish(), "after_sequence");
  EXPECT_THAT(GetSession(id).events(), SizeIs(1)) << "a refused request left a trace";
}

TEST_F(AgentServiceTest, SessionsOfOtherTenantsAreNotFoundAndUntouched) {
  const std::string id = CreateSession();
  ASSERT_TRUE(SubmitTurn(id).ok());
  for (const grpc::Status& status : AskAll(id, "token-b")) {
    EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND) << status.error_message();
  }
  EXPECT_THAT(List(0, "", "token-b").sessions(), IsEmpty());
  EXPECT_EQ(GetSession(id).session().status(), v1::SESSION_STATUS_MODEL);
}

TEST_F(AgentServiceTest, WhoIsNobodyOrAServiceIsRefusedEverywhere) {
  const std::string id = CreateSession();
  for (const grpc::Status& status : AskAll(id, "guess")) EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
  for (const grpc::Status& status : AskAll(id, "")) EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
  for (const grpc::Status& status : AskAll(id, "service")) {
    EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED);
  }
  EXPECT_EQ(GetSession(id).events_size(), 1);
}

TEST_F(AgentServiceTest, KnownTenantsAreServedWhileQuotaServiceIsAway) {
  const std::string id = CreateSession();
  OnLoop([&] { quota_.FailWhoAmI({StatusCode::UNAVAILABLE, "connection refused"}); });
  EXPECT_EQ(GetSession(id).session().session_id(), id);
  EXPECT_EQ(SubmitTurn(id, "k1", "token-b").error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(AgentServiceTest, ALogIsReadInPages) {
  const std::string id = Conversation();
  std::vector<int64_t> sequences;
  v1::GetSessionResponse page;
  int pages = 0;
  do {
    page = GetSession(id, sequences.empty() ? 0 : sequences.back(), 2);
    ++pages;
    EXPECT_LE(page.events_size(), 2);
    EXPECT_EQ(page.session().last_sequence(), 5);
    for (const v1::SessionEvent& event : page.events()) sequences.push_back(event.sequence());
  } while (page.more() && pages < 10);
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(sequences, ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(AgentServiceTest, APageThatEndsWithTheLogHasNoMore) {
  const std::string id = Conversation();
  EXPECT_FALSE(GetSession(id, 0, 5).more());
  EXPECT_TRUE(GetSession(id, 0, 4).more());
  EXPECT_THAT(GetSession(id, 5).events(), IsEmpty());
  EXPECT_FALSE(GetSession(id, 5).more());
  EXPECT_FALSE(GetSession(id, 99).more());
}

TEST_F(AgentServiceTest, SessionsAreListedInPagesTheLastUsedFirst) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(CreateSession());
  CreateSession("token-b");
  ASSERT_TRUE(SubmitTurn(ids[1]).ok());
  std::vector<std::string> listed;
  std::string page_token;
  int pages = 0;
  do {
    const v1::ListSessionsResponse page = List(2, page_token);
    for (const v1::Session& session : page.sessions()) listed.push_back(session.session_id());
    page_token = page.next_page_token();
  } while (!page_token.empty() && ++pages < 10);
  EXPECT_THAT(listed, ElementsAre(ids[1], ids[4], ids[3], ids[2], ids[0]));
  EXPECT_EQ(List(1).sessions(0).title(), "hello");
}

TEST_F(AgentServiceTest, ADeletedSessionIsNotFound) {
  const std::string id = CreateSession();
  ASSERT_TRUE(SubmitTurn(id).ok());
  v1::DeleteSessionRequest request;
  request.set_session_id(id);
  v1::DeleteSessionResponse response;
  EXPECT_TRUE(stub_->DeleteSession(Context().get(), request, &response).ok());
  for (const grpc::Status& status : AskAll(id, "token-a")) EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(List(0).sessions(), IsEmpty());
}

TEST_F(AgentServiceTest, ARestartKeepsSessionsAndTakesUpTurns) {
  const std::string done = Conversation();
  const std::string running = CreateSession();
  ASSERT_TRUE(SubmitTurn(running).ok());
  Watch(running)->Until(v1::SessionEvent::kModelCallStarted);
  const std::string before = GetSession(done).SerializeAsString();
  Restart();
  EXPECT_EQ(GetSession(done).SerializeAsString(), before);
  const auto watch = Watch(running);
  watch->History();
  OnLoop([&] {
    ASSERT_EQ(quota_.requests().size(), 3U);
    EXPECT_EQ(quota_.requests()[2].call_id(), quota_.requests()[1].call_id());
  });
  AnswerCall({Said("hi")});
  watch->Until(v1::SessionEvent::kTurnCompleted);
}

}  // namespace
}  // namespace holdfast::agent
