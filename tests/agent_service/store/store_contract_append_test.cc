// The contract of appends, reads and deletions.
#include <atomic>
#include <mutex>

#include "tests/agent_service/store/store_contract.h"

namespace holdfast::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<int64_t> Sequences(const std::vector<LogRow>& events) {
  std::vector<int64_t> sequences;
  for (const LogRow& event : events) sequences.push_back(event.sequence);
  return sequences;
}

TEST_P(StoreContract, ReturnsWhatWasAppended) {
  const AppendRequest request = MakeAppend("team", "s1", 0, 2);
  const absl::StatusOr<int64_t> last = calls().Append(request);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(*last, 2);

  const auto events = calls().Read("team", "s1");
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_THAT(*events, SizeIs(2));
  for (size_t i = 0; i < 2; ++i) {
    const LogRow& event = events->at(i);
    EXPECT_EQ(event.sequence, static_cast<int64_t>(i) + 1);
    EXPECT_EQ(event.time, request.events[i].time);
    EXPECT_EQ(event.type, request.events[i].type);
    EXPECT_EQ(event.schema_version, 3);
    EXPECT_EQ(event.bytes, request.events[i].bytes);
  }

  const auto session = calls().Get("team", "s1");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->tenant, "team");
  EXPECT_EQ(session->session_id, "s1");
  EXPECT_EQ(session->title, request.session.title);
  EXPECT_EQ(session->model, request.session.model);
  EXPECT_EQ(session->workspace, request.session.workspace);
  EXPECT_EQ(session->created, request.session.created);
  EXPECT_EQ(session->updated, request.session.updated);
  EXPECT_EQ(session->last_sequence, 2);
  EXPECT_FALSE(session->running);
  EXPECT_EQ(session->summary, request.session.summary);
}

TEST_P(StoreContract, NumbersEventsWithoutGapsAndReplacesTheSessionRow) {
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 0, 3)).ok());
  AppendRequest second = MakeAppend("team", "s1", 3, 2);
  second.session.title = "renamed";
  second.session.running = true;
  EXPECT_EQ(*calls().Append(second), 5);
  EXPECT_THAT(Sequences(*calls().Read("team", "s1")), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(calls().Get("team", "s1")->title, "renamed");
  EXPECT_TRUE(calls().Get("team", "s1")->running);
  EXPECT_EQ(calls().Get("team", "s1")->last_sequence, 5);
}

TEST_P(StoreContract, KeepsWholeMicrosecondsAlsoBeforeTheEpoch) {
  AppendRequest request = MakeAppend("team", "s1", 0);
  request.events[0].time = WallTime(std::chrono::nanoseconds(-1'500));
  ASSERT_TRUE(calls().Append(request).ok());
  EXPECT_EQ(calls().Read("team", "s1")->at(0).time, WallTime(std::chrono::microseconds(-2)));
}

TEST_P(StoreContract, ReadsAfterACursorUpToALimit) {
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 0, 10)).ok());
  EXPECT_THAT(Sequences(*calls().Read("team", "s1", 4, 3)), ElementsAre(5, 6, 7));
  EXPECT_THAT(Sequences(*calls().Read("team", "s1", 8, 100)), ElementsAre(9, 10));
  EXPECT_THAT(*calls().Read("team", "s1", 10, 100), IsEmpty());
  EXPECT_THAT(*calls().Read("team", "s1", 99, 100), IsEmpty());
}

TEST_P(StoreContract, BoundsAReadByBytesButReturnsAtLeastOneEvent) {
  AppendRequest request = MakeAppend("team", "s1", 0, 4);
  request.events[0].bytes.assign(size_t{5} << 20, 'a');
  request.events[1].bytes.assign(size_t{2} << 20, 'b');
  request.events[2].bytes.assign(size_t{2} << 20, 'c');
  request.events[3].bytes.assign(size_t{10} << 20, 'd');
  ASSERT_TRUE(calls().Append(request).ok());
  EXPECT_THAT(Sequences(*calls().Read("team", "s1", 0)), ElementsAre(1, 2));
  EXPECT_THAT(Sequences(*calls().Read("team", "s1", 2)), ElementsAre(3));
  const auto last = calls().Read("team", "s1", 3);
  ASSERT_THAT(Sequences(*last), ElementsAre(4));
  EXPECT_EQ(last->at(0).bytes, request.events[3].bytes);
}

