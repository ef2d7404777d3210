#include "quota_service/frontdoor/answer/pass_tap.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <utility>
#include <vector>

#include "quota_service/frontdoor/request/json_scanner.h"
#include "quota_service/provider/error_body.h"
#include "quota_service/provider/error_class.h"
#include "quota_service/provider/json_read.h"
#include "quota_service/provider/usage.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMostResponseIdBytes = 256;
// More than this is not held back: an upstream that says so much before its output is let through.
constexpr size_t kMostHeldBytes = size_t{256} << 10;

Verdict Of(EventClass cls) {
  Verdict verdict;
  verdict.cls = cls;
  return verdict;
}

Verdict Failed(UpstreamFailure failure) {
  Verdict verdict;
  verdict.cls = EventClass::kFailed;
  verdict.failure = std::move(failure);
  return verdict;
}

Verdict Broken(std::string message) {
  UpstreamFailure failure;
  failure.message = std::move(message);
  return Failed(std::move(failure));
}

std::string IdOf(const boost::json::value* object) {
  return std::string(FindText(object, "id").substr(0, kMostResponseIdBytes));
}

// Finds the `type` of an event, and whether it is JSON at all, without building it.
class TypeVisitor final : public JsonVisitor {
 public:
  absl::Status OnKey(const JsonString& key) override {
    at_type_ = depth_ == 1 && key.Is("type");
    return absl::OkStatus();
  }
  absl::Status OnString(const JsonString& value) override {
    if (std::exchange(at_type_, false)) type = value.Decoded();
    return absl::OkStatus();
  }
  absl::Status OnScalar(std::string_view, size_t) override { return absl::OkStatus(); }
  absl::Status OnBegin(char) override {
    at_type_ = false;
    ++depth_;
    return absl::OkStatus();
  }
  absl::Status OnEnd() override {
    --depth_;
    return absl::OkStatus();
  }

  std::string type;

 private:
  int depth_ = 0;
  bool at_type_ = false;
};

// What both dialects share: holding back, passing on.
class PassTap : public Tap {
 public:
  PassTap(bool streaming, size_t most_whole_bytes, PassSink* sink)
      : most_whole_bytes_(streaming ? 0 : most_whole_bytes), sink_(sink) {}

  void OnHeaders(int http_status, const HttpHeaders& headers) override { sink_->OnAnswerHeaders(http_status, headers); }
  size_t most_whole_bytes() const override { return most_whole_bytes_; }

 protected:
  // Before output: kept until there is some.
  Verdict Hold(const SseEvent& event) {
    if (output_) return Pass(event);
    held_.push_back(EventText(event));
    held_bytes_ += held_.back().size();
    return held_bytes_ > kMostHeldBytes ? Release() : Of(EventClass::kBeforeOutput);
  }

  Verdict Pass(const SseEvent& event) {
    Release();
    sink_->OnPassed(EventText(event));
    return Of(EventClass::kOutput);
  }

  PassSink& sink() { return *sink_; }

 private:
  Verdict Release() {
    output_ = true;
    for (std::string& event : std::exchange(held_, {})) sink_->OnPassed(std::move(event));
    return Of(EventClass::kOutput);
  }

  const size_t most_whole_bytes_;
  PassSink* sink_;
  std::vector<std::string> held_;
  size_t held_bytes_ = 0;
  bool output_ = false;
};

class ResponsesPassTap final : public PassTap {
 public:
  using PassTap::PassTap;

  Verdict OnEvent(const SseEvent& event) override {
    if (event.data.empty() || event.data == "[DONE]") return {};
    TypeVisitor visitor;
    if (!ScanJson(event.data, visitor).ok()) return Broken("the upstream sent an event that is not JSON");
    const std::string& type = visitor.type.empty() ? event.type : visitor.type;
    if (type == "error" || event.type == "error") {
      return Failed(ClassifyStreamError(ReadErrorBody(std::string_view(event.data))));
    }
    if (type == "response.failed") return OnFailed(event);
    if (type == "response.completed" || type == "response.incomplete") return OnDone(event);
    return IsBeforeOutput(type) ? Hold(event) : Pass(event);
  }

  Verdict OnEndOfStream() override { return Broken("the upstream's stream ended without completion"); }

  std::optional<Verdict> OnWholeAnswer(std::string_view body) override {
    const auto answer = ParseJson(body);
    if (!answer || !answer->is_object()) return std::nullopt;
    const std::string_view status = FindText(&*answer, "status");
    const boost::json::value* error = Find(&*answer, "error");
    if (status == "failed" || (error != nullptr && error->is_object())) {
      return Failed(ClassifyStreamError(ReadErrorBody(*answer)));
    }
    if (FindText(&*answer, "object") != "response" && !Find(&*answer, "output")) return std::nullopt;
    Verdict verdict = Of(EventClass::kDone);
    verdict.usage = ReadUsage(Find(&*answer, "usage"));
    verdict.cut = IsCut(&*answer);
    sink().OnComplete(body, IdOf(&*answer));
    return verdict;
  }

 private:
  static bool IsCut(const boost::json::value* response) {
    return FindText(FindObject(response, "incomplete_details"), "reason") == "max_output_tokens";
  }

  static bool IsBeforeOutput(std::string_view type) {
    static constexpr std::string_view kTypes[] = {
        "response.created",
        "response.in_progress",
        "response.queued",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
        "keepalive",
    };
    return std::ranges::find(kTypes, type) != std::end(kTypes);
  }

