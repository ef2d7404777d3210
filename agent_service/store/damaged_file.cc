#include "agent_service/store/damaged_file.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent_service/store/rules.h"

namespace holdfast::agent {
namespace {

constexpr size_t kFileHeader = 100;
constexpr size_t kUsualPage = 4096;
constexpr unsigned char kTableLeaf = 0x0d;
constexpr size_t kLogColumns = 7;  // and the check, where it is there
constexpr size_t kSessionColumns = 11;

// Big-endian, as everything in the file is. 0 beyond its end.
uint64_t Number(std::string_view bytes, size_t at, size_t size) {
  if (at > bytes.size() || bytes.size() - at < size) return 0;
  uint64_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  return number;
}

// Of one to nine bytes. False: it does not end.
bool TakeVarint(std::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (size_t i = 0; i < 9 && i < bytes->size(); ++i) {
    const auto byte = static_cast<unsigned char>((*bytes)[i]);
    if (i == 8) {
      *value = *value << 8 | byte;
    } else {
      *value = *value << 7 | (byte & 0x7f);
    }
    if (i == 8 || (byte & 0x80) == 0) {
      bytes->remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

struct Column {
  enum class Kind { kNull, kInteger, kText, kBlob };
  Kind kind = Kind::kNull;
  int64_t integer = 0;
  std::string_view bytes;
};

std::optional<Column> TakeColumn(uint64_t type, std::string_view* body) {
  static constexpr size_t kIntegerSizes[] = {0, 1, 2, 3, 4, 6, 8};
  Column column;
  if (type == 0) return column;
  if (type == 8 || type == 9) {
    column.kind = Column::Kind::kInteger;
    column.integer = type == 9 ? 1 : 0;
    return column;
  }
  size_t size = 0;
  if (type <= 6) {
    size = kIntegerSizes[type];
    if (body->size() < size) return std::nullopt;
    column.kind = Column::Kind::kInteger;
    uint64_t value = Number(*body, 0, size);
    const size_t unused = 64 - 8 * size;
    column.integer = static_cast<int64_t>(value << unused) >> unused;
  } else if (type >= 12) {
    const uint64_t long_size = (type - 12) / 2;
    if (long_size > body->size()) return std::nullopt;
    size = static_cast<size_t>(long_size);
    column.kind = type % 2 == 0 ? Column::Kind::kBlob : Column::Kind::kText;
    column.bytes = body->substr(0, size);
  } else {
    return std::nullopt;  // floating point: none of our columns
  }
  body->remove_prefix(size);
  return column;
}

// Empty: no record.
std::vector<Column> ReadRecord(std::string_view payload) {
  std::string_view header = payload;
  uint64_t header_size = 0;
  if (!TakeVarint(&header, &header_size) || header_size > payload.size()) return {};
  const size_t taken = payload.size() - header.size();
  if (header_size < taken) return {};
  header = payload.substr(taken, static_cast<size_t>(header_size) - taken);
  std::string_view body = payload.substr(static_cast<size_t>(header_size));
  std::vector<Column> columns;
  while (!header.empty()) {
    uint64_t type = 0;
    if (columns.size() > kSessionColumns || !TakeVarint(&header, &type)) return {};
    const std::optional<Column> column = TakeColumn(type, &body);
    if (!column) return {};
    columns.push_back(*column);
  }
  return columns;
}

bool Are(const std::vector<Column>& columns, std::string_view kinds) {
  for (size_t i = 0; i < kinds.size(); ++i) {
    const Column::Kind kind = kinds[i] == 't'   ? Column::Kind::kText
                              : kinds[i] == 'i' ? Column::Kind::kInteger
                                                : Column::Kind::kBlob;
    if (columns[i].kind != kind) return false;
  }
  return true;
}

class Scan {
 public:
  explicit Scan(std::string_view file) : file_(file) {
    const uint64_t named = Number(file, 16, 2);
    const uint64_t size = named == 1 ? 65536 : named;
    const bool sane = size >= 512 && (size & (size - 1)) == 0;
    page_ = sane ? static_cast<size_t>(size) : kUsualPage;
    const uint64_t reserved = Number(file, 20, 1);
    usable_ = sane && reserved <= 32 ? page_ - static_cast<size_t>(reserved) : page_;
  }

  FoundRows Run() {
    FoundRows rows;
    std::set<uint64_t> free;
    rows.free_pages_known = ReadFreePages(&free);
    for (uint64_t number = 1; (number - 1) * page_ < file_.size(); ++number) {
      if (!free.contains(number)) ReadPage(number, &rows);
    }
    return rows;
  }

 private:
  std::string_view Page(uint64_t number) const {
    if (number == 0 || number - 1 >= file_.size() / page_) return {};
    return file_.substr(static_cast<size_t>(number - 1) * page_, page_);
  }

  // The list of free pages: trunks, each with the next one, a count and so many leaves.
  bool ReadFreePages(std::set<uint64_t>* free) const {
    if (!file_.starts_with("SQLite format 3") || file_.size() < kFileHeader) return false;
    const uint64_t count = Number(file_, 36, 4);
    for (uint64_t trunk = Number(file_, 32, 4); trunk != 0;) {
      const std::string_view page = Page(trunk);
      if (page.empty() || !free->insert(trunk).second) return false;
      const uint64_t leaves = Number(page, 4, 4);
      if (leaves > usable_ / 4 - 2) return false;
      for (uint64_t i = 0; i < leaves; ++i) free->insert(Number(page, 8 + static_cast<size_t>(i) * 4, 4));
      trunk = Number(page, 0, 4);
    }
    return free->size() == count;
  }

  void ReadPage(uint64_t number, FoundRows* rows) const {
    const std::string_view page = Page(number);
    const size_t header = number == 1 ? kFileHeader : 0;
    if (page.empty() || static_cast<unsigned char>(page[header]) != kTableLeaf) return;
    const uint64_t cells = Number(page, header + 3, 2);
    if (cells > page_ / 4) return;
    for (uint64_t i = 0; i < cells; ++i) {
      const uint64_t at = Number(page, header + 8 + static_cast<size_t>(i) * 2, 2);
      if (at < header + 8 || at >= usable_) continue;
      ReadCell(page.substr(static_cast<size_t>(at), usable_ - static_cast<size_t>(at)), rows);
    }
  }

  void ReadCell(std::string_view cell, FoundRows* rows) const {
    uint64_t size = 0;
    uint64_t rowid = 0;
    if (!TakeVarint(&cell, &size) || !TakeVarint(&cell, &rowid) || size > file_.size()) return;
    const std::optional<std::string> payload = Payload(cell, static_cast<size_t>(size));
    if (payload) Take(ReadRecord(*payload), rows);
  }

  // With what overflows into other pages. Absent: the chain of these is broken.
  std::optional<std::string> Payload(std::string_view cell, size_t size) const {
    const size_t most = usable_ - 35;
    size_t local = size;
    if (size > most) {
      const size_t least = (usable_ - 12) * 32 / 255 - 23;
      const size_t fitting = least + (size - least) % (usable_ - 4);
      local = fitting <= most ? fitting : least;
    }
    if (cell.size() < local) return std::nullopt;
    std::string payload(cell.substr(0, local));
    if (local == size) return payload;
    uint64_t next = Number(cell, local, 4);
    while (payload.size() < size) {
      const std::string_view page = Page(next);
      if (page.empty()) return std::nullopt;
      payload += page.substr(4, std::min(usable_ - 4, size - payload.size()));
      next = Number(page, 0, 4);
    }
    return payload;
  }

  static void Take(const std::vector<Column>& columns, FoundRows* rows) {
    const bool with_check = columns.size() == kLogColumns + 1;
    if ((columns.size() == kLogColumns || with_check) && Are(columns, "ttiiiib")) {
      FoundEvent found;
      found.tenant = columns[0].bytes;
      found.session_id = columns[1].bytes;
      found.row.sequence = columns[2].integer;
      found.row.time = FromMicros(columns[3].integer);
      found.row.type = static_cast<int32_t>(columns[4].integer);
      found.row.schema_version = static_cast<int32_t>(columns[5].integer);
      found.row.bytes = columns[6].bytes;
      if (with_check && columns[7].kind == Column::Kind::kInteger) found.check = columns[7].integer;
      rows->events.push_back(std::move(found));
    } else if (columns.size() == kSessionColumns && Are(columns, "tttttiiiiib")) {
      rows->sessions.push_back(
          {std::string(columns[0].bytes), std::string(columns[1].bytes), columns[7].integer, columns[8].integer});
    }
  }

  std::string_view file_;
  size_t page_ = kUsualPage;
  size_t usable_ = kUsualPage;
};

}  // namespace

FoundRows ScanDatabase(std::string_view file) { return Scan(file).Run(); }

}  // namespace holdfast::agent
