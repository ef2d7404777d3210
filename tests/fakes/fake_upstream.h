#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/loop.h"
#include "quota_service/upstream/upstream_client.h"

namespace holdfast::quota {

// What an upstream does with one request, step by step. After the last step it is silent for ever.
class Script {
 public:
  // Time that passes before the next step.
  Script& After(Duration delay);
  Script& Headers(int http_status, HttpHeaders headers);
  Script& Body(std::string bytes);
  // The answer ends as HTTP says it should.
  Script& End();
  // The connection breaks, or cannot be made.
  Script& Break(std::string message);
  // The whole request has gone out.
  Script& Sent();
  // The request cannot be sent as it is.
  Script& Refuse(std::string message);

  // A 200 that begins a stream of events; `headers` beside its content type.
  static Script Stream(HttpHeaders headers = {});
  // A whole answer that is no stream.
  static Script Answer(int http_status, std::string body, HttpHeaders headers = {});

 private:
  friend class FakeUpstream;
  struct Step {
    Duration after{};
    std::function<void(UpstreamListener&)> act;  // empty: Sent
  };
  void Add(std::function<void(UpstreamListener&)> act);

  Duration delay_{};
  std::vector<Step> steps_;
};

// An upstream that answers from scripts, on a loop's timers. Keeps to UpstreamClient's word: no callback inside Start,
// none after an exchange was destroyed.
class FakeUpstream final : public UpstreamClient {
 public:
  struct Seen {
    UpstreamRequest request;
    BootTime at;
    bool open = true;  // its exchange exists
    bool paused = false;
    BootTime closed{};  // when it was destroyed
  };

  explicit FakeUpstream(Loop& loop) : loop_(loop) {}

  // Scripts are used in order, one for each request; when there are none, `otherwise` makes them.
  void Push(Script script) { scripts_.push_back(std::move(script)); }
  void set_otherwise(std::function<Script()> otherwise) { otherwise_ = std::move(otherwise); }

  const std::vector<Seen>& seen() const { return seen_; }
  size_t open() const;

  std::unique_ptr<UpstreamExchange> Start(UpstreamRequest request, UpstreamListener* listener) override;

 private:
  class Exchange;

  Loop& loop_;
  std::deque<Script> scripts_;
  std::function<Script()> otherwise_ = [] { return std::move(Script().Break("the test has no script for this")); };
  std::vector<Seen> seen_;
};

}  // namespace holdfast::quota
