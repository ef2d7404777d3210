#include "common/rpc/server_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "tests/common/rpc/loop_thread.h"

namespace holdfast {
namespace {

namespace v1 = quota::v1;
using Message = v1::GenerateEvent;
using Stream = ServerStream<Message>;

constexpr Duration kDrain = std::chrono::seconds(30);
// More than gRPC and both sockets buffer, so that a client that does not read leaves a write outstanding.
constexpr size_t kLarge = 16 * 1024 * 1024;

Message Numbered(int64_t number, size_t padding = 0) {
  Message message;
  message.set_event(number);
  message.mutable_delta()->set_text(std::string(padding, 'x'));
  return message;
}

// Every Generate opens a stream and gives it to the test, on the loop.
class StreamService final : public v1::QuotaService::CallbackService {
 public:
  explicit StreamService(LoopThread& thread) : thread_(thread) {}

  grpc::ServerWriteReactor<Message>* Generate(grpc::CallbackServerContext*, const v1::GenerateRequest*) override {
    return Stream::Open(thread_.loop(), [this](Stream* stream) {
      opened_on_loop = thread_.IsThisThread();
      if (on_open) on_open(stream);
      opened.set_value(stream);
    });
  }

  std::function<void(Stream*)> on_open;
  std::promise<Stream*> opened;
  bool opened_on_loop = false;

 private:
  LoopThread& thread_;
};

class ServerStreamTest : public testing::Test {
 protected:
  // Ends every call, so that every stream is deleted; the address sanitizer sees one that is not.
  ~ServerStreamTest() override { server_->Drain(kDrain); }

  void Begin() {
    stub_ = v1::QuotaService::NewStub(MakeChannel(server_->address()));
    reader_ = stub_->Generate(&context_, {});
  }
  Stream* Opened() { return service_.opened.get_future().get(); }
  std::vector<int64_t> ReadAll() {
    std::vector<int64_t> numbers;
    for (Message message; reader_->Read(&message);) numbers.push_back(message.event());
    return numbers;
  }

