// Calls and turns by the thousand, one in ten of them spoilt by the upstream: neither service grows.
//
// HOLDFAST_ENDURANCE_CALLS says how many calls; scripts/endurance.sh runs the long one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "common/rpc/channel.h"
#include "holdfast/agent/v1/agent.grpc.pb.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "tests/e2e/pair.h"
#include "tests/e2e/process_samples.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::test {
namespace {

constexpr int kWorkers = 64;
constexpr int64_t kFewestInRound = 100;
constexpr int64_t kFewestRounds = 8;
constexpr int64_t kMostRounds = 40;
constexpr int kFaultEvery = 10;
constexpr int kTurnEvery = 10;      // the others are typed calls to quota_service itself
constexpr int kTurnsOfSession = 5;  // then another session is begun
constexpr int64_t kSlack = 16;      // descriptors and threads that come and go with connections kept open
constexpr std::chrono::seconds kDeadline(60);

int64_t Calls() {
  const char* text = std::getenv("HOLDFAST_ENDURANCE_CALLS");
  return text == nullptr ? 1000 : std::max(std::atoll(text), static_cast<long long>(kFewestRounds));
}

// One after the other; none of them reaches the caller.
constexpr std::array kFaults = {
    R"({"fault": "429", "seconds": 0.05})",
    R"({"fault": "503"})",
    R"({"fault": "cut_before_headers"})",
    R"({"fault": "cut", "after_events": 3})",
    R"({"fault": "stream_429", "seconds": 0.05})",
    R"({"fault": "overloaded"})",
    R"({"fault": "silence", "after_events": 2})",
    R"({"fault": "end_without_completed"})",
    R"({"fault": "garbage"})",
    R"({"fault": "garbage_body"})",
};

class Endurance : public testing::Test {
 protected:
  void SetUp() override {
    // A refusal names its limit, and we keep to it from then on: one that does not set the pace.
    simulator_.control().SetScript(R"({"limits": {"tokens": {"limit": 1000000000}},
        "default": {"text": "An answer of some words, in pieces.", "chunks": 6}})");
    const std::string config = folder_.Write("quota.yaml", fmt::format(R"(
upstreams:
  - {{name: responses, base_url: "{0}", profile: openai, stall_timeout: 1s}}
  - {{name: chat, base_url: "{0}", dialect: chat, stall_timeout: 1s}}
models:
  - {{name: responses-model, upstreams: [responses]}}
  - {{name: chat-model, upstreams: [chat]}}
bounds: {{finished_calls: 1MiB}}
)",
                                                                       simulator_.url()));
    quota_ = std::make_unique<Process>(
        std::vector<std::string>{Program("quota_service"), "--config", config, "--grpc", "127.0.0.1:0", "--http",
                                 "127.0.0.1:0", "--metrics", "127.0.0.1:0"},
        // Its descriptors and memory maps are counted, also by who is not root.
        Process::Options{.environment = {{"HOLDFAST_CORE_DUMPS", "1"}}});
    const auto quota = quota_->WaitForLine(Process::Stream::kErr, "listening: grpc");
    ASSERT_TRUE(quota) << quota_->err();
    quota_address_ = AddressIn(*quota, "grpc ");
    agent_ = std::make_unique<Process>(std::vector<std::string>{Program("agent_service"), "--grpc", "127.0.0.1:0",
                                                                "--metrics", "127.0.0.1:0", "--quota", quota_address_,
                                                                "--store", "sqlite:" + folder_.path("sessions.db")});
    const auto agent = agent_->WaitForLine(Process::Stream::kErr, "listening: grpc");
    ASSERT_TRUE(agent) << agent_->err();
    agent_address_ = AddressIn(*agent, "grpc ");
  }

  // As one of many clients would: with a connection of its own, for as long as it works.
  struct Client {
    std::unique_ptr<quota::v1::QuotaService::Stub> quota;
    std::unique_ptr<agent::v1::AgentService::Stub> agent;
    std::string session;
    int turns = 0;
  };

  Client NewClient() const {
    return {quota::v1::QuotaService::NewStub(MakeChannel(*ParseAddress(quota_address_))),
            agent::v1::AgentService::NewStub(MakeChannel(*ParseAddress(agent_address_))), "", 0};
  }

  static std::string ModelOf(int64_t number) { return number % 2 == 0 ? "responses-model" : "chat-model"; }

  static void Give(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    context.set_wait_for_ready(true);
  }

  // Why it failed; empty where it did not.
  static std::string Call(Client& client, int64_t number) {
    quota::v1::GenerateRequest request;
    request.set_call_id(fmt::format("endurance-{}", number));
    request.set_session_id(fmt::format("session-{}", number % 100));
    request.set_model(ModelOf(number));
    request.mutable_max_wait()->set_seconds(kDeadline.count());
    auto* message = request.add_items()->mutable_message();
    message->set_role(quota::v1::ROLE_USER);
    message->add_parts()->set_text(fmt::format("question {} {}", number, std::string(2000, 'x')));
    grpc::ClientContext context;
    Give(context);
    const auto stream = client.quota->Generate(&context, request);
    quota::v1::GenerateEvent event;
    bool completed = false;
    while (stream->Read(&event)) completed = event.has_completed();
    const grpc::Status status = stream->Finish();
    if (status.ok() && completed) return {};
    return fmt::format("call {}: {}", number, status.ok() ? "no completion" : status.error_message());
  }

  static std::string Turn(Client& client, int64_t number) {
    if (client.session.empty() || client.turns == kTurnsOfSession) {
      if (!client.session.empty()) {
        // The database keeps its size, and the cache of its pages with it.
        agent::v1::DeleteSessionRequest remove;
        remove.set_session_id(client.session);
        agent::v1::DeleteSessionResponse removed;
        grpc::ClientContext context;
        Give(context);
        const grpc::Status status = client.agent->DeleteSession(&context, remove, &removed);
        if (!status.ok()) return fmt::format("session before turn {}: {}", number, status.error_message());
      }
      agent::v1::CreateSessionRequest create;
      create.set_model(ModelOf(number / kTurnEvery));
      agent::v1::Session session;
      grpc::ClientContext context;
      Give(context);
      const grpc::Status status = client.agent->CreateSession(&context, create, &session);
      if (!status.ok()) return fmt::format("session of turn {}: {}", number, status.error_message());
      client.session = session.session_id();
      client.turns = 0;
    }
    ++client.turns;
    agent::v1::SubmitTurnRequest submit;
    submit.set_session_id(client.session);
    submit.set_client_key(fmt::format("turn-{}", number));
    submit.add_input()->set_text(fmt::format("question {}", number));
    agent::v1::SubmitTurnResponse submitted;
    {
      grpc::ClientContext context;
      Give(context);
      const grpc::Status status = client.agent->SubmitTurn(&context, submit, &submitted);
      if (!status.ok()) return fmt::format("turn {}: {}", number, status.error_message());
    }
    agent::v1::WatchRequest watch;
    watch.set_session_id(client.session);
    watch.set_after_sequence(submitted.sequence() - 1);
    grpc::ClientContext context;
    Give(context);
    const auto stream = client.agent->Watch(&context, watch);
    agent::v1::WatchEvent event;
    while (stream->Read(&event)) {
      if (event.event().has_turn_completed()) return {};
      if (event.event().has_turn_failed())
        return fmt::format("turn {}: {}", number, event.event().turn_failed().message());
    }
    return fmt::format("turn {}: {}", number, stream->Finish().error_message());
  }

  // The calls from `first` to before `end`, all of them done when it returns.
  void Round(std::vector<Client>& clients, int64_t first, int64_t end) {
    std::atomic<int64_t> next = first;
    std::vector<std::thread> threads;
    for (Client& client : clients) {
      threads.emplace_back([this, &client, &next, end] {
        for (int64_t number = next++; number < end; number = next++) {
          if (number % kFaultEvery == 0) {
            simulator_.control().PushFault(kFaults[static_cast<size_t>(number / kFaultEvery) % kFaults.size()]);
          }
          const std::string failure = number % kTurnEvery == 1 ? Turn(client, number) : Call(client, number);
          if (!failure.empty()) ADD_FAILURE() << failure;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  // All connections are made, and what is made once is.
  static void WarmUp(std::vector<Client>& clients) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < clients.size(); ++i) {
      threads.emplace_back([&client = clients[i], number = -1 - static_cast<int64_t>(i)] {
        EXPECT_EQ(Call(client, number), "");
        EXPECT_EQ(Turn(client, number), "");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  TemporaryFolder folder_;
  SimulatorProcess simulator_;
  std::unique_ptr<Process> quota_;
  std::unique_ptr<Process> agent_;
  std::string quota_address_;
  std::string agent_address_;
};

TEST_F(Endurance, NeitherServiceGrows) {
  const int64_t calls = Calls();
  std::vector<Client> clients;
  for (int i = 0; i < kWorkers; ++i) clients.push_back(NewClient());
  WarmUp(clients);
  std::vector<ProcessSample> of_quota, of_agent;
  const auto began = BootClock::now();
  // Between two rounds nothing is under way; each lasts at least as long as the slowest spoilt call.
  const int64_t rounds = std::clamp<int64_t>(calls / kFewestInRound, kFewestRounds, kMostRounds);
  for (int64_t round = 0; round < rounds && !HasFailure(); ++round) {
    const int64_t end = calls * (round + 1) / rounds;
    Round(clients, calls * round / rounds, end);
    // The records of the upstream are not what is measured here.
    simulator_.control().Delete("/requests");
    of_quota.push_back(SampleOf(quota_->pid(), end));
    of_agent.push_back(SampleOf(agent_->pid(), end));
  }
  const double seconds = ToSeconds(BootClock::now() - began);
  fmt::print("quota_service\n{}\nagent_service\n{}\n", TableOf(of_quota), TableOf(of_agent));
  fmt::print("{} calls in {:.1f} s, {:.0f} a second, {} at a time; {} spoilt, {} of them turns of agent_service\n",
             calls, seconds, static_cast<double>(calls) / seconds, kWorkers, calls / kFaultEvery, calls / kTurnEvery);
  const std::string quota_grew = WhatGrew(of_quota, kSlack);
  const std::string agent_grew = WhatGrew(of_agent, kSlack);
  fmt::print("quota_service: {}\nagent_service: {}\n", quota_grew.empty() ? "flat" : quota_grew,
             agent_grew.empty() ? "flat" : agent_grew);
  EXPECT_EQ(quota_grew, "");
  EXPECT_EQ(agent_grew, "");
}

std::vector<ProcessSample> Samples(int64_t ProcessSample::*field, int64_t from, int64_t step) {
  std::vector<ProcessSample> samples;
  for (int64_t i = 0; i < 40; ++i) {
    ProcessSample sample{i * 100, 50'000, 30'000, 20, 10};
    // A warm-up, and noise.
    sample.rss_kib += i < 10 ? -1000 * (10 - i) : (i % 3) * 200;
    sample.*field = from + i * step;
    samples.push_back(sample);
  }
  return samples;
}

TEST(WhatGrew, IsSilentAboutNoiseAndWarmUp) {
  EXPECT_EQ(WhatGrew(Samples(&ProcessSample::threads, 10, 0), 0), "");
  EXPECT_EQ(WhatGrew(Samples(&ProcessSample::heap_kib, 30'000, 10), 0), "");
  EXPECT_EQ(WhatGrew(Samples(&ProcessSample::descriptors, 50, -1), 0), "");
}

TEST(WhatGrew, NamesWhatGrows) {
  EXPECT_NE(WhatGrew(Samples(&ProcessSample::heap_kib, 30'000, 300), 0).find("the heap grew by"), std::string::npos);
  EXPECT_NE(WhatGrew(Samples(&ProcessSample::rss_kib, 900'000, 400), 0).find("VmRSS grew by"), std::string::npos);
  EXPECT_NE(WhatGrew(Samples(&ProcessSample::descriptors, 20, 1), 8).find("descriptors rose"), std::string::npos);
  EXPECT_NE(WhatGrew(Samples(&ProcessSample::threads, 20, 1), 8).find("threads rose"), std::string::npos);
  EXPECT_NE(WhatGrew({}, 0), "");
}

}  // namespace
}  // namespace holdfast::test
