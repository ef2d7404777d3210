#include "common/sqlite/write_ahead_log.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "common/sqlite/mapped_file.h"

namespace holdfast::sqlite {
namespace {

constexpr size_t kHeader = 32;
constexpr size_t kFrameHeader = 24;
constexpr size_t kUsualPage = 4096;
constexpr uint32_t kMagic = 0x377f0682;  // the lowest bit: checksums are over big-endian words

uint32_t Word(std::string_view bytes, size_t at, bool big_endian = true) {
  uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return big_endian == (std::endian::native == std::endian::big) ? word : __builtin_bswap32(word);
}

struct Pair {
  uint32_t first = 0;
  uint32_t second = 0;
  bool operator==(const Pair&) const = default;
};

Pair PairAt(std::string_view bytes, size_t at) { return {Word(bytes, at), Word(bytes, at + 4)}; }

// `bytes` has a multiple of eight.
Pair Checksum(Pair sum, std::string_view bytes, bool big_endian) {
  for (size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    sum.first += Word(bytes, at, big_endian) + sum.second;
    sum.second += Word(bytes, at + 4, big_endian) + sum.first;
  }
  return sum;
}

bool IsPageSize(uint32_t size) { return size >= 512 && size <= 65536 && (size & (size - 1)) == 0; }

// How to read the frames.
struct Format {
  size_t page = kUsualPage;
  bool big_endian = false;
  Pair salts;
};

bool IsWholeHeader(std::string_view log) {
  const uint32_t magic = Word(log, 0);
  if ((magic & ~1U) != kMagic || !IsPageSize(Word(log, 8))) return false;
  return Checksum({}, log.substr(0, 24), (magic & 1) != 0) == PairAt(log, 24);
}

LogDamage Walk(std::string_view log, const Format& format, bool header_whole, bool written_since_boot) {
  LogDamage damage{.page_size = format.page, .frames = {}};
  const size_t size = kFrameHeader + format.page;
  bool replayed = header_whole;
  size_t commits = 0;  // behind the damage, those included that the damage is in
  size_t until = 0;    // so many of the frames belong to whole commits
  Pair sum = PairAt(log, 24);
  for (size_t at = kHeader; at + size <= log.size(); at += size) {
    const std::string_view frame = log.substr(at, size);
    LogFrame one{.page = Word(frame, 0), .bytes = frame.substr(kFrameHeader), .whole = false};
    const bool ours = PairAt(frame, 8) == format.salts;
    const Pair stored = PairAt(frame, 16);
    one.whole = ours && one.page != 0 &&
                Checksum(Checksum(sum, frame.substr(0, 8), format.big_endian), one.bytes, format.big_endian) == stored;
    sum = stored;
    const bool ends_commit = ours && Word(frame, 4) != 0;
    replayed = replayed && one.whole;
    if (replayed && ends_commit) {
      damage.frames.clear();
      continue;
    }
    // A commit's last frame stands there once more where that fills a sector.
    const bool again = commits > 0 && !damage.frames.empty() && damage.frames.back().page == one.page;
    damage.frames.push_back(one);
    if (replayed || !ends_commit) continue;
    if (!again) ++commits;
    if (one.whole) until = damage.frames.size();
  }
  damage.frames.resize(until);
  if (commits == 1 && header_whole && !written_since_boot) damage.frames.clear();
  return damage;
}

}  // namespace

LogDamage FindLogDamage(std::string_view log, bool written_since_boot) {
  if (log.size() < kHeader + kFrameHeader) return {};
  const uint32_t named = Word(log, 8);
  if (IsWholeHeader(log)) {
    return Walk(log, {.page = named, .big_endian = (Word(log, 0) & 1) != 0, .salts = PairAt(log, 16)}, true,
                written_since_boot);
  }
  // SQLite takes a log without its header for an empty one. The frames tell whether it was.
  for (const size_t page : {IsPageSize(named) ? size_t{named} : kUsualPage, kUsualPage}) {
    for (const bool big_endian : {false, true}) {
      LogDamage damage =
          Walk(log, {.page = page, .big_endian = big_endian, .salts = PairAt(log, kHeader + 8)}, false, true);
      if (!damage.frames.empty()) return damage;
    }
  }
  return {};
}

bool WrittenSinceBoot(const std::string& path) {
  struct stat info {};
  timespec now{};
  timespec up{};
  if (stat(path.c_str(), &info) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
      clock_gettime(CLOCK_BOOTTIME, &up) != 0)
    return false;
  return info.st_mtim.tv_sec > now.tv_sec - up.tv_sec;
}

absl::Status CheckLogHasDatabase(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 ? info.st_size > 0 : errno != ENOENT) return absl::OkStatus();
  const std::string log = path + "-wal";
  if (stat(log.c_str(), &info) != 0 || static_cast<size_t>(info.st_size) < kHeader + kFrameHeader)
    return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{0} is missing or empty, and {1} holds what was committed last: put the database back beside it, or move {1} "
      "away to begin anew",
      path, log));
}

absl::Status CheckLog(const std::string& path) {
  const std::string log = path + "-wal";
  const MappedFile file(log);
  const LogDamage damage = FindLogDamage(file.bytes(), WrittenSinceBoot(log));
  if (damage.frames.empty()) return absl::OkStatus();
  return absl::DataLossError(fmt::format(
      "{} is damaged: {} of the pages that were committed there cannot be replayed; move it and {} away together and "
      "restore a backup",
      log, damage.frames.size(), path));
}

}  // namespace holdfast::sqlite
