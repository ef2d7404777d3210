#pragma once

#include <cstdint>

namespace holdfast::quota {

// Numbers in the order in which they were added, linked through records of their owner: `links(who)` is a reference to
// one's. Every operation takes the same time however many there are, and a copy of owner and list is whole.
class IdleList {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};
  static constexpr uint32_t kUnlinked = kNone - 1;
  struct Links {
    uint32_t before = kUnlinked;
    uint32_t after = kNone;
  };

  // kNone: there is nobody.
  uint32_t first() const { return first_; }

  // Not linked yet.
  template <typename LinksOf>
  void Add(uint32_t who, LinksOf&& links) {
    links(who) = {last_, kNone};
    (last_ == kNone ? first_ : links(last_).after) = who;
    last_ = who;
  }
  // Nothing happens where it is not linked.
  template <typename LinksOf>
  void Remove(uint32_t who, LinksOf&& links) {
    const Links gone = links(who);
    if (gone.before == kUnlinked) return;
    (gone.before == kNone ? first_ : links(gone.before).after) = gone.after;
    (gone.after == kNone ? last_ : links(gone.after).before) = gone.before;
    links(who) = {};
  }

 private:
  uint32_t first_ = kNone;
  uint32_t last_ = kNone;
};

}  // namespace holdfast::quota
