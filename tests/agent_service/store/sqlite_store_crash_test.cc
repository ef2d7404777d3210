// Death and disks: child processes that are killed, or run out of space.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>

#include "agent_service/store/sqlite_store.h"
#include "common/sqlite/task_thread.h"
#include "tests/agent_service/store/store_calls.h"
#include "tests/agent_service/store/temporary_directory.h"

namespace holdfast::agent {
namespace {

using ::testing::IsEmpty;

// What a child acknowledges; smaller than PIPE_BUF, so that it is written whole or not at all.
struct Acknowledged {
  int32_t session;
  int64_t sequence;
};

std::string SessionName(int32_t session) { return "s" + std::to_string(session); }

// Appends to a session forever, one append after another.
void AppendForever(SqliteStore& store, int32_t session, int64_t sequence, int pipe) {
  const int count = 1 + static_cast<int>(sequence % 3);
  store.Append(MakeAppend("team", SessionName(session), sequence, count, store.generation()),
               [&store, session, pipe](absl::StatusOr<int64_t> last) {
                 if (!last.ok()) _exit(3);
                 const Acknowledged acknowledged{session, *last};
                 if (write(pipe, &acknowledged, sizeof acknowledged) != sizeof acknowledged) _exit(4);
                 AppendForever(store, session, *last, pipe);
               });
}

// No thread of its own runs in the parent when it forks.
class SqliteStoreDeath : public ::testing::Test {
 protected:
  const std::string& path() const { return path_; }

  static constexpr int32_t kSessions = 5;

  // Runs a child that appends, and kills it after about `appends` acknowledgements. Returns the last acknowledged
  // sequences.
  std::array<int64_t, kSessions> RunAndKill(const std::array<int64_t, kSessions>& before, int appends) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      TaskThread loop;
      auto store = SqliteStore::Open(path(), [&loop](absl::AnyInvocable<void()> task) { loop.Post(std::move(task)); });
      if (!store.ok()) _exit(2);
      for (int32_t s = 0; s < kSessions; ++s) AppendForever(**store, s, before[static_cast<size_t>(s)], ends[1]);
      while (true) pause();
    }
    close(ends[1]);
    auto acknowledged_last = before;
    Acknowledged acknowledged{};
    for (int seen = 0; read(ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged; ++seen) {
      acknowledged_last[static_cast<size_t>(acknowledged.session)] = acknowledged.sequence;
      if (seen == appends) kill(child, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    return acknowledged_last;
  }

  // Checks that all that was acknowledged is there and whole. Returns where each session is.
  std::array<int64_t, kSessions> CheckAll(const std::array<int64_t, kSessions>& acknowledged) {
    TaskThread loop;
    auto store = SqliteStore::Open(path(), [&loop](absl::AnyInvocable<void()> task) { loop.Post(std::move(task)); });
    EXPECT_TRUE(store.ok()) << store.status();
    StoreCalls calls(store->get());
    std::array<int64_t, kSessions> found{};
    for (int32_t s = 0; s < kSessions; ++s) {
      const auto session = calls.Get("team", SessionName(s));
      if (!session.ok() && acknowledged[static_cast<size_t>(s)] == 0) continue;
      EXPECT_TRUE(session.ok()) << session.status();
      const auto events = calls.Read("team", SessionName(s), 0, 1'000'000);
      EXPECT_TRUE(events.ok()) << events.status();
      EXPECT_EQ(session->last_sequence, static_cast<int64_t>(events->size()));
      EXPECT_GE(session->last_sequence, acknowledged[static_cast<size_t>(s)]) << "an acknowledged event is lost";
      for (size_t i = 0; i < events->size(); ++i) {
        const auto sequence = static_cast<int64_t>(i) + 1;
        EXPECT_EQ(events->at(i).sequence, sequence);
        EXPECT_EQ(events->at(i).bytes, EventBytes(SessionName(s), sequence));
      }
      found[static_cast<size_t>(s)] = session->last_sequence;
    }
    return found;
  }

 private:
  TemporaryDirectory directory_;
  const std::string path_ = (directory_.path() / "sessions.db").string();
};

TEST_F(SqliteStoreDeath, KeepsEveryAcknowledgedEventWhenKilled) {
  std::mt19937 random(20260412);
  std::array<int64_t, kSessions> sequences{};
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    const int appends = std::uniform_int_distribution<int>(0, 120)(random);
    const auto acknowledged = RunAndKill(sequences, appends);
    sequences = CheckAll(acknowledged);
    if (HasFailure()) return;
  }
}

// Runs in a child, because a limit on the size of files holds for the whole process. Returns what went wrong.
std::string FillTheDisk(const std::string& path) {
  signal(SIGXFSZ, SIG_IGN);
  TaskThread loop;
  auto store = SqliteStore::Open(path, [&loop](absl::AnyInvocable<void()> task) { loop.Post(std::move(task)); });
  if (!store.ok()) return "open: " + store.status().ToString();
  StoreCalls calls(store->get());
  if (!calls.Append(MakeAppend("team", "before", 0)).ok()) return "the first append failed";

  rlimit unlimited{};
  getrlimit(RLIMIT_FSIZE, &unlimited);
  rlimit full = unlimited;
  full.rlim_cur = 256 * 1024;
  setrlimit(RLIMIT_FSIZE, &full);
  // Once too large for memory's page cache, so that it meets the disk inside an INSERT; once small, so that it does at
  // the COMMIT.
  for (const size_t bytes : {size_t{40} << 20, size_t{1} << 20}) {
    AppendRequest request = MakeAppend("team", "large", 0);
    request.events[0].bytes.assign(bytes, 'x');
    const auto result = calls.Append(request);
    if (!absl::IsResourceExhausted(result.status())) return "full: " + result.status().ToString();
    if (!absl::IsNotFound(calls.Get("team", "large").status())) return "a failed append left a trace";
    if (!calls.Get("team", "before").ok()) return "reading failed on a full disk";
  }

  setrlimit(RLIMIT_FSIZE, &unlimited);
  AppendRequest request = MakeAppend("team", "large", 0);
  request.events[0].bytes.assign(size_t{1} << 20, 'x');
  if (const auto result = calls.Append(request); !result.ok()) return "after: " + result.status().ToString();
  if (calls.Read("team", "large")->size() != 1) return "the append after it is not there";
  return "";
}

TEST_F(SqliteStoreDeath, SaysThatTheDiskIsFullAndGoesOnWhenItIsNot) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string problem = FillTheDisk(path());
    _exit(write(ends[1], problem.data(), problem.size()) == static_cast<ssize_t>(problem.size()) && problem.empty()
              ? 0
              : 1);
  }
  close(ends[1]);
  std::string problem(4096, '\0');
  problem.resize(static_cast<size_t>(std::max<ssize_t>(0, read(ends[0], problem.data(), problem.size()))));
  close(ends[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_THAT(problem, IsEmpty());
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace holdfast::agent
