#include "quota_service/frontdoor/request/request_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "quota_service/frontdoor/request/image_part.h"
#include "quota_service/frontdoor/request/json_scanner.h"

namespace holdfast::quota {
namespace {

// Values that name something are short; what is longer names nothing that we know.
constexpr size_t kMostNameBytes = 1024;
// Shorter URLs stay in the text, so that the list of longer ones is short beside the body.
constexpr size_t kLeastNotText = 256;

// What a container holds, as far as characters and images are counted in it.
enum class Place {
  kOther,
  kRoot,
  kItems,     // the conversation
  kItem,      // one message, call or result of it
  kContent,   // the parts of a message's content or of a result's output
  kPart,      // one of them
  kImageUrl,  // the object that its image_url is
  kShot,      // a result's output that is one image
  kCalls,     // a chat message's tool calls
  kCall,      // one of them
  kFunction,  // its function
};

class RequestVisitor final : public JsonVisitor {
 public:
  explicit RequestVisitor(Api api) : api_(api) {}

  ScannedRequest Take() { return std::move(request_); }

  absl::Status OnKey(const JsonString& key) override {
    key_ = key;
    if (places_.size() != 1) return absl::OkStatus();
    field_ = FieldOf(key);
    if (field_ != nullptr && !seen_.insert(field_).second) {
      return absl::InvalidArgumentError(fmt::format("{}: is there twice; send it once", field_->name));
    }
    return absl::OkStatus();
  }

  absl::Status OnString(const JsonString& value) override {
    if (places_.empty()) return NoObject();
    Count(value);
    if (places_.back() == Place::kRoot && field_ != nullptr) return (this->*field_->on_string)(value);
    return absl::OkStatus();
  }

  absl::Status OnScalar(std::string_view text, size_t begin) override {
    if (places_.empty()) return NoObject();
    if (places_.back() == Place::kRoot && field_ != nullptr && text != "null") {
      return (this->*field_->on_scalar)(text, begin);
    }
    return absl::OkStatus();
  }

  absl::Status OnBegin(char bracket) override {
    if (places_.empty()) {
      if (bracket != '{') return NoObject();
      places_.push_back(Place::kRoot);
      return absl::OkStatus();
    }
    if (places_.back() == Place::kRoot && field_ != nullptr) return WrongType();
    const Place place = Enter(places_.back(), bracket);
    if (place == Place::kItem) item_ = Item();
    if (place == Place::kPart || place == Place::kShot) image_ = ImagePart();
    if (place == Place::kContent) in_output_ = key_.Is("output");
    places_.push_back(place);
    return absl::OkStatus();
  }

  absl::Status OnEnd() override {
    const Place place = places_.back();
    if (place == Place::kItem) request_.prompt_characters += item_.Counted(api_);
    if ((place == Place::kPart || place == Place::kShot) && image_.is_image()) AddImage();
    places_.pop_back();
    return absl::OkStatus();
  }

 private:
  // A member of the outermost object that is read.
  struct Field {
    std::string_view name;
    absl::Status (RequestVisitor::*on_string)(const JsonString&);
    absl::Status (RequestVisitor::*on_scalar)(std::string_view, size_t);
    std::string_view wants;
  };

  // Characters of one item; which of them count depends on its type, which may come last.
  struct Item {
    std::string type;
    int64_t content = 0;
    int64_t arguments = 0;
    int64_t output = 0;

    int64_t Counted(Api api) const {
      if (api == Api::kChat || type.empty() || type == "message") return content + arguments;
      return arguments + (type.ends_with("_output") ? output : 0);
    }
  };

  static absl::Status NoObject() { return absl::InvalidArgumentError("the body must be a JSON object"); }
  absl::Status WrongType() const {
    return absl::InvalidArgumentError(fmt::format("{}: must be {}", field_->name, field_->wants));
  }

  const Field* FieldOf(const JsonString& key) const;

  absl::Status Model(const JsonString& value) {
    request_.model = BodyField<std::string>{value.Decoded(), value.begin, value.end()};
    return absl::OkStatus();
  }
  template <std::string ScannedRequest::*kMember>
  absl::Status Name(const JsonString& value) {
    if (value.raw.size() <= kMostNameBytes) request_.*kMember = value.Decoded();
    return absl::OkStatus();
  }
  absl::Status Stream(std::string_view text, size_t) {
    if (text != "true" && text != "false") return WrongType();
    request_.stream = text == "true";
    return absl::OkStatus();
  }
  absl::Status Store(std::string_view text, size_t) {
    request_.store = text != "false";
    return absl::OkStatus();
  }
  absl::Status Anything(const JsonString&) { return absl::OkStatus(); }
  template <std::optional<BodyField<int64_t>> ScannedRequest::*kMember>
  absl::Status Cap(std::string_view text, size_t begin) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) return WrongType();
    request_.*kMember = BodyField<int64_t>{value, begin, begin + text.size()};
    return absl::OkStatus();
  }
  absl::Status NoString(const JsonString&) { return WrongType(); }
  absl::Status NoScalar(std::string_view, size_t) { return WrongType(); }

