#pragma once

#include <deque>
#include <string>

#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast::quota {

// The events of one call, numbered, for readers who come late or come back. It forgets what later events replace: the
// deltas of a completed item, waits that are over, everything before a restart.
class EventHistory {
 public:
  // `incarnation` tells this history from that of an earlier process.
  explicit EventHistory(std::string incarnation) : incarnation_(std::move(incarnation)) {}

  void Append(v1::GenerateEvent event);
  // The first event after `cursor`, or null. Valid until the next Append.
  const v1::GenerateEvent* After(int64_t cursor) const;

  // The newest event, or null. Valid until the next Append.
  const v1::GenerateEvent* Last() const { return events_.empty() ? nullptr : &events_.back(); }

  // The newest `admitted`, or null. Valid until the next Append.
  const v1::GenerateEvent* LastAdmitted() const;

  const std::string& incarnation() const { return incarnation_; }
  size_t bytes() const { return bytes_; }

 private:
  void Drop(bool (*unwanted)(const v1::GenerateEvent& old, const v1::GenerateEvent& incoming),
            const v1::GenerateEvent& incoming);

  std::string incarnation_;
  std::deque<v1::GenerateEvent> events_;
  int64_t last_ = 0;
  size_t bytes_ = 0;
};

}  // namespace holdfast::quota
