// Snapshots, restoring, forks and imports: what they leave in the log, and that the next request is the original's.
#include "agent_service/host/session_copies.h"
#include "agent_service/transfer/export_lines.h"
#include "agent_service/transfer/import_bounds.h"
#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

using SnapshotAnswer = Answer<absl::StatusOr<v1::SnapshotSessionResponse>>;
using RestoreAnswer = Answer<absl::StatusOr<v1::RestoreSessionResponse>>;
using SessionAnswer = Answer<absl::StatusOr<v1::Session>>;

class HostCopies : public HostTest {
 protected:
  SnapshotAnswer Snapshot(const std::string& id, const std::string& name) {
    v1::SnapshotSessionRequest request;
    request.set_name(name);
    SnapshotAnswer answer;
    host_->With("team", id, [request, done = answer.Callback()](auto session) mutable {
      (*session)->Snapshot(request, std::move(done));
    });
    loop_.RunUntilIdle();
    return answer;
  }

  RestoreAnswer Restore(const std::string& id, v1::RestoreSessionRequest request) {
    RestoreAnswer answer;
    host_->With("team", id, [request, done = answer.Callback()](auto session) mutable {
      (*session)->Restore(request, std::move(done));
    });
    loop_.RunUntilIdle();
    return answer;
  }
  RestoreAnswer RestoreTo(const std::string& id, int64_t sequence) {
    v1::RestoreSessionRequest request;
    request.set_sequence(sequence);
    return Restore(id, request);
  }

  SessionAnswer Fork(const std::string& id, int64_t at = 0, const std::string& key = "",
                     const std::string& tenant = "team") {
    v1::ForkSessionRequest request;
    request.set_session_id(id);
    request.set_at_sequence(at);
    request.set_client_key(key);
    SessionAnswer answer;
    host_->copies().Fork(tenant, request, answer.Callback());
    loop_.RunUntilIdle();
    return answer;
  }

  // The session's log, out of a file again.
  ImportedLog Exported(const std::string& id) {
    Answer<absl::StatusOr<std::vector<LogRow>>> rows;
    store_.Read("team", id, 0, 10'000, rows.Callback());
    loop_.RunUntilIdle();
    ExportLines lines;
    std::string text = lines.Header({id, "o4-mini", "", loop_.WallNow(), static_cast<int64_t>((*rows)->size())});
    for (const LogRow& row : **rows) text += lines.Event(row).value();
    text += lines.End();
    ImportLines back;
    EXPECT_TRUE(back.Feed(text).ok());
    return back.Finish().value();
  }

  SessionAnswer Import(ImportedLog log, const std::string& key = "") {
    SessionAnswer answer;
    host_->copies().Import("team", key, std::move(log), answer.Callback());
    loop_.RunUntilIdle();
    return answer;
  }

  void RunTurn(const std::string& id, const std::string& key, const std::string& text) {
    Submit(id, Turn(key, text));
    AnswerCall({Said("answer to " + text)});
  }

  // The bytes of the newest request, without the names of call and session.
  std::string LastRequest() const {
    quota::v1::GenerateRequest request = quota_.requests().back();
    request.clear_call_id();
    request.clear_session_id();
    return request.SerializeAsString();
  }
};

TEST_F(HostCopies, AnAutomaticSnapshotIsTakenWithTheEndOfEveryFourthTurn) {
  const std::string id = CreateSession();
  for (int turn = 1; turn <= 8; ++turn) RunTurn(id, "k" + std::to_string(turn), "t");
  std::vector<std::string> snapshots;
  for (const v1::SessionEvent& event : Events(id)) {
    if (!event.has_snapshot_taken()) continue;
    EXPECT_TRUE(event.snapshot_taken().automatic());
    EXPECT_EQ(event.snapshot_taken().at_sequence(), event.sequence() - 1);
    snapshots.push_back(event.snapshot_taken().name());
  }
  EXPECT_THAT(snapshots, ElementsAre("auto.17", "auto.34"));
  EXPECT_EQ(Summary(id).last_sequence(), 35);
}

TEST_F(HostCopies, ASnapshotOfTheSameConversationIsTheSameAndOfAnotherIsRefused) {
  const std::string id = CreateSession();
  RunTurn(id, "k1", "one");
  EXPECT_EQ((*Snapshot(id, "base"))->sequence(), 5);
  EXPECT_EQ((*Snapshot(id, "base"))->sequence(), 5);
  EXPECT_EQ(Log(id).back(), "snapshot base");
  EXPECT_THAT(Log(id), SizeIs(6));
  RunTurn(id, "k2", "two");
  const SnapshotAnswer refused = Snapshot(id, "base");
  EXPECT_TRUE(absl::IsAlreadyExists(refused->status()));
  EXPECT_THAT(std::string(refused->status().message()), HasSubstr("snapshot base is of event 5"));
}

TEST_F(HostCopies, ARestoredSessionSendsTheRequestThatTheOriginalSent) {
  const std::string id = CreateSession();
  RunTurn(id, "k1", "one");
  Snapshot(id, "base");
  Submit(id, Turn("k2", "go on"));
  const std::string original = LastRequest();
  AnswerCall({Asked("c1")});
  SubmitResult(id, "c1", "r");
  AnswerCall({Said("done")});

  v1::RestoreSessionRequest request;
  request.set_name("base");
  request.set_client_key("r1");
  const RestoreAnswer restored = Restore(id, request);
  ASSERT_TRUE(restored->ok()) << restored->status();
  EXPECT_EQ((*restored)->restored_to(), 5);
  EXPECT_EQ((*restored)->sequence(), (*restored)->left_at() + 1);
  EXPECT_EQ((*Restore(id, request))->sequence(), (*restored)->sequence()) << "the same key restored twice";
  Restart();
  EXPECT_EQ((*Restore(id, request))->sequence(), (*restored)->sequence());

  Submit(id, Turn("k3", "go on"));
  EXPECT_EQ(LastRequest(), original);
  EXPECT_EQ(Events(id).back().sequence(), (*restored)->sequence() + 2);
}

TEST_F(HostCopies, ToolCallsAfterRestoringHaveNewIds) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  SubmitResult(id, "c1", "ran");
  AnswerCall({Said("done")});
  RestoreTo(id, 1);
  Submit(id, Turn("k2"));
  AnswerCall({Asked("c1")});
  EXPECT_THAT(Events(id).back().model_answered().items(0).tool_call().call_id(), testing::StartsWith("c1#"));
}

