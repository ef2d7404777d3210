#pragma once

#include <cstdint>
#include <vector>

#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::agent {

// The items of a conversation, and all that it ever was: restoring goes back to any position, and forth again to what
// was left. An item is kept once, or twice where a branch that was left shares it with the present one.
class History {
 public:
  // Names a prefix of the conversation, as it was.
  struct Position {
    uint32_t branch = 0;
    uint32_t size = 0;
  };

  void Push(quota::v1::Item item) { items_.push_back(std::move(item)); }
  const std::vector<quota::v1::Item>& items() const { return items_; }
  // The same conversation has the same position, unless it was said twice.
  Position position() const;
  // A position that position() never gave is brought into range.
  void Restore(Position position);

 private:
  // One for each restoring, and the first. The items of the newest are the end of items_.
  struct Branch {
    Position base;                       // where it leaves an older branch
    std::vector<quota::v1::Item> items;  // beyond the base, once it was left
  };

  std::vector<quota::v1::Item> items_;
  std::vector<Branch> branches_ = std::vector<Branch>(1);
};

}  // namespace holdfast::agent
