// Snapshots, restoring, forks, export and import over gRPC: of the caller's tenant, and with every field checked.
#include "tests/agent_service/service/service_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;
using testing::StartsWith;

class CopiesTest : public ServiceTest {
 protected:
  std::string FinishedSession() {
    const std::string id = CreateSession();
    EXPECT_TRUE(SubmitTurn(id).ok());
    const auto watch = Watch(id);
    watch->Until(v1::SessionEvent::kModelCallStarted);
    AnswerCall({Said("hi")});
    watch->Until(v1::SessionEvent::kTurnCompleted);
    return id;
  }

  grpc::Status Export(const std::string& id, std::string* text, const std::string& token = "token-a") {
    v1::ExportSessionRequest request;
    request.set_session_id(id);
    const auto context = Context(token);
    const auto reader = stub_->ExportSession(context.get(), request);
    v1::ExportChunk chunk;
    while (reader->Read(&chunk)) *text += chunk.data();
    return reader->Finish();
  }

  grpc::Status Import(const std::string& text, v1::Session* session, const std::string& token = "token-a",
                      const std::string& key = "") {
    const auto context = Context(token);
    const auto writer = stub_->ImportSession(context.get(), session);
    for (size_t begin = 0; begin < text.size(); begin += 100) {
      v1::ImportChunk chunk;
      if (begin == 0) chunk.set_client_key(key);
      chunk.set_data(text.substr(begin, 100));
      if (!writer->Write(chunk)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }

  size_t SessionsOf(const std::string& token) {
    v1::ListSessionsResponse all;
    EXPECT_TRUE(stub_->ListSessions(Context(token).get(), {}, &all).ok());
    return static_cast<size_t>(all.sessions_size());
  }

  v1::GetSessionResponse Get(const std::string& id, const std::string& token = "token-a") {
    v1::GetSessionRequest request;
    request.set_session_id(id);
    v1::GetSessionResponse response;
    EXPECT_TRUE(stub_->GetSession(Context(token).get(), request, &response).ok());
    return response;
  }
};

TEST_F(CopiesTest, WhatIsExportedCanBeImportedByAnotherTenantToo) {
  const std::string id = FinishedSession();
  std::string text;
  ASSERT_TRUE(Export(id, &text).ok());
  v1::Session session;
  const grpc::Status status = Import(text, &session, "token-b", "key");
  ASSERT_TRUE(status.ok()) << status.error_message();
  v1::Session again;
  ASSERT_TRUE(Import(text, &again, "token-b", "key").ok());
  EXPECT_EQ(again.session_id(), session.session_id());
  EXPECT_EQ(SessionsOf("token-b"), 1u);
  const v1::GetSessionResponse copy = Get(session.session_id(), "token-b");
  const v1::GetSessionResponse original = Get(id);
  ASSERT_EQ(copy.events_size(), original.events_size() + 1);
  for (int i = 0; i < original.events_size(); ++i)
    EXPECT_EQ(copy.events(i).SerializeAsString(), original.events(i).SerializeAsString());
  EXPECT_EQ(copy.events().rbegin()->session_imported().from_session_id(), id);
}

TEST_F(CopiesTest, ALongSessionComesOutWhole) {
  const std::string id = CreateSession();
  ASSERT_TRUE(SubmitTurn(id).ok());
  const auto watch = Watch(id);
  watch->Until(v1::SessionEvent::kModelCallStarted);
  for (int i = 0; i < 20; ++i) {
    AnswerCall({Said(std::string(600'000, 'x')), Asked("c" + std::to_string(i))});
    watch->Until(v1::SessionEvent::kModelAnswered);
    ASSERT_TRUE(SubmitToolResult(id, "c" + std::to_string(i), std::string(100'000, 'y')).ok());
    watch->Until(v1::SessionEvent::kModelCallStarted);
  }
  std::string text;
  ASSERT_TRUE(Export(id, &text).ok());
  EXPECT_GT(text.size(), 14'000'000u);
  v1::Session session;
  const grpc::Status status = Import(text, &session);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(session.last_sequence(), Get(id).session().last_sequence() + 1);
}

TEST_F(CopiesTest, AFileWithAnErrorLeavesNothing) {
  std::string text;
  ASSERT_TRUE(Export(FinishedSession(), &text).ok());
  const size_t before = SessionsOf("token-a");
  std::string damaged = text;
  damaged[damaged.size() / 2] ^= 1;
  v1::Session session;
  const grpc::Status status = Import(damaged, &session);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), StartsWith("line "));
  EXPECT_EQ(Import(text.substr(0, text.size() / 2), &session).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Import("", &session).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Import(text, &session, "token-a", std::string(129, 'k')).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Import(text, &session, "nobody").error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(SessionsOf("token-a"), before);
}

TEST_F(CopiesTest, SessionsOfOtherTenantsAreNotThere) {
  const std::string id = FinishedSession();
  std::string text;
  EXPECT_EQ(Export(id, &text, "token-b").error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Export(id, &text, "nobody").error_code(), StatusCode::UNAUTHENTICATED);
  v1::ForkSessionRequest fork;
  fork.set_session_id(id);
  v1::Session session;
  EXPECT_EQ(stub_->ForkSession(Context("token-b").get(), fork, &session).error_code(), StatusCode::NOT_FOUND);
  v1::SnapshotSessionRequest snapshot;
  snapshot.set_session_id(id);
  snapshot.set_name("n");
  v1::SnapshotSessionResponse taken;
  EXPECT_EQ(stub_->SnapshotSession(Context("token-b").get(), snapshot, &taken).error_code(), StatusCode::NOT_FOUND);
  v1::RestoreSessionRequest restore;
  restore.set_session_id(id);
  restore.set_sequence(1);
  v1::RestoreSessionResponse restored;
  EXPECT_EQ(stub_->RestoreSession(Context("token-b").get(), restore, &restored).error_code(), StatusCode::NOT_FOUND);
}

TEST_F(CopiesTest, FieldsThatCannotBeAreRefusedByName) {
  const std::string id = FinishedSession();
  const auto refuse = [](const grpc::Status& status, const std::string& field) {
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << field;
    EXPECT_THAT(status.error_message(), StartsWith(field + ":"));
  };
  v1::SnapshotSessionResponse taken;
  for (const std::string& name : {std::string(), std::string(65, 'n'), std::string("a b"), std::string("auto.7")}) {
    v1::SnapshotSessionRequest snapshot;
    snapshot.set_session_id(id);
    snapshot.set_name(name);
    refuse(stub_->SnapshotSession(Context().get(), snapshot, &taken), "name");
  }
  v1::RestoreSessionResponse restored;
  v1::RestoreSessionRequest restore;
  restore.set_session_id(id);
  refuse(stub_->RestoreSession(Context().get(), restore, &restored), "name");
  restore.set_sequence(0);
  refuse(stub_->RestoreSession(Context().get(), restore, &restored), "sequence");
  restore.set_sequence(99);
  refuse(stub_->RestoreSession(Context().get(), restore, &restored), "sequence");
  restore.set_sequence(1);
  restore.set_client_key(std::string(129, 'k'));
  refuse(stub_->RestoreSession(Context().get(), restore, &restored), "client_key");
  v1::Session session;
  v1::ForkSessionRequest fork;
  refuse(stub_->ForkSession(Context().get(), fork, &session), "session_id");
  fork.set_session_id(id);
  fork.set_at_sequence(-1);
  refuse(stub_->ForkSession(Context().get(), fork, &session), "at_sequence");
  fork.set_at_sequence(6);
  refuse(stub_->ForkSession(Context().get(), fork, &session), "at_sequence");
  std::string text;
  refuse(Export("../x", &text), "session_id");
  EXPECT_EQ(Get(id).session().last_sequence(), 5);
}

TEST_F(CopiesTest, WatchersSeeARestoringInItsPlace) {
  const std::string id = FinishedSession();
  const auto watch = Watch(id, 5);
  watch->History();
  v1::RestoreSessionRequest restore;
  restore.set_session_id(id);
  restore.set_sequence(1);
  v1::RestoreSessionResponse restored;
  ASSERT_TRUE(stub_->RestoreSession(Context().get(), restore, &restored).ok());
  EXPECT_EQ(restored.sequence(), 6);
  EXPECT_EQ(watch->Next()->event().session_restored().to_sequence(), 1);
}

}  // namespace
}  // namespace holdfast::agent
