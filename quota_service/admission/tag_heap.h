#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace holdfast::quota {

// A heap of those who wait, by start tag, and between equal tags by who began to wait earlier. Four children a node:
// half the depth of a binary heap, and siblings are together as large as a cache line. Each entry's place is kept by
// whom it belongs to, so that any entry can be removed or moved; `places(who)` is a reference to that place.
class TagHeap {
 public:
  struct Entry {
    double start;
    uint32_t since;  // counts arrivals, and begins again from 0 in the end: of two, the nearer one before is earlier
    uint32_t who;

    // Without a branch: which of two is less cannot be foreseen.
    bool operator<(const Entry& other) const {
      const bool earlier = static_cast<int32_t>(since - other.since) < 0;
      return static_cast<bool>(static_cast<int>(start < other.start) |
                               (static_cast<int>(start == other.start) & static_cast<int>(earlier)));
    }
  };

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  const Entry& top() const { return entries_.front(); }
  const std::vector<Entry>& entries() const { return entries_; }

  template <typename Places>
  void Push(const Entry& entry, Places&& places) {
    entries_.push_back(entry);
    Up(entries_.size() - 1, entry, places);
  }
  template <typename Places>
  void Remove(uint32_t place, Places&& places) {
    const Entry last = entries_.back();
    entries_.pop_back();
    if (place < entries_.size()) Settle(place, last, places);
  }
  // The entry at `place` gets another tag.
  template <typename Places>
  void Replace(uint32_t place, const Entry& entry, Places&& places) {
    Settle(place, entry, places);
  }

 private:
  static constexpr size_t kChildren = 4;

  template <typename Places>
  void Settle(size_t at, const Entry& entry, Places& places) {
    if (at > 0 && entry < entries_[(at - 1) / kChildren]) {
      Up(at, entry, places);
    } else {
      Down(at, entry, places);
    }
  }
  template <typename Places>
  void Up(size_t at, const Entry& entry, Places& places) {
    while (at > 0) {
      const size_t parent = (at - 1) / kChildren;
      if (!(entry < entries_[parent])) break;
      Put(at, entries_[parent], places);
      at = parent;
    }
    Put(at, entry, places);
  }
  template <typename Places>
  void Down(size_t at, const Entry& entry, Places& places) {
    for (;;) {
      const size_t first = at * kChildren + 1;
      if (first >= entries_.size()) break;
      const size_t end = std::min(first + kChildren, entries_.size());
      size_t least = first;
      for (size_t child = first + 1; child < end; ++child) {
        least = entries_[child] < entries_[least] ? child : least;
      }
      if (!(entries_[least] < entry)) break;
      Put(at, entries_[least], places);
      at = least;
    }
    Put(at, entry, places);
  }
  template <typename Places>
  void Put(size_t at, const Entry& entry, Places& places) {
    entries_[at] = entry;
    places(entry.who) = static_cast<uint32_t>(at);
  }

  std::vector<Entry> entries_;
};

}  // namespace holdfast::quota
