#include "common/metrics/endpoint.h"

#include <prometheus/text_serializer.h>

#include <boost/asio/io_context.hpp>
#include <thread>
#include <utility>

#include "common/http/http_server.h"

namespace holdfast {
namespace {

// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
constexpr char kTextFormat[] = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace

struct MetricsEndpoint::Impl {
  ~Impl() {
    context.stop();
    if (thread.joinable()) thread.join();
  }

  boost::asio::io_context context{1};
  std::unique_ptr<HttpServer> server;
  std::thread thread;
};

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const Address& address, std::shared_ptr<prometheus::Registry> registry) {
  auto impl = std::make_unique<Impl>();
  auto server = HttpServer::Start(
      impl->context, address, {{"/metrics", [registry = std::move(registry)] {
                                  return HttpPage{.text = prometheus::TextSerializer().Serialize(registry->Collect()),
                                                  .content_type = kTextFormat};
                                }}});
  if (!server.ok()) return server.status();
  impl->server = *std::move(server);
  impl->thread = std::thread([&context = impl->context] { context.run(); });
  return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(std::move(impl)));
}

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

MetricsEndpoint::~MetricsEndpoint() = default;

const Address& MetricsEndpoint::address() const { return impl_->server->address(); }

}  // namespace holdfast
