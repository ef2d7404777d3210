#include "common/rpc/server.h"

#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "common/rpc/limits.h"

namespace holdfast {
namespace {

// gRPC would fail on the file that a killed process left behind.
absl::Status RemoveStaleSocket(const std::string& path) {
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0) return absl::OkStatus();
  // Connecting to what is no socket is refused just as with a stale one.
  if (!S_ISSOCK(file.st_mode)) {
    return absl::UnavailableError(fmt::format("cannot listen on unix:{}: a file that is no socket is there", path));
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::UnavailableError(fmt::format("cannot listen on unix:{}: {}", path, std::strerror(errno)));
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  close(fd);
  if (result == 0)
    return absl::UnavailableError(fmt::format("cannot listen on unix:{}: another process listens there", path));
  if (error == ECONNREFUSED) unlink(path.c_str());
  return absl::OkStatus();
}

// gRPC says why only in its own log.
const char* Guess(const Address& address, const std::optional<TlsServer>& tls) {
  if (tls) return "is it taken, or do certificate and key not belong together?";
  if (address.is_unix()) return "does its folder exist, and may we write there?";
  return "is the port taken, or the address not this machine's?";
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const Address& address,
                                                            const std::vector<grpc::Service*>& services,
                                                            const std::optional<TlsServer>& tls) {
  static std::once_flag plugins;
  std::call_once(plugins, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
  if (address.is_unix()) {
    if (absl::Status status = RemoveStaleSocket(address.path); !status.ok()) return status;
  }

  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (tls) {
    grpc::SslServerCredentialsOptions options(tls->client_ca.empty()
                                                  ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                  : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = tls->client_ca;
    options.pem_key_cert_pairs.push_back({tls->key, tls->certificate});
    credentials = grpc::SslServerCredentials(options);
  }

  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address.ToString(), credentials, &port);
  builder.SetMaxReceiveMessageSize(kMaxRpcMessageBytes);
  builder.SetMaxSendMessageSize(kMaxRpcMessageBytes);
  // Without this two processes could share a TCP port, and each would get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  for (grpc::Service* service : services) builder.RegisterService(service);

  std::unique_ptr<RpcServer> server(new RpcServer);
  server->address_ = address;
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || (!address.is_unix() && port == 0)) {
    return absl::UnavailableError(fmt::format("cannot listen on {}: {}", address.ToString(), Guess(address, tls)));
  }
  if (!address.is_unix()) server->address_.port = static_cast<uint16_t>(port);
  server->SetServing(false);
  return server;
}

RpcServer::~RpcServer() {
  if (server_ != nullptr) Drain(Duration::zero());
}

void RpcServer::SetServing(bool serving) {
  if (auto* health = server_->GetHealthCheckService()) health->SetServingStatus(serving);
}

void RpcServer::Drain(Duration deadline) {
  server_->Shutdown(std::chrono::system_clock::now() +
                    std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline));
  server_->Wait();
  server_.reset();
}

std::string BearerToken(const grpc::ServerContextBase& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return {};
  const std::string_view value(found->second.data(), found->second.size());
  constexpr std::string_view kScheme = "Bearer ";
  if (!value.starts_with(kScheme)) return {};
  return std::string(value.substr(kScheme.size()));
}

}  // namespace holdfast
