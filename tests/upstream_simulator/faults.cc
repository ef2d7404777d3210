#include "tests/upstream_simulator/faults.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace holdfast::simulator {
namespace {

// In the order of FaultKind.
constexpr std::array<std::string_view, 30> kNames = {
    "429",
    "429_no_headers",
    "429_bare",
    "insufficient_quota",
    "too_large",
    "context_length",
    "401",
    "403",
    "redirect",
    "stream_429",
    "stream_error",
    "500",
    "503",
    "529",
    "stream_insufficient_quota",
    "stream_context_length",
    "overloaded",
    "cut",
    "cut_before_headers",
    "not_http",
    "broken_framing",
    "silence_before_headers",
    "silence",
    "silence_comments",
    "end_without_completed",
    "garbage",
    "oversized_event",
    "wrong_type",
    "garbage_body",
    "json_error_200",
};

constexpr std::int64_t kMaxEvents = 1'000'000;
constexpr double kMaxSeconds = 1e7;

}  // namespace

std::string_view FaultName(FaultKind kind) { return kNames.at(static_cast<std::size_t>(kind)); }

bool RefusesAtTheGate(FaultKind kind) {
  switch (kind) {
    case FaultKind::kRateLimit:
    case FaultKind::kRateLimitNoHeaders:
    case FaultKind::kRateLimitBare:
    case FaultKind::kInsufficientQuota:
    case FaultKind::kTooLarge:
    case FaultKind::kUnauthorized:
    case FaultKind::kForbidden:
    case FaultKind::kRedirect:
    case FaultKind::kStreamQuota:
    case FaultKind::kStreamRateLimit:
    case FaultKind::kStreamError:
      return true;
    default:
      return false;
  }
}

std::optional<Fault> ReadFault(FieldReader& reader) {
  Fault fault;
  std::optional<std::string> name;
  reader.Text("fault", name);
  if (reader.Find("seconds") != nullptr) reader.Number("seconds", 0, kMaxSeconds, fault.seconds.emplace(1));
  reader.Integer("after_events", 0, kMaxEvents, fault.after_events);
  std::size_t part = 0;
  reader.Choice("after", {"reasoning", "text", "arguments"}, part);
  if (reader.Find("after") != nullptr) fault.after = static_cast<Part>(part);
  if (fault.after && fault.after_events) reader.Fail("after", "excludes `after_events`");
  reader.Text("location", fault.location);
  if (!name) {
    for (const std::string_view key : {"seconds", "after_events", "after", "location"}) {
      if (reader.Find(key) != nullptr) reader.Fail(key, "means nothing without `fault`");
    }
    return std::nullopt;
  }
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] != *name) continue;
    fault.kind = static_cast<FaultKind>(i);
    if ((fault.kind == FaultKind::kRedirect) == fault.location.empty()) {
      reader.Fail("location", "is what `redirect` needs, and no other fault");
    }
    return fault;
  }
  reader.Fail("fault", fmt::format("expected one of {}", fmt::join(kNames, ", ")));
  return std::nullopt;
}

void FaultQueue::Push(const Fault& fault, std::int64_t count, When when) {
  queue_.push_back({fault, count, std::move(when)});
}

const Fault* FaultQueue::For(const GenerationRequest& request) const {
  for (const Entry& entry : queue_) {
    if (Matches(entry.when, request)) return &entry.fault;
  }
  return nullptr;
}

void FaultQueue::Take(const GenerationRequest& request) {
  const auto taken =
      std::find_if(queue_.begin(), queue_.end(), [&](const Entry& entry) { return Matches(entry.when, request); });
  if (taken != queue_.end() && --taken->left == 0) queue_.erase(taken);
}

std::int64_t FaultQueue::size() const {
  std::int64_t sum = 0;
  for (const Entry& entry : queue_) sum += entry.left;
  return sum;
}

absl::Status PushFaults(const boost::json::value& document, FaultQueue& queue) {
  FieldReader reader(document, "");
  std::int64_t count = 1;
  reader.Integer("count", 1, kMaxEvents, count);
  When when = ReadWhen(reader);
  const std::optional<Fault> fault = ReadFault(reader);
  if (reader.Find("fault") == nullptr) reader.Fail("fault", "is required");
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  if (fault) queue.Push(*fault, count, std::move(when));
  return absl::OkStatus();
}

}  // namespace holdfast::simulator