TEST_P(StoreContract, KeepsEveryByte) {
  std::string all;
  for (int i = 0; i < 512; ++i) all.push_back(static_cast<char>(i % 256));
  AppendRequest request = MakeAppend("team", "s1", 0, 2);
  request.events[0].bytes = all;
  request.events[1].bytes.clear();
  request.session.summary = all;
  request.session.title = std::string("a\0b", 3);
  ASSERT_TRUE(calls().Append(request).ok());
  const auto events = calls().Read("team", "s1");
  ASSERT_TRUE(events.ok()) << events.status();
  EXPECT_EQ(events->at(0).bytes, all);
  EXPECT_EQ(events->at(1).bytes, "");
  EXPECT_EQ(calls().Get("team", "s1")->summary, all);
  EXPECT_EQ(calls().Get("team", "s1")->title, request.session.title);
}

TEST_P(StoreContract, RefusesAWrongExpectedSequenceAndWritesNothing) {
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 0, 2)).ok());
  for (const int64_t wrong : {0, 1, 3}) {
    AppendRequest request = MakeAppend("team", "s1", wrong, 2);
    request.session.title = "must not be seen";
    const auto result = calls().Append(request);
    EXPECT_TRUE(absl::IsAborted(result.status())) << wrong << ": " << result.status();
  }
  EXPECT_THAT(Sequences(*calls().Read("team", "s1")), ElementsAre(1, 2));
  EXPECT_EQ(calls().Get("team", "s1")->title, "title of s1");
}

TEST_P(StoreContract, RefusesToContinueASessionThatIsNotThere) {
  EXPECT_TRUE(absl::IsNotFound(calls().Append(MakeAppend("team", "s1", 4)).status()));
  EXPECT_TRUE(absl::IsNotFound(calls().Get("team", "s1").status()));
}

TEST_P(StoreContract, RefusesALowerGenerationAndRemembersAHigherOne) {
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 0, 1, 5)).ok());
  EXPECT_TRUE(absl::IsAborted(calls().Append(MakeAppend("team", "s1", 1, 1, 4)).status()));
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 1, 1, 9)).ok());
  EXPECT_TRUE(absl::IsAborted(calls().Append(MakeAppend("team", "s1", 2, 1, 5)).status()));
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 2, 1, 9)).ok());
  EXPECT_THAT(Sequences(*calls().Read("team", "s1")), ElementsAre(1, 2, 3));
}

TEST_P(StoreContract, RefusesRequestsThatNoStateCouldAcceptAndNamesTheField) {
  AppendRequest empty = MakeAppend("team", "s1", 0);
  empty.events.clear();
  const std::vector<std::pair<absl::Status, std::string>> cases = {
      {calls().Append(empty).status(), "events"},
      {calls().Append(MakeAppend("", "s1", 0)).status(), "tenant"},
      {calls().Append(MakeAppend("team", "", 0)).status(), "session_id"},
      {calls().Append(MakeAppend("team", "s1", -1)).status(), "expected_sequence"},
      {calls().Read("team", "s1", 0, 0).status(), "limit"},
      {calls().List("team", 0).status(), "page_size"},
  };
  for (const auto& [status, field] : cases) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << field << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  }
}

TEST_P(StoreContract, KeepsTenantsApart) {
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 0, 2)).ok());
  EXPECT_TRUE(absl::IsNotFound(calls().Get("other", "s1").status()));
  EXPECT_TRUE(absl::IsNotFound(calls().Read("other", "s1").status()));
  EXPECT_TRUE(absl::IsNotFound(calls().Append(MakeAppend("other", "s1", 2)).status()));
  EXPECT_TRUE(absl::IsNotFound(calls().Delete("other", "s1")));
  EXPECT_THAT(calls().List("other", 10)->sessions, IsEmpty());

  // The same id of another tenant is another session.
  ASSERT_TRUE(calls().Append(MakeAppend("other", "s1", 0, 1)).ok());
  ASSERT_TRUE(calls().Delete("other", "s1").ok());
  EXPECT_THAT(Sequences(*calls().Read("team", "s1")), ElementsAre(1, 2));
}

