// Databases with damage: what can be read is saved, in its place, and what was lost is named.
#include "agent_service/salvage/salvage.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>

#include "agent_service/host/log_row.h"
#include "tests/agent_service/session/event_samples.h"
#include "tests/agent_service/store/sqlite_store_fixture.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kSessions = 6;

class SalvageTest : public SqliteStoreFixture {
 protected:
  using Logs = std::map<std::string, std::vector<std::string>>;  // by session, the bytes of its events

  static std::string Name(int session) { return fmt::format("session-{}", session); }

  void Fill() { FillInto(MustOpen().get()); }
  // Sessions with small events and such as need pages of their own.
  void FillInto(Store* store) {
    StoreCalls calls(store);
    for (int turn = 0; turn < 8; ++turn) {
      for (int s = 0; s < kSessions; ++s) {
        std::vector<v1::SessionEvent> events;
        if (turn == 0) events.push_back(CreatedEvent());
        const std::string n = std::to_string(turn);
        events.push_back(TurnEvent("k" + n, "request " + n));
        events.push_back(CallEvent(1));
        events.push_back(AnswerEvent({Said(std::string(static_cast<size_t>(50 + turn * s * 300), 's'))}));
        events.push_back(CompletedEvent());
        AppendRequest append = MakeAppend("team", Name(s), sequence_[s], 1, store->generation());
        append.events.clear();
        for (const v1::SessionEvent& event : events) {
          append.events.push_back(RowOfEvent(event, TestTime(++sequence_[s])));
          written_[Name(s)].push_back(append.events.back().bytes);
        }
        ASSERT_TRUE(calls.Append(append).ok());
      }
    }
  }

