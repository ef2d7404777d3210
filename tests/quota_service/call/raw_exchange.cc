#include "tests/quota_service/call/raw_exchange.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "quota_service/provider/error_body.h"
#include "quota_service/provider/error_class.h"

namespace holdfast::quota {
namespace {

std::string BytesOf(const SseEvent& event) { return "event: " + event.type + "\ndata: " + event.data + "\n\n"; }

}  // namespace

class RawExchange::RawTap final : public Tap {
 public:
  explicit RawTap(std::string& passed_on) : passed_on_(passed_on) {}

  Verdict OnEvent(const SseEvent& event) override {
    Verdict verdict;
    boost::json::error_code error;
    const boost::json::value data = boost::json::parse(event.data, error);
    if (error || !data.is_object()) return Broken("an event that is not JSON");
    if (event.type == "response.failed" || event.type == "error") {
      const bool nested = event.type == "response.failed";
      const ErrorBody body = ReadErrorBody(nested ? data.as_object().at("response") : data);
      verdict.cls = EventClass::kFailed;
      verdict.failure = ClassifyStreamError(body);
      return verdict;
    }
    held_ += BytesOf(event);
    if (event.type == "response.created" || event.type == "response.in_progress") return verdict;
    passed_on_ += std::exchange(held_, {});
    verdict.cls = event.type == "response.completed" ? EventClass::kDone : EventClass::kOutput;
    return verdict;
  }
  Verdict OnEndOfStream() override { return Broken("the stream ended without completion"); }

 private:
  static Verdict Broken(std::string message) {
    Verdict verdict;
    verdict.cls = EventClass::kFailed;
    verdict.failure = UpstreamFailure{};
    verdict.failure->message = std::move(message);
    return verdict;
  }

  std::string& passed_on_;
  std::string held_;
};

std::unique_ptr<Tap> RawExchange::NewTap(const Route&) { return std::make_unique<RawTap>(passed_on_); }

}  // namespace holdfast::quota
