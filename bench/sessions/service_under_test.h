#pragma once

#include <fmt/format.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "agent_service/host/session_host.h"
#include "agent_service/quota_client/grpc_quota_client.h"
#include "agent_service/service/agent_service.h"
#include "agent_service/store/sqlite_store.h"
#include "bench/sessions/held_quota.h"
#include "common/loop/asio_loop.h"
#include "common/rpc/server.h"

namespace holdfast::bench {

// agent_service as main() composes it, with a database in `folder` and a quota_service that holds every call, all in
// this process and over TCP.
class ServiceUnderTest {
 public:
  using Stub = agent::v1::AgentService::Stub;

  // Null: it does not start.
  static std::unique_ptr<ServiceUnderTest> Start(const std::filesystem::path& folder);
  ~ServiceUnderTest();

  Stub& stub() { return *stub_; }
  quota::v1::QuotaService::Stub& quota_stub() { return *quota_stub_; }
  HeldQuota& quota() { return quota_; }
  agent::SqliteStore& store() { return *store_; }
  // Blocks until the loop has run it.
  void OnLoop(const std::function<void()>& task);
  agent::SessionHost& host() { return *host_; }
  // One call; false, with words on standard error, where it fails.
  template <typename Request, typename Response>
  bool Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request,
           Response* response) {
    grpc::ClientContext context;
    const grpc::Status status = (stub_.get()->*method)(&context, request, response);
    if (!status.ok()) fmt::print(stderr, "{}\n", status.error_message());
    return status.ok();
  }

 private:
  ServiceUnderTest() = default;

  HeldQuota quota_;
  std::unique_ptr<RpcServer> quota_server_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  AsioLoop loop_{context_};
  agent::SessionObserver observer_;
  std::thread thread_;
  std::unique_ptr<agent::GrpcQuotaClient> quota_client_;
  std::unique_ptr<agent::SqliteStore> store_;
  std::unique_ptr<agent::SessionHost> host_;
  std::unique_ptr<agent::Identity> identity_;
  std::unique_ptr<agent::AgentServiceImpl> service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<Stub> stub_;
  std::unique_ptr<quota::v1::QuotaService::Stub> quota_stub_;
};

}  // namespace holdfast::bench
