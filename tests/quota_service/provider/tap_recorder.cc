#include "tests/quota_service/provider/tap_recorder.h"

#include <algorithm>

namespace holdfast::quota {

TapRecorder::TapRecorder(std::string_view dialect)
    : tap_(FindDialect(dialect)->NewTap("acme",
                                        [this](v1::GenerateEvent event) { events_.push_back(std::move(event)); })) {}

Verdict TapRecorder::Feed(std::string_view data, std::string_view event_type) {
  return tap_->OnEvent({std::string(event_type), std::string(data)});
}

Verdict TapRecorder::Play(const std::vector<std::string>& events) {
  for (const std::string& event : events) {
    Verdict verdict = Feed(event);
    if (verdict.cls == EventClass::kDone || verdict.cls == EventClass::kFailed) return verdict;
  }
  return End();
}

std::vector<v1::Item> TapRecorder::Items() const {
  std::vector<v1::Item> items;
  for (const v1::GenerateEvent& event : events_) {
    if (event.has_item()) items.push_back(event.item());
  }
  return items;
}

std::vector<v1::Delta> TapRecorder::Deltas() const {
  std::vector<v1::Delta> deltas;
  for (const v1::GenerateEvent& event : events_) {
    if (event.has_delta()) deltas.push_back(event.delta());
  }
  return deltas;
}

std::string TapRecorder::Streamed(v1::Delta::Channel channel) const {
  std::string text;
  for (const v1::Delta& delta : Deltas()) {
    if (delta.channel() == channel) text += delta.text();
  }
  return text;
}

const v1::Completed* TapRecorder::Completion() const {
  const auto count = std::ranges::count_if(events_, &v1::GenerateEvent::has_completed);
  return count == 1 && events_.back().has_completed() ? &events_.back().completed() : nullptr;
}

}  // namespace holdfast::quota
