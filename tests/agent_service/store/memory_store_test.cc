#include "tests/agent_service/store/memory_store.h"

#include "tests/agent_service/store/store_contract.h"

namespace holdfast::agent {
namespace {

// Runs callbacks where the test says.
class Tasks {
 public:
  Executor executor() {
    return [this](absl::AnyInvocable<void()> task) { tasks_.push_back(std::move(task)); };
  }
  int Run() {
    const int count = static_cast<int>(tasks_.size());
    for (auto& task : std::exchange(tasks_, {})) std::move(task)();
    return count;
  }

 private:
  std::vector<absl::AnyInvocable<void()>> tasks_;
};

TEST(MemoryStore, FailsAsManyAppendsAsAskedAndWritesNothing) {
  Tasks tasks;
  MemoryStore store(tasks.executor());
  store.FailNextAppends(2, absl::ResourceExhaustedError("disk full"));
  std::vector<absl::Status> outcomes;
  for (int i = 0; i < 3; ++i) {
    store.Append(MakeAppend("team", "s1", 0),
                 [&outcomes](absl::StatusOr<int64_t> last) { outcomes.push_back(last.status()); });
  }
  EXPECT_EQ(tasks.Run(), 3);
  ASSERT_EQ(outcomes.size(), 3U);
  EXPECT_TRUE(absl::IsResourceExhausted(outcomes[0]));
  EXPECT_TRUE(absl::IsResourceExhausted(outcomes[1]));
  EXPECT_TRUE(outcomes[2].ok()) << outcomes[2];  // so the failed ones left no trace
}

TEST(MemoryStore, HoldsAppendsUntilReleasedAndKeepsTheirOrder) {
  Tasks tasks;
  MemoryStore store(tasks.executor());
  std::vector<int64_t> lasts;
  store.HoldAppends();
  for (int i = 0; i < 3; ++i) {
    store.Append(MakeAppend("team", "s1", i), [&lasts](absl::StatusOr<int64_t> last) { lasts.push_back(*last); });
  }
  EXPECT_EQ(store.held(), 3);
  EXPECT_EQ(tasks.Run(), 0);
  absl::Status session;
  store.GetSession("team", "s1", [&session](absl::StatusOr<SessionRow> row) { session = row.status(); });
  tasks.Run();
  EXPECT_TRUE(absl::IsNotFound(session)) << session;

  store.ReleaseAppends();
  EXPECT_EQ(store.held(), 0);
  tasks.Run();
  EXPECT_THAT(lasts, ::testing::ElementsAre(1, 2, 3));
}

TEST(MemoryStore, NeverCallsBackInsideTheCall) {
  Tasks tasks;
  MemoryStore store(tasks.executor(), 4);
  bool called = false;
  store.ListRunning([&called](const auto&) { called = true; });
  EXPECT_FALSE(called);
  tasks.Run();
  EXPECT_TRUE(called);
  EXPECT_EQ(store.generation(), 4);
}

}  // namespace
}  // namespace holdfast::agent