TEST_F(HostCopies, RestoringIsRefusedWhileATurnRunsBeyondTheLogAndWithoutTheSnapshot) {
  const std::string id = CreateSession();
  Submit(id);
  EXPECT_TRUE(absl::IsAborted(RestoreTo(id, 1)->status()));
  AnswerCall({Said("hi")});
  EXPECT_TRUE(absl::IsInvalidArgument(RestoreTo(id, 6)->status()));
  v1::RestoreSessionRequest request;
  request.set_name("none");
  EXPECT_TRUE(absl::IsNotFound(Restore(id, request)->status()));
  EXPECT_THAT(Log(id), SizeIs(5));
}

TEST_F(HostCopies, AForkSendsTheRequestThatTheOriginalSentAndLeavesItAlone) {
  const std::string id = CreateSession();
  RunTurn(id, "k1", "one");
  RunTurn(id, "k2", "two");
  Submit(id, Turn("k3", "go on"));
  const std::string original = LastRequest();
  AnswerCall({Said("done")});
  const std::vector<std::string> before = Log(id);

  const SessionAnswer fork = Fork(id, 9);
  ASSERT_TRUE(fork->ok()) << fork->status();
  const std::string copy = (*fork)->session_id();
  EXPECT_NE(copy, id);
  EXPECT_EQ((*fork)->last_sequence(), 10);
  EXPECT_EQ((*fork)->title(), "one");
  Submit(copy, Turn("k9", "go on"));
  EXPECT_EQ(LastRequest(), original);
  EXPECT_THAT(quota_.requests().back().call_id(), testing::StartsWith(copy + "/"));
  EXPECT_EQ(Log(id), before);
}

TEST_F(HostCopies, AForkInTheMiddleOfATurnRunsNothing) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  const SessionAnswer fork = Fork(id);
  ASSERT_TRUE(fork->ok());
  EXPECT_EQ((*fork)->status(), v1::SESSION_STATUS_IDLE);
  Restart();
  EXPECT_THAT(Log((*fork)->session_id()), ElementsAre("created", "turn", "call 1", "answer", "forked 4"));
  Submit((*fork)->session_id(), Turn("k2", "and now"));
  const auto& items = quota_.requests().back().items();
  ASSERT_EQ(items.size(), 4);
  EXPECT_THAT(items[2].tool_result().output(), HasSubstr("it may have run"));
  // The original still waits for its tool.
  EXPECT_EQ(Summary(id).status(), v1::SESSION_STATUS_TOOLS);
}

TEST_F(HostCopies, TheSameKeyForksOnce) {
  const std::string id = CreateSession("key");
  RunTurn(id, "k1", "one");
  const std::string first = (*Fork(id, 0, "key"))->session_id();
  EXPECT_NE(first, id);
  EXPECT_EQ((*Fork(id, 0, "key"))->session_id(), first);
  EXPECT_NE((*Fork(id, 0, "other"))->session_id(), first);
}

