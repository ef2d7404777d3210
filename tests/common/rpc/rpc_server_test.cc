#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <future>
#include <thread>

#include "common/rpc/channel.h"
#include "common/rpc/health.h"
#include "common/rpc/server.h"
#include "common/rpc/server_stream.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "tests/common/rpc/loop_thread.h"
#include "tests/support/temporary_folder.h"

namespace holdfast {
namespace {

namespace v1 = quota::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

// WhoAmI answers at once; a Generate lasts until the test ends it.
class SmallService final : public v1::QuotaService::CallbackService {
 public:
  explicit SmallService(Loop& loop) : loop_(loop) {}

  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* context, const v1::WhoAmIRequest*,
                                   v1::WhoAmIResponse*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerWriteReactor<v1::GenerateEvent>* Generate(grpc::CallbackServerContext*,
                                                        const v1::GenerateRequest*) override {
    return ServerStream<v1::GenerateEvent>::Open(loop_, [this](auto* stream) { generating.set_value(stream); });
  }

  std::promise<ServerStream<v1::GenerateEvent>*> generating;

 private:
  Loop& loop_;
};

class RpcServerTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<RpcServer>> Start(const std::string& address) {
    return RpcServer::Start(*ParseAddress(address), {&service_});
  }
  static grpc::Status Ask(const Address& address) {
    const auto stub = v1::QuotaService::NewStub(MakeChannel(address));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(20));
    v1::WhoAmIResponse response;
    return stub->WhoAmI(&context, {}, &response);
  }
  static std::string Refusal(const absl::StatusOr<std::unique_ptr<RpcServer>>& server) {
    EXPECT_EQ(server.status().code(), absl::StatusCode::kUnavailable);
    return std::string(server.status().message());
  }
  // What a killed process leaves behind.
  static void LeaveSocket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(fd, 1), 0);
    close(fd);
  }

  LoopThread thread_;
  SmallService service_{thread_.loop()};
  test::TemporaryFolder folder_;
};

// Services whose messages Debian ships no headers for are spoken to in bytes.
grpc::ByteBuffer Buffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string Bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

// One message there, one back.
std::string Exchange(const Address& address, const std::string& method, const std::string& request) {
  grpc::GenericStub stub(MakeChannel(address));
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + seconds(20));
  const auto call = stub.PrepareCall(&context, method, &queue);
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  EXPECT_TRUE(next());
  call->Write(Buffer(request), nullptr);
  EXPECT_TRUE(next());
  call->WritesDone(nullptr);
  EXPECT_TRUE(next());
  call->Read(&response, nullptr);
  const bool answered = next();
  call->Finish(&status, nullptr);
  next();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return answered ? Bytes(response) : "";
}

// grpc.health.v1: HealthCheckResponse.status is field 1; 1 is SERVING, 2 is NOT_SERVING.
std::string Health(const Address& address) { return Exchange(address, "/grpc.health.v1.Health/Check", ""); }

TEST_F(RpcServerTest, OnPort0TakesAFreePortAndSaysWhich) {
  const auto first = Start("127.0.0.1:0");
  const auto second = Start("127.0.0.1:0");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE((*first)->address().port, 0);
  EXPECT_NE((*first)->address().port, (*second)->address().port);
  EXPECT_TRUE(Ask((*first)->address()).ok());
  EXPECT_TRUE(Ask((*second)->address()).ok());
}

TEST_F(RpcServerTest, ListensOnIpv6AndOnANamedHost) {
  const auto v6 = Start("[::1]:0");
  ASSERT_TRUE(v6.ok()) << v6.status();
  EXPECT_TRUE(Ask((*v6)->address()).ok());
  const auto named = Start("localhost:0");
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_TRUE(Ask((*named)->address()).ok());
}

