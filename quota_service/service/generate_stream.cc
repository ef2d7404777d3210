#include "quota_service/service/generate_stream.h"

#include <algorithm>

#include "common/wait/wait_left.h"
#include "quota_service/service/failure_status.h"

namespace holdfast::quota {
namespace {

// More than this waits in the history, which holds it anyway, and not a second time in the stream.
constexpr size_t kMostQueuedBytes = 256 * 1024;

}  // namespace

GenerateStream::GenerateStream(Loop& loop, ServerStream<v1::GenerateEvent>* stream, CallRegistry& registry,
                               const Envelope& envelope, std::shared_ptr<TypedExchange> exchange, Cursor cursor,
                               std::function<void(GenerateStream*)> on_gone)
    : loop_(loop),
      stream_(stream),
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
  // Whoever comes back to a call that waits is told so, with what is left of the wait.
  const v1::GenerateEvent* last = exchange_->history().Last();
  running_ = last != nullptr && !last->has_wait();
  if (last != nullptr && last->has_wait()) cursor_.event = std::min(cursor_.event, last->event() - 1);
  if (running_ && exchange_->end() == nullptr) TellThatItRuns();
  OnProgress();
}

void GenerateStream::TellThatItRuns() {
  const v1::GenerateEvent* admitted = exchange_->history().LastAdmitted();
  if (admitted == nullptr || admitted->event() > cursor_.event) return;
  // The upstream may be silent for minutes, and whoever lost the link shows that it is lost. The reader stays where it
  // is.
  v1::GenerateEvent again = *admitted;
  again.set_event(cursor_.event);
  stream_->Write(std::move(again));
}

void GenerateStream::OnProgress() {
  if (stream_ == nullptr) return;
  while (stream_->queued_bytes() < kMostQueuedBytes) {
    const v1::GenerateEvent* event = exchange_->history().After(cursor_.event);
    if (event == nullptr) break;
    cursor_.event = event->event();
    running_ = !event->has_wait();
    v1::GenerateEvent out = *event;
    if (out.has_wait()) {
      SetSecondsLeft(ToSeconds(exchange_->wait_ends() - loop_.Now()), out.mutable_wait());
    }
    stream_->Write(std::move(out));
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
