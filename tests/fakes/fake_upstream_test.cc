#include "tests/fakes/fake_upstream.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/fakes/simulated_loop.h"

namespace holdfast::quota {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class Listener final : public UpstreamListener {
 public:
  void OnHeaders(int http_status, const HttpHeaders&) override { heard.push_back(std::to_string(http_status)); }
  void OnBody(std::string_view bytes) override {
    heard.emplace_back(bytes);
    if (bytes == "stop") exchange.reset();
  }
  void OnDone(absl::Status status) override { heard.push_back(status.ok() ? "end" : "broken"); }

  std::vector<std::string> heard;
  std::unique_ptr<UpstreamExchange> exchange;
};

TEST(FakeUpstream, PlaysEachStepAtItsTimeAndNoneInsideStart) {
  SimulatedLoop loop;
  FakeUpstream upstream(loop);
  upstream.Push(Script::Stream().After(seconds(2)).Body("a").After(seconds(3)).End());
  Listener listener;
  listener.exchange = upstream.Start({}, &listener);
  EXPECT_THAT(listener.heard, IsEmpty());
  loop.Advance(seconds(1));
  EXPECT_THAT(listener.heard, ElementsAre("200"));
  loop.Advance(seconds(1));
  EXPECT_THAT(listener.heard, ElementsAre("200", "a"));
  loop.Advance(seconds(3));
  EXPECT_THAT(listener.heard, ElementsAre("200", "a", "end"));
}

TEST(FakeUpstream, IsSilentOnceItsExchangeIsDestroyedAlsoInsideACallback) {
  SimulatedLoop loop;
  FakeUpstream upstream(loop);
  upstream.Push(Script::Stream().Body("stop").Body("late").Break("gone"));
  Listener listener;
  listener.exchange = upstream.Start({}, &listener);
  EXPECT_EQ(upstream.open(), 1u);
  loop.Advance(seconds(1));
  EXPECT_THAT(listener.heard, ElementsAre("200", "stop"));
  EXPECT_EQ(upstream.open(), 0u);
}

TEST(FakeUpstream, BreaksWhatItHasNoScriptFor) {
  SimulatedLoop loop;
  FakeUpstream upstream(loop);
  Listener listener;
  listener.exchange = upstream.Start({}, &listener);
  loop.Advance(seconds(0));
  EXPECT_THAT(listener.heard, ElementsAre("broken"));
}

}  // namespace
}  // namespace holdfast::quota
