// The power goes at any moment: what was acknowledged is in what was synced.
#include <array>
#include <atomic>
#include <filesystem>
#include <latch>
#include <thread>
#include <vector>

#include "tests/agent_service/store/power_cut_vfs.h"
#include "tests/agent_service/store/sqlite_store_fixture.h"

namespace holdfast::agent {
namespace {

constexpr int kWriters = 8;
constexpr int kCuts = 60;

class PowerCut : public SqliteStoreFixture {
 protected:
  PowerCut() { PowerCutVfs::Install(); }

  // Appends to one session after another until `stop`; `acknowledged` is what is known to be durable.
  void AppendOn(SqliteStore& store, int writer, int64_t sequence) {
    AppendRequest request =
        MakeAppend("team", Name(writer), sequence, 1 + static_cast<int>(sequence % 3), store.generation());
    // Now and then enough to fill the log and have it copied into the database.
    if (sequence % 7 == 0) request.events.back().bytes.append(20'000, 'x');
    store.Append(std::move(request), [this, &store, writer](absl::StatusOr<int64_t> last) {
      EXPECT_TRUE(last.ok()) << last.status();
      if (last.ok()) acknowledged_[static_cast<size_t>(writer)] = *last;
      if (!last.ok() || stop_) return done_.count_down();
      AppendOn(store, writer, *last);
    });
  }
  static std::string Name(int writer) { return "s" + std::to_string(writer); }

  std::array<std::atomic<int64_t>, kWriters> acknowledged_{};
  std::atomic<bool> stop_ = false;
  std::latch done_{kWriters};
};

TEST_F(PowerCut, LosesNothingThatWasAcknowledged) {
  auto store = MustOpen();
  for (int writer = 0; writer < kWriters; ++writer) AppendOn(*store, writer, 0);
  std::vector<std::array<int64_t, kWriters>> promised;
  for (int cut = 0; cut < kCuts; ++cut) {
    // Each cut is some syncs after the one before; nothing sleeps, the appends go on meanwhile.
    for (const int until = PowerCutVfs::syncs() + 1 + cut % 5; PowerCutVfs::syncs() < until;) std::this_thread::yield();
    std::array<int64_t, kWriters> known{};
    for (size_t i = 0; i < known.size(); ++i) known[i] = acknowledged_[i];
    promised.push_back(known);
    PowerCutVfs::Cut(directory(), directory() / std::to_string(cut));
  }
  stop_ = true;
  done_.wait();
  store.reset();

  for (int cut = 0; cut < kCuts; ++cut) {
    SCOPED_TRACE(cut);
    auto left = Open((directory() / std::to_string(cut) / "sessions.db").string());
    ASSERT_TRUE(left.ok()) << left.status();
    StoreCalls calls(left->get());
    for (int writer = 0; writer < kWriters; ++writer) {
      const int64_t least = promised[static_cast<size_t>(cut)][static_cast<size_t>(writer)];
      const auto rows = calls.Read("team", Name(writer), 0, 1'000'000);
      if (!rows.ok() && least == 0) continue;
      ASSERT_TRUE(rows.ok()) << rows.status();
      ASSERT_FALSE(rows->empty());
      EXPECT_GE(calls.Get("team", Name(writer))->last_sequence, least) << "an acknowledged event is lost";
      for (const LogRow& row : *rows) {
        const std::string expected = EventBytes(Name(writer), row.sequence);
        EXPECT_EQ(row.bytes.substr(0, expected.size()), expected);
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::agent
