#include "bench/sessions/service_under_test.h"

#include <future>
#include <utility>

#include "common/rpc/channel.h"

namespace holdfast::bench {

std::unique_ptr<ServiceUnderTest> ServiceUnderTest::Start(const std::filesystem::path& folder) {
  std::unique_ptr<ServiceUnderTest> service(new ServiceUnderTest);
  ServiceUnderTest& s = *service;
  s.thread_ = std::thread([&s] { s.context_.run(); });
  auto quota_server = RpcServer::Start({"127.0.0.1", 0, ""}, {&s.quota_});
  if (!quota_server.ok()) return nullptr;
  s.quota_server_ = *std::move(quota_server);
  s.quota_stub_ = quota::v1::QuotaService::NewStub(MakeChannel(s.quota_server_->address()));
  auto store = agent::SqliteStore::Open((folder / "sessions.db").string(),
                                        [&s](absl::AnyInvocable<void()> task) { s.loop_.Post(std::move(task)); });
  if (!store.ok()) return nullptr;
  s.store_ = *std::move(store);
  s.quota_client_ =
      std::make_unique<agent::GrpcQuotaClient>(s.loop_, MakeChannel(s.quota_server_->address()), std::string());
  s.OnLoop([&s] {
    s.host_ = std::make_unique<agent::SessionHost>(agent::SessionServices{
        .loop = s.loop_, .store = *s.store_, .quota = *s.quota_client_, .observer = s.observer_});
  });
  s.identity_ = std::make_unique<agent::Identity>(s.loop_, *s.quota_client_);
  s.service_ = std::make_unique<agent::AgentServiceImpl>(s.loop_, *s.host_, *s.store_, *s.identity_, "o4-mini");
  auto server = RpcServer::Start({"127.0.0.1", 0, ""}, {s.service_.get()});
  if (!server.ok()) return nullptr;
  s.server_ = *std::move(server);
  s.stub_ = agent::v1::AgentService::NewStub(MakeChannel(s.server_->address()));
  return service;
}

void ServiceUnderTest::OnLoop(const std::function<void()>& task) {
  std::promise<void> done;
  loop_.Post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

ServiceUnderTest::~ServiceUnderTest() {
  if (host_ != nullptr) OnLoop([this] { host_->Close(); });
  if (server_ != nullptr) server_->Drain(std::chrono::seconds(5));
  store_.reset();
  OnLoop([this] { host_.reset(); });
  quota_client_.reset();
  if (quota_server_ != nullptr) quota_server_->Drain(std::chrono::seconds(5));
  work_.reset();
  context_.stop();
  thread_.join();
}

}  // namespace holdfast::bench
