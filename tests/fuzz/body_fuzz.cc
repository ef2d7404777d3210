// Bodies of requests at the front door. What Boost.JSON takes for JSON we do too, and the other way round, but for
// escapes that are half a surrogate pair; what is read of a body is what it says; a splice changes nothing else.
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "common/base/utf8.h"
#include "quota_service/frontdoor/request/json_scanner.h"
#include "quota_service/frontdoor/request/request_scan.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::quota {
namespace {

namespace json = boost::json;
using fuzz::Check;

class Counter final : public JsonVisitor {
 public:
  absl::Status OnKey(const JsonString& key) override { return Look(key); }
  absl::Status OnString(const JsonString& value) override { return Look(value); }
  absl::Status OnScalar(std::string_view text, size_t) override {
    Check(!text.empty(), "a scalar has text");
    return absl::OkStatus();
  }
  absl::Status OnBegin(char) override {
    ++depth;
    return absl::OkStatus();
  }
  absl::Status OnEnd() override {
    Check(--depth >= 0, "what ends has begun");
    return absl::OkStatus();
  }
  int depth = 0;

 private:
  static absl::Status Look(const JsonString& string) {
    const std::string decoded = string.Decoded();
    Check(IsValidUtf8(decoded), "a decoded string is UTF-8");
    Check(CountCodePoints(decoded) == string.characters, "its characters are counted");
    return absl::OkStatus();
  }
};

bool MayHaveLoneSurrogate(std::string_view body) { return body.find("\\u") != std::string_view::npos; }

void Test(fuzz::Input input) {
  const Api api = input.Byte() % 2 == 0 ? Api::kResponses : Api::kChat;
  const std::string_view body = input.Rest();
  Counter counter;
  const bool ours = ScanJson(body, counter).ok();
  Check(!ours || counter.depth == 0, "what has begun ends");

  json::parse_options options;
  options.max_depth = kMostJsonDepth;
  json::error_code error;
  const json::value value = json::parse(json::string_view(body.data(), body.size()), error, {}, options);
  Check(!error.failed() ? ours : !ours || MayHaveLoneSurrogate(body) || error == json::error::exponent_overflow,
        "we and Boost.JSON agree on what is JSON");

  const auto scanned = ScanRequest(api, body);
  if (!scanned.ok()) return;
  Check(ours, "a request is JSON");
  Check(scanned->prompt_characters >= 0 && scanned->prompt_characters <= static_cast<int64_t>(body.size()),
        "no more characters than bytes");
  size_t at = 0;
  for (const ByteRange& gap : scanned->not_text) {
    Check(gap.begin >= at && gap.end > gap.begin + 1 && gap.end <= body.size(), "what is no text is in order");
    Check(body[gap.begin] == '"' && body[gap.end - 1] == '"', "and whole strings");
    at = gap.end;
  }
  Check(ProfileBodyText(body, *scanned).bytes <= static_cast<int64_t>(body.size()), "text is no more than the body");
  const ImageTokens images = scanned->images.TokensBy(FindImageRule("gpt-4o"));
  Check(images.expected >= 0 && images.expected <= images.most, "images take what they are expected to, or more");
  if (!scanned->model) return;
  const std::string spliced =
      ApplySplices(body, {{scanned->model->begin, scanned->model->end, JsonQuoted("other \"name\"")}});
  const auto again = ScanRequest(api, spliced);
  Check(again.ok() && again->model && again->model->value == "other \"name\"", "a splice replaces the model");
  Check(again->prompt_characters == scanned->prompt_characters && again->stream == scanned->stream,
        "a splice changes nothing else");
  Check(again->images.TokensBy(FindImageRule("gpt-4o")).most == images.most, "nor the images");
  if (error.failed()) return;
  Check(value.as_object().at("model").as_string() == scanned->model->value, "the model is what the body says");
}

}  // namespace
}  // namespace holdfast::quota

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::quota::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
