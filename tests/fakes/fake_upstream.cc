#include "tests/fakes/fake_upstream.h"

#include <algorithm>
#include <utility>

namespace holdfast::quota {

Script& Script::After(Duration delay) {
  delay_ += delay;
  return *this;
}

void Script::Add(std::function<void(UpstreamListener&)> act) {
  steps_.push_back({std::exchange(delay_, Duration::zero()), std::move(act)});
}

Script& Script::Headers(int http_status, HttpHeaders headers) {
  Add([http_status, headers = std::move(headers)](UpstreamListener& listener) {
    listener.OnHeaders(http_status, headers);
  });
  return *this;
}

Script& Script::Body(std::string bytes) {
  Add([bytes = std::move(bytes)](UpstreamListener& listener) { listener.OnBody(bytes); });
  return *this;
}

Script& Script::End() {
  Add([](UpstreamListener& listener) { listener.OnDone(absl::OkStatus()); });
  return *this;
}

Script& Script::Break(std::string message) {
  Add([message = std::move(message)](UpstreamListener& listener) { listener.OnDone(absl::UnavailableError(message)); });
  return *this;
}

Script& Script::Sent() {
  Add(nullptr);
  return *this;
}

Script& Script::Refuse(std::string message) {
  Add([message = std::move(message)](UpstreamListener& listener) {
    listener.OnDone(absl::InvalidArgumentError(message));
  });
  return *this;
}

Script Script::Stream(HttpHeaders headers) {
  headers.emplace_back("content-type", "text/event-stream; charset=utf-8");
  Script script;
  script.Headers(200, std::move(headers));
  return script;
}

Script Script::Answer(int http_status, std::string body, HttpHeaders headers) {
  headers.emplace_back("content-type", "application/json");
  Script script;
  script.Headers(http_status, std::move(headers)).Body(std::move(body)).End();
  return script;
}

class FakeUpstream::Exchange final : public UpstreamExchange {
 public:
  Exchange(FakeUpstream& upstream, size_t number, Script script, UpstreamListener* listener)
      : upstream_(upstream),
        number_(number),
        script_(std::move(script)),
        listener_(listener),
        timer_(upstream.loop_.NewTimer()) {
    Arm();
  }
  ~Exchange() override {
    upstream_.seen_[number_].open = false;
    upstream_.seen_[number_].closed = upstream_.loop_.Now();
  }
  bool sent() const override { return sent_; }
  void SetPaused(bool paused) override {
    upstream_.seen_[number_].paused = paused;
    timer_->Disarm();
    if (!paused) Arm();
  }

 private:
  void Arm() {
    if (next_ == script_.steps_.size() || upstream_.seen_[number_].paused) return;
    timer_->ArmAt(upstream_.loop_.Now() + script_.steps_[next_].after, [this] {
      // The listener may destroy this exchange, so everything else comes first and the step stands on its own.
      const auto act = std::move(script_.steps_[next_++].act);
      UpstreamListener& listener = *listener_;
      if (!act) sent_ = true;
      Arm();
      if (act) act(listener);
    });
  }

  FakeUpstream& upstream_;
  size_t number_;
  Script script_;
  UpstreamListener* listener_;
  std::unique_ptr<Loop::Timer> timer_;
  size_t next_ = 0;
  bool sent_ = false;
};

size_t FakeUpstream::open() const {
  return static_cast<size_t>(std::count_if(seen_.begin(), seen_.end(), [](const Seen& one) { return one.open; }));
}

std::unique_ptr<UpstreamExchange> FakeUpstream::Start(UpstreamRequest request, UpstreamListener* listener) {
  Script script = scripts_.empty() ? otherwise_() : std::move(scripts_.front());
  if (!scripts_.empty()) scripts_.pop_front();
  seen_.push_back({std::move(request), loop_.Now()});
  return std::make_unique<Exchange>(*this, seen_.size() - 1, std::move(script), listener);
}

}  // namespace holdfast::quota