  Place Enter(Place around, char bracket) const {
    const bool object = bracket == '{';
    switch (around) {
      case Place::kRoot:
        return !object && key_.Is(api_ == Api::kResponses ? "input" : "messages") ? Place::kItems : Place::kOther;
      case Place::kItems:
        return object ? Place::kItem : Place::kOther;
      case Place::kItem:
        if (object && api_ == Api::kResponses) return key_.Is("output") ? Place::kShot : Place::kOther;
        if (object) return key_.Is("function_call") ? Place::kFunction : Place::kOther;
        if (key_.Is("content") || (api_ == Api::kResponses && key_.Is("output"))) return Place::kContent;
        return api_ == Api::kChat && key_.Is("tool_calls") ? Place::kCalls : Place::kOther;
      case Place::kContent:
        return object ? Place::kPart : Place::kOther;
      case Place::kCalls:
        return object ? Place::kCall : Place::kOther;
      case Place::kCall:
        return object && key_.Is("function") ? Place::kFunction : Place::kOther;
      case Place::kPart:
        return object && key_.Is("image_url") ? Place::kImageUrl : Place::kOther;
      case Place::kImageUrl:
      case Place::kShot:
      case Place::kFunction:
      case Place::kOther:
        break;
    }
    return Place::kOther;
  }

  void Count(const JsonString& value) {
    if (api_ == Api::kOther) return;
    switch (places_.back()) {
      case Place::kRoot:
        if (api_ == Api::kResponses && (key_.Is("instructions") || key_.Is("input"))) {
          request_.prompt_characters += value.characters;
        }
        return;
      case Place::kItem:
        if (key_.Is("type")) {
          if (value.raw.size() <= kMostNameBytes) item_.type = value.Decoded();
        } else if (key_.Is("content") || key_.Is("refusal")) {
          item_.content += value.characters;
        } else if (api_ == Api::kResponses && (key_.Is("arguments") || key_.Is("input"))) {
          item_.arguments += value.characters;
        } else if (api_ == Api::kResponses && key_.Is("output")) {
          item_.output += value.characters;
        }
        return;
      case Place::kPart:
        if (key_.Is("text") || key_.Is("refusal")) {
          (in_output_ ? item_.output : item_.content) += value.characters;
        } else {
          image_.OnMember(key_, value);
        }
        return;
      case Place::kImageUrl:
        image_.OnUrlMember(key_, value);
        return;
      case Place::kShot:
        image_.OnMember(key_, value);
        return;
      case Place::kFunction:
        if (key_.Is("arguments")) item_.arguments += value.characters;
        return;
      default:
        return;
    }
  }

  void AddImage() {
    request_.images.Add(request_.images.has_room() ? image_.Read() : PromptImage());
    const JsonString* const url = image_.url();
    if (url != nullptr && url->raw.size() >= kLeastNotText) request_.not_text.push_back({url->begin, url->end()});
  }

  const Api api_;
  ScannedRequest request_;
  std::vector<Place> places_;
  JsonString key_;                // the newest
  const Field* field_ = nullptr;  // of the outermost object's newest key
  std::set<const Field*> seen_;
  Item item_;
  ImagePart image_;         // the newest part
  bool in_output_ = false;  // the parts are those of a result
};

const RequestVisitor::Field* RequestVisitor::FieldOf(const JsonString& key) const {
  using V = RequestVisitor;
  using R = ScannedRequest;
  static constexpr std::string_view kText = "a string";
  static constexpr std::string_view kCount = "a whole number, not negative";
  static const Field kFields[] = {
      {"model", &V::Model, &V::NoScalar, kText},
      {"stream", &V::NoString, &V::Stream, "true or false"},
      {"max_output_tokens", &V::NoString, &V::Cap<&R::max_output_tokens>, kCount},
      {"max_completion_tokens", &V::NoString, &V::Cap<&R::max_completion_tokens>, kCount},
      {"max_tokens", &V::NoString, &V::Cap<&R::max_tokens>, kCount},
      {"prompt_cache_key", &V::Name<&R::prompt_cache_key>, &V::NoScalar, kText},
      {"user", &V::Name<&R::user>, &V::NoScalar, kText},
      {"previous_response_id", &V::Name<&R::previous_response_id>, &V::NoScalar, kText},
      {"store", &V::Anything, &V::Store, "true or false"},
  };
  // What other APIs call by these names is theirs.
  const size_t known = api_ == Api::kOther ? 2 : std::size(kFields);
  const Field* const end = kFields + known;
  const Field* const found = std::find_if(kFields + 0, end, [&](const Field& field) { return key.Is(field.name); });
  return found == end ? nullptr : found;
}

}  // namespace

int64_t ScannedRequest::output_cap() const {
  int64_t cap = 0;
  for (const auto* field : {&max_output_tokens, &max_completion_tokens, &max_tokens}) {
    if (*field) cap = std::max(cap, (*field)->value);
  }
  return cap;
}

absl::StatusOr<ScannedRequest> ScanRequest(Api api, std::string_view body) {
  RequestVisitor visitor(api);
  if (absl::Status status = ScanJson(body, visitor); !status.ok()) return status;
  return visitor.Take();
}

TextProfile ProfileBodyText(std::string_view body, const ScannedRequest& scanned) {
  TextProfile text;
  size_t at = 0;
  for (const ByteRange& gap : scanned.not_text) {
    text.Add(ProfileText(body.substr(at, gap.begin - at)));
    at = gap.end;
  }
  text.Add(ProfileText(body.substr(at)));
  return text;
}

std::string ApplySplices(std::string_view body, const std::vector<Splice>& splices) {
  std::string spliced;
  size_t size = body.size();
  for (const Splice& splice : splices) size += splice.text.size();
  spliced.reserve(size);
  size_t at = 0;
  for (const Splice& splice : splices) {
    spliced.append(body.substr(at, splice.begin - at)).append(splice.text);
    at = splice.end;
  }
  spliced.append(body.substr(at));
  return spliced;
}

std::string JsonQuoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted.push_back('\\');
      quoted.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      quoted.push_back(c);
    }
  }
  return quoted.append("\"");
}

}  // namespace holdfast::quota
