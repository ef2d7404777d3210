#include "common/rpc/health.h"

#include <fmt/format.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>
#include <vector>

#include "common/rpc/channel.h"

namespace holdfast {
namespace {

// Below the five seconds that a probe is given by default in most places.
constexpr Duration kProbePatience = std::chrono::seconds(3);

// HealthCheckResponse as bytes: field 1, a varint, is 1 for SERVING. The request is empty for the server as a whole.
constexpr char kServing[] = "\x08\x01";

std::string Bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return {};
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

}  // namespace

absl::Status CheckHealth(const Address& address, Duration patience) {
  grpc::GenericStub stub(MakeChannel(address));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(patience));
  // A busy machine takes more than one try to connect.
  context.set_wait_for_ready(true);
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> answered;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &response,
                 [&answered](grpc::Status status) { answered.set_value(std::move(status)); });
  const grpc::Status status = answered.get_future().get();
  if (!status.ok()) {
    return absl::UnavailableError(fmt::format("{} does not answer: {}", address.ToString(), status.error_message()));
  }
  if (Bytes(response) != kServing) {
    return absl::UnavailableError(fmt::format("{} does not serve: it starts or stops", address.ToString()));
  }
  return absl::OkStatus();
}

int RunHealthCheck(const std::string& program, const Address& address) {
  const absl::Status status = CheckHealth(address, kProbePatience);
  if (status.ok()) {
    fmt::print("serving\n");
    return 0;
  }
  fmt::print(stderr, "{}: {}\n", program, std::string(status.message()));
  return 1;
}

}  // namespace holdfast