  std::string Bytes(const char* suffix = "") const {
    std::ifstream file(path() + suffix, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  struct Files {
    std::string database;
    std::string log;
  };
  // What kill -9 leaves of sessions that were just written: the newest commits are in the write-ahead log alone.
  Files FilledAndKilled() {
    const auto store = MustOpen();
    FillInto(store.get());
    return {Bytes(), Bytes("-wal")};
  }
  void OverwriteWithLog(const std::string& bytes, const std::string& log) const {
    Overwrite(bytes);
    std::ofstream(path() + "-wal", std::ios::binary) << log;
  }
  void Overwrite(const std::string& bytes) const {
    for (const auto& entry : fs::directory_iterator(directory())) fs::remove(entry.path());
    std::ofstream(path(), std::ios::binary) << bytes;
  }

  // What the store gives back; a session that it calls damaged has none.
  Logs ReadAll(bool* damaged = nullptr) {
    Logs logs;
    auto store = MustOpen();
    StoreCalls calls(store.get());
    for (int s = 0; s < kSessions; ++s) {
      const auto rows = calls.Read("team", Name(s), 0, 100'000);
      if (!rows.ok()) {
        if (damaged != nullptr && absl::IsDataLoss(rows.status())) *damaged = true;
        continue;
      }
      for (const LogRow& row : *rows) logs[Name(s)].push_back(row.bytes);
    }
    return logs;
  }

  // Each session has a beginning of what was written, and where it is not all of it, that is named.
  void ExpectSavedOrNamed(const SalvageReport& report, const Logs& logs) {
    for (const auto& [id, written] : written_) {
      const auto found = logs.find(id);
      size_t kept = found == logs.end() ? 0 : found->second.size();
      const auto loss = std::find_if(report.losses.begin(), report.losses.end(),
                                     [&, name = id](const Loss& one) { return one.session_id == name; });
      if (loss != report.losses.end() && kept > 0) --kept;  // session_salvaged
      for (size_t i = 0; i < kept; ++i) ASSERT_EQ(found->second[i], written[i]) << id << " event " << i + 1;
      if (kept == written.size()) continue;
      ASSERT_NE(loss, report.losses.end()) << id << " lost events after " << kept << " and nobody says so";
      EXPECT_EQ(loss->kept, static_cast<int64_t>(kept));
      EXPECT_LE(loss->known, static_cast<int64_t>(written.size()));
      EXPECT_GT(loss->known, loss->kept);
    }
  }

  struct Flips {
    int harmless = 0;
    int refused = 0;  // the header's words of versions: they are named, and nothing is touched
    int salvaged = 0;
    int of_log = 0;   // of these: the write-ahead log was damaged
    size_t lost = 0;  // sessions that lost events
  };
  // So many times one byte of `good` is flipped, at the place that is drawn, and the file is put where the store is
  // opened. Whatever comes of it, nothing is lost that is not named.
  Flips Flip(const std::string& good, int count, unsigned seed,
             const std::function<size_t(int flip, std::mt19937& random)>& place,
             const std::function<void(const std::string& bytes)>& put) {
    Flips flips;
    std::mt19937 random(seed);
    for (int flip = 0; flip < count && !HasFailure(); ++flip) {
      const size_t at = place(flip, random);
      SCOPED_TRACE(fmt::format("flip {} at {} of {}", flip, at, good.size()));
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1 + random() % 255));
      put(bytes);
      auto store = Open();
      if (store.ok()) {
        store->reset();
        ++flips.harmless;
        EXPECT_EQ(ReadAll(), written_) << "damage went unnoticed";
        continue;
      }
      if (!IsDamage(store.status())) {
        ++flips.refused;
        EXPECT_TRUE(absl::IsFailedPrecondition(store.status()) || absl::IsUnavailable(store.status()))
            << store.status();
        continue;
      }
      const auto report = Salvage(path());
      EXPECT_TRUE(report.ok()) << report.status();
      if (!report.ok()) break;
      EXPECT_TRUE(fs::exists(report->damaged));
      ++flips.salvaged;
      flips.of_log += report->log_damaged ? 1 : 0;
      flips.lost += report->losses.size();
      ExpectSavedOrNamed(*report, ReadAll());
    }
    return flips;
  }

  std::map<int, int64_t> sequence_;
  Logs written_;
};

TEST_F(SalvageTest, BytesFlippedAt200PlacesLoseNothingThatIsNotNamed) {
  Fill();
  const std::string good = Bytes();
  const Flips flips = Flip(
      good, 200, 20261127, [&](int, std::mt19937& random) { return random() % good.size(); },
      [this](const std::string& bytes) { Overwrite(bytes); });
  fmt::print("{} of 200 flips did no harm, {} databases were salvaged, {} sessions lost events\n", flips.harmless,
             flips.salvaged, flips.lost);
  EXPECT_GT(flips.salvaged, 50);
}

TEST_F(SalvageTest, BytesFlippedAt150PlacesOfTheWriteAheadLogLoseNothingThatIsNotNamed) {
  const Files good = FilledAndKilled();
  ASSERT_GT(good.log.size(), 200'000U);
  // The header, and the newest commit, are as likely as all the rest.
  const auto place = [&](int flip, std::mt19937& random) {
    return flip % 3 == 0   ? random() % 56
           : flip % 3 == 1 ? good.log.size() - 1 - random() % 12'000
                           : random() % good.log.size();
  };
  const Flips flips =
      Flip(good.log, 150, 20261128, place, [&](const std::string& log) { OverwriteWithLog(good.database, log); });
  fmt::print("{} of 150 logs were salvaged, {} sessions lost events\n", flips.salvaged, flips.lost);
  EXPECT_EQ(flips.refused, 0);
  EXPECT_EQ(flips.of_log, flips.salvaged);
  EXPECT_GT(flips.salvaged, 100);
}

TEST_F(SalvageTest, ALogThatAPowerCutLeftIsNotDamaged) {
  const auto [good, log] = FilledAndKilled();
  // Cut anywhere: the commits before are there, nothing is behind.
  for (const size_t size : {size_t{0}, size_t{20}, size_t{32}, log.size() / 2, log.size() - 1}) {
    OverwriteWithLog(good, log.substr(0, size));
    EXPECT_TRUE(Open().ok()) << size;
  }
  // Sectors of the newest commit are written in any order; the machine was started since.
  std::string torn = log;
  torn[log.size() - 8'000] ^= 1;
  OverwriteWithLog(good, torn);
  fs::last_write_time(path() + "-wal", fs::file_time_type::clock::now() - std::chrono::hours(24 * 365 * 20));
  EXPECT_TRUE(Open().ok());
}

TEST_F(SalvageTest, FramesOfAnEarlierRoundOfTheLogAreNoDamage) {
  auto store = MustOpen();
  FillInto(store.get());
  const size_t whole = Bytes("-wal").size();
  ASSERT_TRUE(Connect().Execute("PRAGMA wal_checkpoint(RESTART)").ok());
  StoreCalls calls(store.get());
  ASSERT_TRUE(calls.Append(MakeAppend("team", Name(0), sequence_[0], 1, store->generation())).ok());
  const std::string good = Bytes();
  const std::string log = Bytes("-wal");
  ASSERT_EQ(log.size(), whole) << "the log did not start anew";
  store.reset();
  OverwriteWithLog(good, log);
  auto again = Open();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(StoreCalls(again->get()).Get("team", Name(0))->last_sequence, sequence_[0] + 1);
}

TEST_F(SalvageTest, PagesThatAreOverwrittenLoseWhatWasOnThem) {
  Fill();
  const std::string good = Bytes();
  int salvaged = 0;
  for (size_t page = 0; page * 4096 < good.size(); ++page) {
    SCOPED_TRACE(page);
    std::string bytes = good;
    bytes.replace(page * 4096, 4096, std::string(4096, '\x5a'));
    Overwrite(bytes);
    auto store = Open();
    if (store.ok()) continue;  // a page that nothing uses
    const auto report = Salvage(path());
    if (!report.ok()) {
      // The page had the first event of every session: a log without its beginning is none. Nothing is touched.
      EXPECT_TRUE(absl::IsDataLoss(report.status())) << report.status();
      EXPECT_EQ(Bytes(), bytes);
      continue;
    }
    ++salvaged;
    const Logs logs = ReadAll();
    for (const auto& [id, log] : logs) {
      for (size_t i = 0; i + 1 < log.size(); ++i) ASSERT_EQ(log[i], written_[id][i]);
    }
  }
  EXPECT_GT(salvaged, 5);
}

// A start does not check so large a file; the read that meets the damage has the next one do it.
TEST_F(SalvageTest, DamageOfALargeFileIsSalvagedAtTheStartAfterItWasMet) {
  Fill();
  ASSERT_TRUE(Connect().Execute("UPDATE log SET bytes = x'00' WHERE session_id = 'session-2' AND sequence = 7").ok());
  const auto grow = [this] { fs::resize_file(path(), uintmax_t{257} << 20); };
  grow();
  {
    auto store = MustOpen();
    EXPECT_TRUE(absl::IsDataLoss(StoreCalls(store.get()).Read("team", Name(2)).status()));
    EXPECT_TRUE(fs::exists(path() + ".check"));
  }
  grow();
  ASSERT_TRUE(absl::IsDataLoss(Open().status()));
  EXPECT_TRUE(fs::exists(path() + ".check"));
  const auto report = Salvage(path());
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectSavedOrNamed(*report, ReadAll());
  ASSERT_EQ(report->losses.size(), 1U);
  EXPECT_EQ(report->losses[0].kept, 6);
  EXPECT_FALSE(fs::exists(path() + ".check"));
}

TEST_F(SalvageTest, TheNewOneIsWrittenOnAndFencesOlderWriters) {
  Fill();
  std::string bytes = Bytes();
  bytes.replace(4096, 4096, std::string(4096, 'x'));
  Overwrite(bytes);
  ASSERT_TRUE(absl::IsDataLoss(Open().status()));
  const auto report = Salvage(path());
  ASSERT_TRUE(report.ok()) << report.status();
  auto store = MustOpen();
  EXPECT_GT(store->generation(), 1);
  StoreCalls calls(store.get());
  const auto session = calls.Get("team", Name(1));
  ASSERT_TRUE(session.ok());
  EXPECT_EQ(session->title, "request 0");
  EXPECT_TRUE(calls.Append(MakeAppend("team", Name(1), session->last_sequence, 1, store->generation())).ok());
}

TEST_F(SalvageTest, DeletedSessionsDoNotComeBack) {
  Fill();
  {
    auto store = MustOpen();
    ASSERT_TRUE(StoreCalls(store.get()).Delete("team", Name(5)).ok());
  }
  std::string bytes = Bytes();
  for (const bool with_header : {false, true}) {
    std::string damaged = bytes;
    damaged[with_header ? 3 : damaged.size() / 2] ^= 0x55;
    Overwrite(damaged);
    if (Open().ok()) continue;
    const auto report = Salvage(path());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_FALSE(ReadAll().contains(Name(5)));
  }
}

TEST_F(SalvageTest, SessionsThatNoListHasAreSavedOrNamed) {
  Fill();
  ASSERT_TRUE(Connect().Execute("DELETE FROM sessions WHERE session_id = 'session-2'").ok());
  const std::string bytes = Bytes();
  // The list of free pages can be read: nobody deleted the session.
  Overwrite(bytes);
  ASSERT_TRUE(absl::IsDataLoss(Open().status()));
  const auto saved = Salvage(path());
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_THAT(saved->losses, testing::IsEmpty());
  EXPECT_EQ(ReadAll(), written_);
  // It cannot.
  std::string damaged = bytes;
  damaged[3] ^= 0x55;
  Overwrite(damaged);
  ASSERT_TRUE(absl::IsDataLoss(Open().status()));
  const auto report = Salvage(path());
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->losses.size(), 1U);
  EXPECT_EQ(report->losses[0].session_id, Name(2));
  EXPECT_TRUE(report->losses[0].unlisted);
  EXPECT_EQ(report->losses[0].known, static_cast<int64_t>(written_[Name(2)].size()));
  EXPECT_FALSE(ReadAll().contains(Name(2)));
}

// Killed at any step: the next start ends it, with the write-ahead log's events, and says what was lost.
TEST_F(SalvageTest, OneThatWasKilledOnItsWayIsFinished) {
  auto [good, log] = FilledAndKilled();
  log[log.size() / 2] ^= 1;
  for (int steps = 0; steps <= 4; ++steps) {
    SCOPED_TRACE(steps);
    OverwriteWithLog(good, log);
    ASSERT_TRUE(absl::IsDataLoss(Open().status()));
    const auto report = Salvage(path());
    ASSERT_TRUE(report.ok()) << report.status();
    const std::vector<std::string> said = Describe(*report);
    const Logs saved = ReadAll();
    const std::string time = report->damaged.substr((path() + ".damaged-").size());
    const std::string made = path() + ".salvaged-" + time;
    // Back to where it was after so many steps.
    if (steps < 4) {
      fs::rename(path(), made);
      fs::create_hard_link(report->damaged, path());
    }
    if (steps < 3) fs::rename(report->damaged + "-wal", path() + "-wal");
    if (steps < 2) fs::remove(report->damaged);
    if (steps < 1) {
      fs::remove(report->damaged + ".txt");
      fs::rename(made, path() + ".salvaging-new");
      const auto again = Salvage(path());
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_EQ(ReadAll(), saved);
      continue;
    }
    const auto lines = FinishSalvage(path());
    ASSERT_TRUE(lines.ok()) << lines.status();
    EXPECT_EQ(*lines, steps < 4 ? said : std::vector<std::string>());
    EXPECT_FALSE(fs::exists(made));
    EXPECT_FALSE(fs::exists(path() + "-wal"));
    EXPECT_EQ(Bytes((".damaged-" + time + "-wal").c_str()), log);
    EXPECT_EQ(Bytes((".damaged-" + time).c_str()), good);
    EXPECT_EQ(ReadAll(), saved);
  }
}

TEST_F(SalvageTest, WhatHasNothingToSaveIsLeftAlone) {
  const std::string bytes(20'000, 'x');
  Overwrite(bytes);
  EXPECT_TRUE(absl::IsDataLoss(Salvage(path()).status()));
  EXPECT_EQ(Bytes(), bytes);
}

TEST_F(SalvageTest, TheReportNamesEachSessionAndItsEvents) {
  SalvageReport report;
  report.damaged = "/d/sessions.db.damaged-1";
  report.losses = {{"team", "s1", 4, 9, false}, {"team", "s2", 0, 3, false}, {"team", "s3", 0, 5, true}};
  const std::vector<std::string> lines = Describe(report);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], HasSubstr("/d/sessions.db.damaged-1"));
  EXPECT_EQ(lines[1], "lost: session s1 of tenant team, events 5 to 9");
  EXPECT_EQ(lines[2], "lost: session s2 of tenant team, all of its 3 events");
  EXPECT_THAT(lines[3], HasSubstr("not saved: session s3 of tenant team, 5 events"));
}

}  // namespace
}  // namespace holdfast::agent
