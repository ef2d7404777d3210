#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

std::vector<LimitGroupOptions> GroupsOf(const Limits& limits) {
  LimitGroupOptions group;
  group.name = kGroup;
  if (limits.tokens_per_minute > 0) group.limits.push_back({.count = limits.tokens_per_minute});
  if (limits.concurrent > 0) group.concurrent = limits.concurrent;
  return {group};
}

}  // namespace

CallRig::CallRig(Limits limits, Duration delay) : ledger_delay(delay), ledger(loop, GroupsOf(limits), delay) {
  account.name = "acme";
  account.base_url = "https://acme.test/v1";
  account.profile = "openai";
  account.dialect = "responses";
  account.api_key = "key-of-acme";
  account.stall_timeout = std::chrono::seconds(60);
}

void CallRig::Learn(int64_t limit, int64_t remaining) {
  TestCall teacher(*this, Wire::kRawResponses, {.call_id = "teacher", .charge = 0});
  upstream.Push(Script::Stream({{"x-ratelimit-limit-tokens", std::to_string(limit)},
                                {"x-ratelimit-remaining-tokens", std::to_string(remaining)}})
                    .Body(StreamText(Wire::kRawResponses).Answer("taught"))
                    .End());
  teacher.Start();
  loop.Advance(ledger_delay);
  ASSERT_TRUE(teacher.completed());
  observer = {};
}

GroupState CallRig::State() {
  GroupState state;
  ledger.GetGroups([&](std::vector<GroupState> groups) { state = groups.at(0); });
  loop.Advance(ledger_delay);
  return state;
}

int64_t CallRig::Remaining() { return State().levels.at(0).remaining; }

Envelope MakeEnvelope(const Account& account, const TestCall::Ask& ask) {
  Envelope envelope;
  envelope.tenant = ask.tenant;
  envelope.call_id = ask.call_id;
  envelope.session = ask.session;
  envelope.model = "gpt";
  envelope.digest = "digest";
  envelope.route = {std::make_shared<Account>(account), "gpt-upstream", kGroup};
  envelope.charge = ask.charge;
  envelope.appraisal = ask.appraisal;
  envelope.max_wait = ask.max_wait;
  return envelope;
}

v1::GenerateRequest MakeRequest() {
  v1::GenerateRequest request;
  request.set_model("gpt");
  v1::Message* message = request.add_items()->mutable_message();
  message->set_role(v1::ROLE_USER);
  message->add_parts()->set_text("Say hello.");
  return request;
}

TestCall::TestCall(CallRig& rig, Wire wire, const Ask& ask) {
  Exchange* inner = nullptr;
  if (wire == Wire::kRawResponses) {
    raw = std::make_unique<RawExchange>(R"({"input":"Say hello.","stream":true})");
    inner = raw.get();
  } else {
    const Dialect& dialect = *FindDialect(wire == Wire::kTypedChat ? "chat" : "responses");
    typed = std::make_unique<TypedExchange>(ask.request.value_or(MakeRequest()), dialect, "incarnation-1");
    inner = typed.get();
  }
  spy = std::make_unique<SpyExchange>(*inner);
  call = std::make_unique<Call>(rig.services(), MakeEnvelope(rig.account, ask), spy.get());
}

std::string TestCall::Text() const {
  if (raw) {
    // Deltas are what the answer is made of; what ends it repeats them.
    std::string text;
    const std::string& bytes = raw->passed_on();
    constexpr std::string_view kDelta = "\"delta\":\"";
    for (size_t at = bytes.find(kDelta); at != std::string::npos; at = bytes.find(kDelta, at + 1)) {
      const size_t begin = at + kDelta.size();
      text += bytes.substr(begin, bytes.find('"', begin) - begin);
    }
    return text;
  }
  std::string text;
  int64_t cursor = 0;
  while (const v1::GenerateEvent* event = typed->history().After(cursor)) {
    cursor = event->event();
    text += event->delta().text();
    for (const v1::Part& part : event->item().message().parts()) text += part.text();
  }
  return text;
}

std::string WireName(const testing::TestParamInfo<Wire>& info) {
  switch (info.param) {
    case Wire::kTypedResponses:
      return "TypedResponses";
    case Wire::kTypedChat:
      return "TypedChat";
    case Wire::kRawResponses:
      return "RawResponses";
  }
  return "";
}

}  // namespace holdfast::quota