TEST_F(RpcServerTest, ABusyPortIsUnavailableAndNamed) {
  const auto first = Start("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  const std::string address = (*first)->address().ToString();
  EXPECT_THAT(Refusal(Start(address)), AllOf(HasSubstr(address), HasSubstr("taken")));
}

TEST_F(RpcServerTest, AnAddressOfAnotherMachineIsUnavailableAndNamed) {
  EXPECT_THAT(Refusal(Start("192.0.2.1:50051")), HasSubstr("192.0.2.1:50051"));
}

TEST_F(RpcServerTest, ListensOnAUnixSocketAndRemovesItAfterwards) {
  const std::string path = folder_.path("s");
  {
    const auto server = Start("unix:" + path);
    ASSERT_TRUE(server.ok()) << server.status();
    EXPECT_TRUE(Ask((*server)->address()).ok());
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(RpcServerTest, ReplacesTheSocketThatAKilledProcessLeft) {
  const std::string path = folder_.path("s");
  LeaveSocket(path);
  const auto server = Start("unix:" + path);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(Ask((*server)->address()).ok());
}

TEST_F(RpcServerTest, LeavesALiveSocketToItsOwner) {
  const std::string path = folder_.path("s");
  const auto first = Start("unix:" + path);
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(Refusal(Start("unix:" + path)), AllOf(HasSubstr("unix:" + path), HasSubstr("another process")));
  EXPECT_TRUE(Ask((*first)->address()).ok());
}

TEST_F(RpcServerTest, NeverRemovesAFileThatIsNoSocket) {
  const std::string path = folder_.Write("precious", "content");
  EXPECT_THAT(Refusal(Start("unix:" + path)), AllOf(HasSubstr("unix:" + path), HasSubstr("no socket")));
  std::ifstream file(path);
  std::string content;
  file >> content;
  EXPECT_EQ(content, "content");
}

TEST_F(RpcServerTest, AFolderThatIsNotThereIsNamed) {
  EXPECT_THAT(Refusal(Start("unix:" + folder_.path("none/s"))), AllOf(HasSubstr("none/s"), HasSubstr("folder")));
}

TEST_F(RpcServerTest, HealthIsNotServingUntilItIsSaid) {
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(Health((*server)->address()), "\x08\x02");
  (*server)->SetServing(true);
  EXPECT_EQ(Health((*server)->address()), "\x08\x01");
  (*server)->SetServing(false);
  EXPECT_EQ(Health((*server)->address()), "\x08\x02");
}

TEST_F(RpcServerTest, AProbeIsToldWhetherItServes) {
  auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok());
  const Address address = (*server)->address();
  EXPECT_THAT(std::string(CheckHealth(address, seconds(20)).message()), HasSubstr("starts or stops"));
  (*server)->SetServing(true);
  EXPECT_TRUE(CheckHealth(address, seconds(20)).ok());
  server->reset();
  const absl::Status gone = CheckHealth(address, milliseconds(200));
  EXPECT_EQ(gone.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(gone.message()), HasSubstr(address.ToString() + " does not answer"));
}

// A listener that accepts and then is silent, as a stopped process is, or one far away for a while.
class SilentListener {
 public:
  SilentListener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(name);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&name), size), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size), 0);
    address_ = *ParseAddress(fmt::format("127.0.0.1:{}", ntohs(name.sin_port)));
  }
  ~SilentListener() { close(fd_); }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;

  const Address& address() const { return address_; }

 private:
  int fd_;
  Address address_;
};

TEST_F(RpcServerTest, AProbeOfWhatNeverAnswersEnds) {
  const SilentListener silent;
  EXPECT_EQ(CheckHealth(silent.address(), milliseconds(200)).code(), absl::StatusCode::kUnavailable);
}

TEST_F(RpcServerTest, ASlowHandshakeIsNotTakenForADeadServer) {
  const SilentListener slow;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + milliseconds(600));
  v1::WhoAmIResponse response;
  const grpc::Status status = v1::QuotaService::NewStub(MakeChannel(slow.address()))->WhoAmI(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << status.error_message();
}

TEST_F(RpcServerTest, ReflectionListsTheServices) {
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok());
  // ServerReflectionRequest.list_services is field 7, a string.
  const std::string services =
      Exchange((*server)->address(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "\x3A\x01*");
  EXPECT_THAT(services, HasSubstr("holdfast.quota.v1.QuotaService"));
  EXPECT_THAT(services, HasSubstr("grpc.health.v1.Health"));
}

TEST_F(RpcServerTest, DrainWaitsForRunningCallsAndRefusesNewOnes) {
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok());
  const Address address = (*server)->address();
  const auto stub = v1::QuotaService::NewStub(MakeChannel(address));
  grpc::ClientContext context;
  const auto reader = stub->Generate(&context, {});
  auto* stream = service_.generating.get_future().get();

  auto drained = std::async(std::launch::async, [&] { (*server)->Drain(seconds(30)); });
  while (Ask(address).ok()) {
  }
  EXPECT_EQ(drained.wait_for(seconds(0)), std::future_status::timeout);
  thread_.Run([stream] { stream->Finish({grpc::StatusCode::OUT_OF_RANGE, "as it was meant to end"}); });
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::OUT_OF_RANGE);
  drained.get();
}

TEST_F(RpcServerTest, DrainEndsAtItsDeadlineWhateverRuns) {
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok());
  const auto stub = v1::QuotaService::NewStub(MakeChannel((*server)->address()));
  grpc::ClientContext context;
  const auto reader = stub->Generate(&context, {});
  service_.generating.get_future().get();
  const BootTime begin = BootClock::now();
  (*server)->Drain(milliseconds(100));
  EXPECT_GE(BootClock::now() - begin, milliseconds(100));
  EXPECT_LT(BootClock::now() - begin, seconds(10));
  EXPECT_FALSE(reader->Finish().ok());
}

}  // namespace
}  // namespace holdfast