TEST_P(StoreContract, ForgetsADeletedSessionAndTakesItsIdAgain) {
  EXPECT_TRUE(absl::IsNotFound(calls().Delete("team", "s1")));
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 0, 3, 7)).ok());
  ASSERT_TRUE(calls().Delete("team", "s1").ok());
  EXPECT_TRUE(absl::IsNotFound(calls().Get("team", "s1").status()));
  EXPECT_TRUE(absl::IsNotFound(calls().Read("team", "s1").status()));
  EXPECT_TRUE(absl::IsNotFound(calls().Append(MakeAppend("team", "s1", 3)).status()));
  EXPECT_TRUE(absl::IsNotFound(calls().Delete("team", "s1")));

  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 0, 1)).ok());
  EXPECT_THAT(Sequences(*calls().Read("team", "s1")), ElementsAre(1));
}

TEST_P(StoreContract, CallsBackOnceEachInOrderOnTheExecutor) {
  constexpr int kAppends = 200;
  struct Seen {
    std::mutex mutex;
    std::vector<int64_t> lasts;
    std::vector<std::thread::id> threads;
  };
  const auto seen = std::make_shared<Seen>();
  for (int i = 0; i < kAppends; ++i) {
    store().Append(MakeAppend("team", "s1", i), [seen](absl::StatusOr<int64_t> last) {
      std::lock_guard lock(seen->mutex);
      seen->lasts.push_back(last.value_or(-1));
      seen->threads.push_back(std::this_thread::get_id());
    });
  }
  // Writes are done in order, so this one is the last to call back.
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", kAppends)).ok());

  std::lock_guard lock(seen->mutex);
  std::vector<int64_t> wanted;
  for (int i = 1; i <= kAppends; ++i) wanted.push_back(i);
  EXPECT_EQ(seen->lasts, wanted);
  EXPECT_THAT(seen->threads, ::testing::Each(executor_thread()));
}

TEST_P(StoreContract, KeepsAnAbortedAppendFromItsNeighbours) {
  std::vector<Awaited<absl::StatusOr<int64_t>>> results(30);
  for (int i = 0; i < 30; ++i) {
    // Every third one expects what is not there.
    const std::string id = "s" + std::to_string(i);
    store().Append(MakeAppend("team", id, i % 3 == 0 ? 5 : 0, 2), results[static_cast<size_t>(i)].Callback());
  }
  for (int i = 0; i < 30; ++i) {
    const auto result = results[static_cast<size_t>(i)].Get();
    EXPECT_EQ(result.ok(), i % 3 != 0) << i << ": " << result.status();
  }
  EXPECT_THAT(calls().List("team", 100)->sessions, SizeIs(20));
}

TEST_P(StoreContract, TakesAppendsOfManyThreadsAtOnce) {
  constexpr int kThreads = 8;
  constexpr int kAppends = 100;
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &failures] {
      const std::string id = "s" + std::to_string(t);
      for (int i = 0; i < kAppends; ++i) {
        if (calls().Append(MakeAppend("team", id, i)).value_or(-1) != i + 1) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  for (int t = 0; t < kThreads; ++t) {
    const std::string id = "s" + std::to_string(t);
    const auto events = calls().Read("team", id);
    ASSERT_TRUE(events.ok()) << events.status();
    ASSERT_THAT(*events, SizeIs(kAppends));
    for (int i = 0; i < kAppends; ++i) {
      EXPECT_EQ(events->at(static_cast<size_t>(i)).sequence, i + 1);
      EXPECT_EQ(events->at(static_cast<size_t>(i)).bytes, EventBytes(id, i + 1));
    }
  }
}

TEST_P(StoreContract, LetsOneOfSeveralRivalsContinueASession) {
  ASSERT_TRUE(calls().Append(MakeAppend("team", "s1", 0)).ok());
  std::atomic<int> won{0};
  std::atomic<int> aborted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([this, &won, &aborted] {
      const auto result = calls().Append(MakeAppend("team", "s1", 1));
      if (result.ok()) ++won;
      if (absl::IsAborted(result.status())) ++aborted;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(aborted, 7);
  EXPECT_THAT(Sequences(*calls().Read("team", "s1")), ElementsAre(1, 2));
}

}  // namespace
}  // namespace holdfast::agent
