#include "quota_service/upstream/name_resolver.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <string>

#include "tests/quota_service/upstream/client_test_base.h"

namespace holdfast::quota {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

boost::asio::ip::address At(const char* address) { return boost::asio::ip::make_address(address); }

// "hangs" is not found before it is released, "unknown" not at all, every other name at 127.0.0.2.
class NameResolverTest : public ClientTestBase {
 protected:
  ~NameResolverTest() override { Release(); }

  void Release() {
    if (!released_) release_.set_value();
    released_ = true;
  }

  NameResolver::Addresses LookUp(const std::string& name) {
    ++lookups_;
    if (name == "hangs") release_.get_future().wait();
    if (name == "unknown") return {};
    return {At("127.0.0.2")};
  }

  // Null until it is told.
  std::shared_ptr<std::optional<NameResolver::Addresses>> Ask(const std::string& name) {
    auto told = std::make_shared<std::optional<NameResolver::Addresses>>();
    resolver_.LookUp(name, [told](const auto& addresses) { *told = addresses; });
    EXPECT_FALSE(*told) << "told from inside LookUp";
    return told;
  }

  BootTime now_{};
  std::atomic<int> lookups_ = 0;
  std::promise<void> release_;
  bool released_ = false;
  NameResolver resolver_{
      context_, {.look_up = [this](const std::string& name) { return LookUp(name); }, .now = [this] { return now_; }}};
};

TEST_F(NameResolverTest, NumericAddressesAreNotLookedUp) {
  EXPECT_THAT(*resolver_.Known("127.0.0.1"), ElementsAre(At("127.0.0.1")));
  EXPECT_EQ(lookups_, 0);
}

TEST_F(NameResolverTest, WhatWasFoundIsKnownForAMinute) {
  EXPECT_FALSE(resolver_.Known("vllm"));
  const auto told = Ask("vllm");
  RunUntil([&] { return told->has_value(); });
  EXPECT_THAT(**told, ElementsAre(At("127.0.0.2")));
  now_ += seconds(59);
  EXPECT_THAT(*resolver_.Known("vllm"), ElementsAre(At("127.0.0.2")));
  now_ += seconds(1);
  EXPECT_FALSE(resolver_.Known("vllm"));
}

TEST_F(NameResolverTest, AnUnknownNameIsNotRemembered) {
  const auto told = Ask("unknown");
  RunUntil([&] { return told->has_value(); });
  EXPECT_THAT(**told, IsEmpty());
  EXPECT_FALSE(resolver_.Known("unknown"));
}

TEST_F(NameResolverTest, WhatIsForgottenIsLookedUpAnew) {
  const auto told = Ask("vllm");
  RunUntil([&] { return told->has_value(); });
  resolver_.Forget("vllm");
  resolver_.Forget("never asked for");
  EXPECT_FALSE(resolver_.Known("vllm"));
}

TEST_F(NameResolverTest, WhoAsksMeanwhileWaitsForTheSameLookup) {
  const auto first = Ask("hangs");
  const auto second = Ask("hangs");
  Release();
  RunUntil([&] { return first->has_value() && second->has_value(); });
  EXPECT_THAT(**second, ElementsAre(At("127.0.0.2")));
  EXPECT_EQ(lookups_, 1);
}

TEST_F(NameResolverTest, ANameWhoseLookupHangsHoldsUpNoOther) {
  const auto hung = Ask("hangs");
  for (const char* name : {"a", "b", "c"}) {
    const auto told = Ask(name);
    RunUntil([&] { return told->has_value(); });
  }
  EXPECT_FALSE(*hung);
  Release();
  RunUntil([&] { return hung->has_value(); });
}

TEST_F(NameResolverTest, FindsTheNameThatEveryMachineHas) {
  NameResolver resolver(context_);
  NameResolver::Addresses found;
  resolver.LookUp("localhost", [&](const auto& addresses) { found = addresses; });
  RunUntil([&] { return !found.empty(); });
  EXPECT_TRUE(found.front().is_loopback());
}

}  // namespace
}  // namespace holdfast::quota
