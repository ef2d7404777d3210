#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/status.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "quota_service/config/config.h"
#include "quota_service/server.h"
#include "tests/support/simulator_control.h"

namespace holdfast::quota {

// A whole quota_service in this process, on free ports, before a real upstream_simulator whose only key is kApiKey. Two
// accounts lead there: "sim" speaks Responses, "sim-chat" serves the model "chat-model" by chat completions.
class QuotaServerTestBase : public testing::Test {
 protected:
  static constexpr char kApiKey[] = "sk-of-the-upstream";

  // A stream and what came of it.
  struct Generation {
    std::vector<v1::GenerateEvent> events;
    grpc::Status status;

    // Of the events with `admitted`, `wait`, …
    int Count(v1::GenerateEvent::KindCase kind) const;
    // The last `completed`; an empty one where there is none.
    v1::Completed completed() const;
    std::vector<v1::Item> items() const;
    // Of every message item, one after the other.
    std::string text() const;
  };

  // A Generate that the test reads step by step.
  struct Reader {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::GenerateEvent>> stream;

    // Until an event of this kind; false: the stream ended first. What came is appended to `into`.
    bool ReadUntil(v1::GenerateEvent::KindCase kind, std::vector<v1::GenerateEvent>* into = nullptr);
    // The rest.
    Generation Drain();
  };

  QuotaServerTestBase();
  ~QuotaServerTestBase() override;

  // Starts the server with `config_`.
  void StartServer();
  // As SIGTERM would; returns when Run has returned.
  void StopServer();

  static v1::GenerateRequest Request(const std::string& call_id, const std::string& text = "Hello");
  std::unique_ptr<Reader> Open(const v1::GenerateRequest& request, const std::string& token = "");
  Generation Generate(const v1::GenerateRequest& request, const std::string& token = "");
  v1::GetHeadroomResponse Headroom(int64_t tokens, const std::string& model = "m");
  bool Cancel(const std::string& call_id);
  // A unary call by one of the stub's methods.
  template <typename Request, typename Response>
  grpc::Status Ask(grpc::Status (v1::QuotaService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response* response, const std::string& token = "") {
    grpc::ClientContext context;
    Prepare(context, token);
    return (stub_.get()->*method)(&context, request, response);
  }
  // The first status that WatchStatus tells, or the first of which `enough` is true.
  v1::WatchStatusResponse Status(const std::string& token = "",
                                 const std::function<bool(const v1::WatchStatusResponse&)>& enough = nullptr);
  // The metrics page.
  std::string Metrics() const;
  std::string HttpUrl(const std::string& path) const { return "http://" + server_->http().ToString() + path; }
  // How many requests the upstream has seen.
  size_t Sent() const { return simulator_.control().Requests().size(); }
  const test::SimulatorControl& upstream() const { return simulator_.control(); }

  static void Prepare(grpc::ClientContext& context, const std::string& token);

  test::SimulatorProcess simulator_{{"--api-key", kApiKey}};
  QuotaConfig config_;
  std::unique_ptr<QuotaServer> server_;
  std::unique_ptr<v1::QuotaService::Stub> stub_;
  std::thread loop_;
};

}  // namespace holdfast::quota
