#include "quota_service/service/generate_stream.h"

#include "quota_service/service/failure_status.h"

namespace holdfast::quota {
namespace {

// More than this waits in the history, which holds it anyway, and not a second time in the stream.
constexpr size_t kMostQueuedBytes = 256 * 1024;

}  // namespace

GenerateStream::GenerateStream(ServerStream<v1::GenerateEvent>* stream, CallRegistry& registry,
                               const Envelope& envelope, std::shared_ptr<TypedExchange> exchange, Cursor cursor,
                               std::function<void(GenerateStream*)> on_gone)
    : stream_(stream),
      registry_(registry),
      tenant_(envelope.tenant),
      call_id_(envelope.call_id),
      scope_(envelope.route.group),
      exchange_(std::move(exchange)),
      cursor_(std::move(cursor)),
      on_gone_(std::move(on_gone)) {}

GenerateStream::~GenerateStream() {
  if (exchange_->reader() == this) exchange_->SetReader(nullptr);
  registry_.Detach(tenant_, call_id_, exchange_.get());
}

void GenerateStream::Begin() {
  stream_->set_on_closed([this] {
    stream_ = nullptr;
    on_gone_(this);
  });
  stream_->set_on_drained([this] { OnProgress(); });
  exchange_->SetReader(this);
  if (cursor_.event > 0 && cursor_.incarnation != exchange_->history().incarnation()) {
    v1::GenerateEvent event;
    event.set_incarnation(exchange_->history().incarnation());
    event.mutable_restarted()->set_cause("the call was begun anew");
    stream_->Write(std::move(event));
    cursor_.event = 0;
  }
  OnProgress();
}

void GenerateStream::OnProgress() {
  if (stream_ == nullptr) return;
  while (stream_->queued_bytes() < kMostQueuedBytes) {
    const v1::GenerateEvent* event = exchange_->history().After(cursor_.event);
    if (event == nullptr) break;
    cursor_.event = event->event();
    running_ = !event->has_wait();
    stream_->Write(*event);
  }
  if (exchange_->end() == nullptr || exchange_->history().After(cursor_.event) != nullptr) return;
  const CallEnd& end = *exchange_->end();
  End(end.completed ? grpc::Status::OK : StatusOf(end.failure, scope_));
}

void GenerateStream::OnReplaced() { End({grpc::StatusCode::ABORTED, "another reader attached to this call"}); }

void GenerateStream::OnShutdown() {
  if (stream_ == nullptr || running_) return;
  End({grpc::StatusCode::UNAVAILABLE, "shutting down; attach again"});
  // Its turn must not come in this process: the answer would be paid for here, and again in the next one.
  registry_.Cancel(tenant_, call_id_);
}

void GenerateStream::End(grpc::Status status) {
  if (stream_ == nullptr) return;
  std::exchange(stream_, nullptr)->Finish(std::move(status));
  on_gone_(this);
}

}  // namespace holdfast::quota