  LoopThread thread_;
  StreamService service_{thread_};
  std::unique_ptr<RpcServer> server_ = *RpcServer::Start(*ParseAddress("127.0.0.1:0"), {&service_});
  std::unique_ptr<v1::QuotaService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Message>> reader_;
};

std::vector<int64_t> UpTo(int64_t count) {
  std::vector<int64_t> numbers;
  for (int64_t i = 1; i <= count; ++i) numbers.push_back(i);
  return numbers;
}

TEST_F(ServerStreamTest, WritesInOrderAndFinishesAfterWhatIsQueued) {
  service_.on_open = [](Stream* stream) {
    for (int64_t i = 1; i <= 1000; ++i) stream->Write(Numbered(i));
    stream->Finish({grpc::StatusCode::ABORTED, "the end"});
  };
  Begin();
  EXPECT_EQ(ReadAll(), UpTo(1000));
  const grpc::Status status = reader_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "the end");
  EXPECT_TRUE(service_.opened_on_loop);
}

TEST_F(ServerStreamTest, FinishesWithoutAMessageToo) {
  service_.on_open = [](Stream* stream) { stream->Finish(grpc::Status::OK); };
  Begin();
  EXPECT_EQ(ReadAll(), UpTo(0));
  EXPECT_TRUE(reader_->Finish().ok());
}

TEST_F(ServerStreamTest, FinishWaitsForTheWriteThatIsOutstanding) {
  service_.on_open = [](Stream* stream) {
    for (int64_t i = 1; i <= 3; ++i) stream->Write(Numbered(i, kLarge));
    EXPECT_GT(stream->queued_bytes(), kLarge);
    stream->Finish(grpc::Status::OK);
    stream->Finish({grpc::StatusCode::INTERNAL, "only the first counts"});
    stream->Write(Numbered(4));
  };
  Begin();
  Opened();
  EXPECT_EQ(ReadAll(), UpTo(3));
  EXPECT_TRUE(reader_->Finish().ok());
}

TEST_F(ServerStreamTest, FinishNowDropsWhatIsQueuedButNotTheWriteThatIsOutstanding) {
  service_.on_open = [](Stream* stream) {
    for (int64_t i = 1; i <= 3; ++i) stream->Write(Numbered(i, kLarge));
    stream->FinishNow({grpc::StatusCode::UNAVAILABLE, "gone"});
    EXPECT_EQ(stream->queued_bytes(), 0U);
  };
  Begin();
  Opened();
  EXPECT_EQ(ReadAll(), UpTo(1));
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServerStreamTest, TellsOnceOnTheLoopThatTheClientHasGone) {
  std::promise<bool> closed;
  std::atomic<int> times = 0;
  service_.on_open = [&](Stream* stream) {
    stream->set_on_closed([&] {
      ++times;
      closed.set_value(thread_.IsThisThread());
    });
    stream->set_on_drained([] {});
    // A write is under way when the client goes, so that both reactions of gRPC report it.
    for (int64_t i = 1; i <= 3; ++i) stream->Write(Numbered(i, kLarge));
  };
  Begin();
  Opened();
  context_.TryCancel();
  EXPECT_TRUE(closed.get_future().get());
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_->Drain(kDrain);
  server_ = *RpcServer::Start(*ParseAddress("127.0.0.1:0"), {&service_});
  EXPECT_EQ(times, 1);
}

TEST_F(ServerStreamTest, MayBeFinishedFromInsideOnClosed) {
  std::promise<void> closed;
  service_.on_open = [&](Stream* stream) {
    auto note = std::make_shared<std::string>("still mine");
    stream->set_on_closed([&closed, stream, note] {
      stream->Finish(grpc::Status::CANCELLED);
      EXPECT_EQ(*note, "still mine");
      closed.set_value();
    });
  };
  Begin();
  Opened();
  context_.TryCancel();
  closed.get_future().get();
  reader_->Finish();
}

TEST_F(ServerStreamTest, SaysNothingMoreAfterFinish) {
  service_.on_open = [](Stream* stream) {
    stream->set_on_closed([] { ADD_FAILURE() << "on_closed after Finish"; });
    stream->set_on_drained([] { ADD_FAILURE() << "on_drained after Finish"; });
    for (int64_t i = 1; i <= 3; ++i) stream->Write(Numbered(i, kLarge));
    stream->Finish(grpc::Status::OK);
  };
  Begin();
  Opened();
  context_.TryCancel();
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ServerStreamTest, AClientThatIsGoneBeforeTheStreamOpensIsTold) {
  std::promise<void> gate;
  thread_.loop().Post([&gate] { gate.get_future().get(); });
  std::promise<void> closed;
  service_.on_open = [&](Stream* stream) {
    stream->set_on_closed([&closed] { closed.set_value(); });
    stream->Write(Numbered(1));
  };
  Begin();
  context_.TryCancel();
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  // The server may have seen the call, or not; only a call that it saw has a stream.
  gate.set_value();
  server_->Drain(kDrain);
  server_ = *RpcServer::Start(*ParseAddress("127.0.0.1:0"), {&service_});
  auto opened = service_.opened.get_future();
  if (opened.wait_for(std::chrono::seconds(0)) == std::future_status::ready) closed.get_future().get();
}

TEST_F(ServerStreamTest, TellsWhenEverythingWasHandedOver) {
  std::atomic<int> drained = 0;
  Stream* stream = nullptr;
  service_.on_open = [&](Stream* opened) {
    stream = opened;
    stream->set_on_drained([&] {
      EXPECT_TRUE(thread_.IsThisThread());
      EXPECT_EQ(stream->queued_bytes(), 0U);
      if (++drained == 1) {
        stream->Write(Numbered(4));
      } else {
        stream->Finish(grpc::Status::OK);
      }
    });
    for (int64_t i = 1; i <= 3; ++i) stream->Write(Numbered(i));
    EXPECT_GT(stream->queued_bytes(), 0U);
  };
  Begin();
  EXPECT_EQ(ReadAll(), UpTo(4));
  EXPECT_TRUE(reader_->Finish().ok());
  EXPECT_EQ(drained, 2);
}

TEST_F(ServerStreamTest, WhatOnDrainedHoldsOutlivesAFinishInIt) {
  service_.on_open = [](Stream* stream) {
    // Large, so that std::function keeps it on the heap.
    stream->set_on_drained([stream, note = std::string(100, 'n'), more = std::string(100, 'm')] {
      stream->Finish(grpc::Status::OK);
      EXPECT_EQ(note, std::string(100, 'n'));
      EXPECT_EQ(more, std::string(100, 'm'));
    });
    stream->Write(Numbered(1));
  };
  Begin();
  EXPECT_EQ(ReadAll(), UpTo(1));
  EXPECT_TRUE(reader_->Finish().ok());
}

TEST_F(ServerStreamTest, AfterTheClientHasGoneWritesAreDropped) {
  std::promise<void> closed;
  service_.on_open = [&](Stream* stream) {
    stream->set_on_closed([&closed, stream] {
      stream->Write(Numbered(1, kLarge));
      EXPECT_EQ(stream->queued_bytes(), 0U);
      closed.set_value();
    });
  };
  Begin();
  Opened();
  context_.TryCancel();
  closed.get_future().get();
  reader_->Finish();
}

TEST_F(ServerStreamTest, ADeadlineOfTheClientEndsIt) {
  std::promise<void> closed;
  service_.on_open = [&](Stream* stream) { stream->set_on_closed([&closed] { closed.set_value(); }); };
  context_.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  Begin();
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  closed.get_future().get();
}

TEST_F(ServerStreamTest, ADrainThatRunsOutCancelsIt) {
  std::promise<void> closed;
  service_.on_open = [&](Stream* stream) { stream->set_on_closed([&closed] { closed.set_value(); }); };
  Begin();
  Opened();
  server_->Drain(std::chrono::milliseconds(20));
  closed.get_future().get();
  EXPECT_FALSE(reader_->Finish().ok());
  server_ = *RpcServer::Start(*ParseAddress("127.0.0.1:0"), {&service_});
}

}  // namespace
}  // namespace holdfast