  Verdict OnFailed(const SseEvent& event) {
    const auto value = ParseJson(event.data);
    if (!value) return Broken("the upstream sent an event that is nested too deeply");
    const boost::json::value* response = FindObject(&*value, "response");
    Verdict verdict = Failed(ClassifyStreamError(ReadErrorBody(response != nullptr ? *response : *value)));
    verdict.usage = ReadUsage(Find(response, "usage"));
    sink().OnFailedEvent(EventText(event));
    return verdict;
  }

  Verdict OnDone(const SseEvent& event) {
    const auto value = ParseJson(event.data);
    if (!value) return Broken("the upstream sent an event that is nested too deeply");
    const boost::json::value* response = FindObject(&*value, "response");
    const std::string_view status = FindText(response, "status");
    if (status == "failed" || status == "cancelled") return OnFailed(event);
    Pass(event);
    Verdict verdict = Of(EventClass::kDone);
    verdict.usage = ReadUsage(Find(response, "usage"));
    verdict.cut = IsCut(response);
    sink().OnComplete({}, IdOf(response));
    return verdict;
  }
};

class ChatPassTap final : public PassTap {
 public:
  using PassTap::PassTap;

  Verdict OnEvent(const SseEvent& event) override {
    if (event.data.empty()) return {};
    if (event.data == "[DONE]") {
      if (!answered_) return Broken("the upstream's stream ended without an answer");
      Pass(event);
      return Done();
    }
    const auto chunk = ParseJson(event.data);
    if (!chunk) return Broken("the upstream sent an event that is not JSON");
    if (event.type == "error" || IsError(*chunk)) return Failed(ClassifyStreamError(ReadErrorBody(*chunk)));
    if (const auto usage = ReadUsage(Find(&*chunk, "usage"))) usage_ = usage;
    Verdict verdict = SaysSomething(*chunk) || answered_ ? Pass(event) : Hold(event);
    answered_ = answered_ || verdict.cls == EventClass::kOutput;
    verdict.usage = usage_;
    return verdict;
  }

  Verdict OnEndOfStream() override {
    return finished_ ? Done() : Broken("the upstream's stream ended without completion");
  }

  std::optional<Verdict> OnWholeAnswer(std::string_view body) override {
    const auto answer = ParseJson(body);
    if (!answer || !answer->is_object()) return std::nullopt;
    if (IsError(*answer)) return Failed(ClassifyStreamError(ReadErrorBody(*answer)));
    if (Find(&*answer, "choices") == nullptr) return std::nullopt;
    Verdict verdict = Of(EventClass::kDone);
    verdict.usage = ReadUsage(Find(&*answer, "usage"));
    for (const boost::json::value& choice : FindArray(&*answer, "choices")) {
      verdict.cut = verdict.cut || FindText(&choice, "finish_reason") == "length";
    }
    sink().OnComplete(body, IdOf(&*answer));
    return verdict;
  }

 private:
  static bool IsError(const boost::json::value& chunk) {
    const boost::json::value* error = Find(&chunk, "error");
    return (error != nullptr && error->is_object()) || !Text(error).empty() || FindText(&chunk, "object") == "error";
  }

  // Anything but the role, which comes first.
  bool SaysSomething(const boost::json::value& chunk) {
    bool says = false;
    for (const boost::json::value& choice : FindArray(&chunk, "choices")) {
      const std::string_view reason = FindText(&choice, "finish_reason");
      if (!reason.empty()) says = finished_ = true;
      cut_ = cut_ || reason == "length";
      const boost::json::value* delta = FindObject(&choice, "delta");
      if (delta == nullptr) continue;
      for (const auto& [key, value] : delta->get_object()) {
        const bool empty = value.is_null() || (value.is_string() && value.get_string().empty()) ||
                           (value.is_array() && value.get_array().empty());
        if (key != "role" && !empty) says = true;
      }
    }
    return says;
  }

  Verdict Done() {
    Verdict verdict = Of(EventClass::kDone);
    verdict.usage = usage_;
    verdict.cut = cut_;
    sink().OnComplete({}, {});
    return verdict;
  }

  std::optional<TokenUsage> usage_;
  bool answered_ = false;
  bool finished_ = false;
  bool cut_ = false;
};

// Other APIs: nothing is known of what they answer.
class OtherPassTap final : public PassTap {
 public:
  using PassTap::PassTap;

  Verdict OnEvent(const SseEvent& event) override {
    if (event.type == "error") return Failed(ClassifyStreamError(ReadErrorBody(std::string_view(event.data))));
    return Pass(event);
  }
  Verdict OnEndOfStream() override {
    sink().OnComplete({}, {});
    return Of(EventClass::kDone);
  }
  std::optional<Verdict> OnWholeAnswer(std::string_view body) override {
    sink().OnComplete(body, {});
    return Of(EventClass::kDone);
  }
};

}  // namespace

std::unique_ptr<Tap> NewPassTap(Api api, bool streaming, size_t most_whole_bytes, PassSink* sink) {
  switch (api) {
    case Api::kResponses:
      return std::make_unique<ResponsesPassTap>(streaming, most_whole_bytes, sink);
    case Api::kChat:
      return std::make_unique<ChatPassTap>(streaming, most_whole_bytes, sink);
    case Api::kOther:
      break;
  }
  return std::make_unique<OtherPassTap>(false, most_whole_bytes, sink);
}

std::string EventText(const SseEvent& event) {
  std::string text;
  text.reserve(event.type.size() + event.data.size() + 24);
  if (!event.type.empty()) text.append("event: ").append(event.type).append("\n");
  std::string_view rest = event.data;
  while (true) {
    const size_t end = rest.find('\n');
    text.append("data: ").append(rest.substr(0, end)).append("\n");
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return text.append("\n");
}

}  // namespace holdfast::quota
