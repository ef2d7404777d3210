#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "quota_service/provider/typed_output.h"

namespace holdfast::quota {

// Reads the events of the Responses API. Items are passed on as they complete; those that only the final response
// tells, then.
class ResponsesTap final : public Tap {
 public:
  ResponsesTap(std::string_view account, EmitEvent emit) : output_(account, std::move(emit)) {}

  Verdict OnEvent(const SseEvent& event) override;
  Verdict OnEndOfStream() override;

 private:
  using Handler = Verdict (ResponsesTap::*)(const boost::json::value&);
  static Handler FindHandler(std::string_view type);

  Verdict OnStarted(const boost::json::value& event);
  Verdict OnTextDelta(const boost::json::value& event);
  Verdict OnReasoningDelta(const boost::json::value& event);
  Verdict OnItemDone(const boost::json::value& event);
  Verdict OnCompleted(const boost::json::value& event);
  Verdict OnIncomplete(const boost::json::value& event);
  Verdict OnFailed(const boost::json::value& event);
  Verdict OnError(const boost::json::value& event);

  Verdict PassDelta(const boost::json::value& event, v1::Delta::Channel channel, std::string_view part_key);
  // Absent where it is of a kind that nobody needs.
  std::optional<v1::Item> Read(const boost::json::value& item, int64_t index) const;
  // False: it was passed on before, or is over the bound.
  bool PassOnce(v1::Item item);
  Verdict Finish(const boost::json::value& event, v1::FinishReason reason);
  void NoteId(const boost::json::value* response);
  // For items that carry no id of their own.
  std::string IdAt(int64_t index) const;

  TypedOutput output_;
  std::string response_id_;
  std::set<std::string> passed_;  // keys of the items passed on
  int64_t items_done_ = 0;
  bool ended_ = false;
};

}  // namespace holdfast::quota