TEST_F(HostCopies, TheSameKeyForAnotherCopyIsRefused) {
  const std::string id = CreateSession("key");
  RunTurn(id, "k1", "one");
  const std::string other = CreateSession("other");
  RunTurn(other, "k1", "one");
  const std::string at_four = (*Fork(id, 4, "key"))->session_id();
  const std::string newest = (*Fork(id, 0, "newest"))->session_id();
  for (const SessionAnswer& refused : {Fork(id, 3, "key"), Fork(other, 4, "key"), Fork(other, 0, "newest")}) {
    EXPECT_TRUE(absl::IsAlreadyExists(refused->status())) << refused->status();
    EXPECT_THAT(std::string(refused->status().message()), HasSubstr("client_key: "));
  }
  // Both sessions go on; the same request is the same all the same.
  RunTurn(id, "k2", "two");
  RunTurn(newest, "k2", "two");
  RunTurn(at_four, "k2", "two");
  EXPECT_EQ((*Fork(id, 4, "key"))->session_id(), at_four);
  EXPECT_EQ((*Fork(id, 0, "newest"))->session_id(), newest);
  // Of a fork: its log says twice where events are from.
  const std::string second = (*Fork(newest, 0, "second"))->session_id();
  EXPECT_EQ((*Fork(newest, 0, "second"))->session_id(), second);

  ASSERT_TRUE(Import(Exported(id), "file")->ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Import(Exported(other), "file")->status()));
}

TEST_F(HostCopies, RestoringIsRefusedWhereTheSessionCouldNotBeImportedAndAForkGoesOn) {
  const std::string id = CreateSession();
  Submit(id, Turn("k1", std::string(size_t{3} << 20, 'x')));
  Cancel(id);
  const auto end = static_cast<int64_t>(Events(id).size());
  RestoreAnswer restored = RestoreTo(id, end);
  for (int times = 0; restored->ok() && times < 400; ++times) restored = RestoreTo(id, end);
  ASSERT_TRUE(absl::IsFailedPrecondition(restored->status())) << restored->status();
  EXPECT_THAT(std::string(restored->status().message()), HasSubstr("--at " + std::to_string(end)));
  EXPECT_TRUE(RestoreTo(id, 1)->ok()) << "less fits";
  Restart();
  EXPECT_TRUE(absl::IsFailedPrecondition(RestoreTo(id, end)->status())) << "forgotten";

  ImportBounds bounds;
  v1::SessionEvent next;
  for (const v1::SessionEvent& event : Events(id)) {
    ASSERT_TRUE(bounds.Take(event).ok()) << event.sequence();
    next.set_sequence(event.sequence() + 1);
  }
  next.mutable_session_restored()->set_to_sequence(end);
  EXPECT_FALSE(bounds.Take(next).ok()) << "refused too soon";

  const SessionAnswer fork = Fork(id, end);
  ASSERT_TRUE(fork->ok()) << fork->status();
  EXPECT_TRUE(RestoreTo((*fork)->session_id(), end)->ok());
}

TEST_F(HostCopies, TheSameKeyForAnotherRestoreIsRefused) {
  const std::string id = CreateSession();
  RunTurn(id, "k1", "one");
  v1::RestoreSessionRequest request;
  request.set_sequence(1);
  request.set_client_key("r1");
  ASSERT_TRUE(Restore(id, request)->ok());
  request.set_sequence(2);
  const RestoreAnswer refused = Restore(id, request);
  EXPECT_TRUE(absl::IsAlreadyExists(refused->status())) << refused->status();
  EXPECT_THAT(std::string(refused->status().message()), HasSubstr("client_key: r1"));
}

TEST_F(HostCopies, ForksOfWhatIsNotThereOrAnotherTenantsAreRefused) {
  const std::string id = CreateSession();
  EXPECT_TRUE(absl::IsInvalidArgument(Fork(id, 2)->status()));
  EXPECT_TRUE(absl::IsNotFound(Fork("none")->status()));
  EXPECT_TRUE(absl::IsNotFound(Fork(id, 0, "", "rival")->status()));
}

TEST_F(HostCopies, AnImportedSessionSendsTheRequestThatTheOriginalSends) {
  const std::string id = CreateSession();
  Submit(id, Turn("k1", "one"));
  AnswerCall({Said("look"), Asked("c1")});
  SubmitResult(id, "c1", std::string(100'000, 'x'));
  AnswerCall({Said("seen")});
  const SessionAnswer imported = Import(Exported(id), "key");
  ASSERT_TRUE(imported->ok()) << imported->status();
  const std::string copy = (*imported)->session_id();
  EXPECT_EQ((*Import(Exported(id), "key"))->session_id(), copy);
  Submit(id, Turn("k2", "go on"));
  const std::string original = LastRequest();
  Restart();
  Submit(copy, Turn("k2", "go on"));
  EXPECT_EQ(LastRequest(), original);
  EXPECT_EQ(Log(copy)[8], "imported");
}

TEST_F(HostCopies, AnImportOfARunningTurnRunsNothing) {
  const std::string id = CreateSession();
  Submit(id);
  const SessionAnswer imported = Import(Exported(id));
  ASSERT_TRUE(imported->ok());
  EXPECT_EQ((*imported)->status(), v1::SESSION_STATUS_IDLE);
  Restart();
  EXPECT_THAT(Log((*imported)->session_id()), ElementsAre("created", "turn", "call 1", "imported"));
}

}  // namespace
}  // namespace holdfast::agent
