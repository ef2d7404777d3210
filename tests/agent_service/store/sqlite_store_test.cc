// What SqliteStore does beyond the contract.
#include <atomic>

#include "tests/agent_service/store/sqlite_store_fixture.h"

namespace holdfast::agent {
namespace {

using ::testing::SizeIs;
using AppendResult = Awaited<absl::StatusOr<int64_t>>;

class SqliteStoreWrites : public SqliteStoreFixture {
 protected:
  static bool Never() { return false; }
};

TEST_F(SqliteStoreWrites, PutsWhatGathersBehindALockIntoFewCommits) {
  auto store = MustOpen();
  auto backup = Connect();
  ASSERT_TRUE(backup.BeginImmediate(Never).ok());
  std::vector<AppendResult> results(50);
  for (size_t i = 0; i < results.size(); ++i) {
    store->Append(MakeAppend("team", "s" + std::to_string(i), 0), results[i].Callback());
  }
  // The reader does not wait for the writer, and sees nothing of what is not committed.
  EXPECT_THAT(StoreCalls(store.get()).List("team", 100)->sessions, SizeIs(0));
  EXPECT_EQ(store->commits(), 0);
  ASSERT_TRUE(backup.Rollback().ok());
  for (AppendResult& result : results) {
    const auto last = result.Get();
    EXPECT_TRUE(last.ok()) << last.status();
  }
  // The first append may have gone ahead alone to wait for the lock.
  EXPECT_LE(store->commits(), 2);
  EXPECT_THAT(StoreCalls(store.get()).List("team", 100)->sessions, SizeIs(50));
}

TEST_F(SqliteStoreWrites, AppliesSeveralAppendsOfASessionInOneGroupInOrder) {
  auto store = MustOpen();
  auto backup = Connect();
  ASSERT_TRUE(backup.BeginImmediate(Never).ok());
  std::vector<AppendResult> results(4);
  Awaited<absl::Status> deleted;
  store->Append(MakeAppend("team", "first", 0), results[0].Callback());  // waits for the lock
  store->Append(MakeAppend("team", "s1", 0, 2), results[1].Callback());
  store->Append(MakeAppend("team", "s1", 1), results[2].Callback());  // stale
  store->Append(MakeAppend("team", "s1", 2), results[3].Callback());
  store->DeleteSession("team", "first", deleted.Callback());
  ASSERT_TRUE(backup.Rollback().ok());
  EXPECT_EQ(*results[0].Get(), 1);
  EXPECT_EQ(*results[1].Get(), 2);
  EXPECT_TRUE(absl::IsAborted(results[2].Get().status()));
  EXPECT_EQ(*results[3].Get(), 3);
  EXPECT_TRUE(deleted.Get().ok());
  EXPECT_THAT(*StoreCalls(store.get()).Read("team", "s1"), SizeIs(3));
  EXPECT_TRUE(absl::IsNotFound(StoreCalls(store.get()).Get("team", "first").status()));
  EXPECT_LE(store->commits(), 2);
}

TEST_F(SqliteStoreWrites, BoundsAGroupByBytes) {
  auto store = MustOpen();
  auto backup = Connect();
  ASSERT_TRUE(backup.BeginImmediate(Never).ok());
  std::vector<AppendResult> results(6);
  for (size_t i = 0; i < results.size(); ++i) {
    AppendRequest request = MakeAppend("team", "s" + std::to_string(i), 0);
    request.events[0].bytes.assign(size_t{5} << 20, 'x');
    store->Append(std::move(request), results[i].Callback());
  }
  ASSERT_TRUE(backup.Rollback().ok());
  for (AppendResult& result : results) EXPECT_TRUE(result.Get().ok());
  EXPECT_EQ(store->commits(), 6);
}

TEST_F(SqliteStoreWrites, FinishesQueuedWorkAndCallsBackWhenDestroyed) {
  std::vector<AppendResult> results(300);
  Awaited<absl::StatusOr<std::vector<SessionRow>>> running;
  {
    auto store = MustOpen();
    for (size_t i = 0; i < results.size(); ++i) {
      store->Append(MakeAppend("team", "s1", static_cast<int64_t>(i)), results[i].Callback());
    }
    store->ListRunning(running.Callback());
  }
  for (AppendResult& result : results) EXPECT_TRUE(result.Get().ok());
  EXPECT_TRUE(running.Get().ok());
  auto store = MustOpen();
  EXPECT_THAT(*StoreCalls(store.get()).Read("team", "s1"), SizeIs(300));
}

TEST_F(SqliteStoreWrites, AReadNamesTheEventThatIsMissing) {
  auto store = MustOpen();
  StoreCalls calls(store.get());
  ASSERT_TRUE(calls.Append(MakeAppend("team", "s1", 0, 9)).ok());
  auto person = Connect();
  ASSERT_TRUE(person.Execute("DELETE FROM log WHERE sequence IN (4, 9)").ok());
  EXPECT_THAT(*calls.Read("team", "s1", 0, 3), SizeIs(3));
  const auto gap = calls.Read("team", "s1", 0, 5);
  EXPECT_TRUE(absl::IsDataLoss(gap.status())) << gap.status();
  EXPECT_THAT(std::string(gap.status().message()), testing::HasSubstr("event 4 of session s1 is missing"));
  EXPECT_TRUE(absl::IsDataLoss(calls.Read("team", "s1", 3).status()));
  EXPECT_THAT(*calls.Read("team", "s1", 4, 4), SizeIs(4));
  // The last one: by the session's own row.
  for (const int64_t after : {4, 8}) {
    const auto end = calls.Read("team", "s1", after);
    EXPECT_TRUE(absl::IsDataLoss(end.status())) << end.status();
    EXPECT_THAT(std::string(end.status().message()), testing::HasSubstr("event 9 of session s1 is missing"));
  }
  EXPECT_THAT(*calls.Read("team", "s1", 9), SizeIs(0));
  ASSERT_TRUE(person.Execute("DELETE FROM sessions").ok());
  const auto unlisted = calls.Read("team", "s1");
  EXPECT_TRUE(absl::IsDataLoss(unlisted.status())) << unlisted.status();
  EXPECT_THAT(std::string(unlisted.status().message()), testing::HasSubstr("s1 has events and is not listed"));
}

TEST_F(SqliteStoreWrites, UndoesOneAppendThatContradictsTheLogAndKeepsItsNeighbours) {
  auto store = MustOpen();
  auto person = Connect();
  // Somebody's edit: an event beyond what the session knows of.
  ASSERT_TRUE(person
                  .Execute("INSERT INTO log(tenant, session_id, sequence, time_us, type, schema_version, bytes) "
                           "VALUES('team', 'edited', 2, 0, 1, 1, x'00')")
                  .ok());
  ASSERT_TRUE(person.BeginImmediate(Never).ok());
  std::vector<AppendResult> results(3);
  store->Append(MakeAppend("team", "a", 0), results[0].Callback());
  store->Append(MakeAppend("team", "edited", 0, 3), results[1].Callback());
  store->Append(MakeAppend("team", "b", 0), results[2].Callback());
  ASSERT_TRUE(person.Rollback().ok());
  EXPECT_TRUE(results[0].Get().ok());
  EXPECT_TRUE(absl::IsDataLoss(results[1].Get().status()));
  EXPECT_TRUE(results[2].Get().ok());
  EXPECT_EQ(*person.QueryInt("SELECT count(*) FROM log WHERE session_id = 'edited'"), 1);
  EXPECT_EQ(*person.QueryInt("SELECT count(*) FROM sessions"), 2);
}

}  // namespace
}  // namespace holdfast::agent
