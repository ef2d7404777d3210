#include "tests/fakes/fake_quota_client.h"

#include <chrono>
#include <utility>

namespace holdfast::agent {

class FakeQuotaClient::Handle final : public QuotaClient::Stream {
 public:
  explicit Handle(std::shared_ptr<Reader> reader) : reader_(std::move(reader)) {}
  ~Handle() override { reader_->listener = nullptr; }

 private:
  std::shared_ptr<Reader> reader_;
};

void FakeQuotaClient::SendTo(size_t generate, quota::v1::GenerateEvent event) {
  const std::shared_ptr<Reader>& reader = readers_.at(generate);
  if (event.event() == 0 && !event.has_restarted()) event.set_event(reader->last_event + 1);
  if (event.incarnation().empty()) event.set_incarnation("i1");
  reader->last_event = event.event();
  loop_.Post([reader, event = std::move(event)]() mutable {
    if (reader->listener != nullptr) reader->listener->OnEvent(std::move(event));
  });
}

void FakeQuotaClient::EndOf(size_t generate, grpc::Status status) {
  loop_.Post([reader = readers_.at(generate), status = std::move(status)] {
    if (Listener* listener = std::exchange(reader->listener, nullptr)) listener->OnEnd(status);
  });
}

std::unique_ptr<QuotaClient::Stream> FakeQuotaClient::Generate(quota::v1::GenerateRequest request, Listener* listener) {
  readers_.push_back(std::make_shared<Reader>(Reader{.listener = listener, .last_event = request.after_event()}));
  auto handle = std::make_unique<Handle>(readers_.back());
  Script script;
  if (played_ < scripts_.size()) {
    script = scripts_[played_++];
  } else if (respond_) {
    script = respond_(request);
  }
  requests_.push_back(std::move(request));
  for (quota::v1::GenerateEvent& event : script.events) Send(std::move(event));
  if (script.end) End(*script.end);
  return handle;
}

void FakeQuotaClient::CancelCall(const std::string&, const std::string& call_id) { cancelled_.push_back(call_id); }

void FakeQuotaClient::SetModel(const grpc::Status& status, quota::v1::GetModelResponse response) {
  model_status_ = status;
  model_ = std::move(response);
}

void FakeQuotaClient::GetModel(const std::string&, Callback<quota::v1::GetModelResponse> done) {
  ++models_asked_;
  if (holding_models_) {
    held_models_.push_back(std::move(done));
    return;
  }
  loop_.Post([done = std::move(done), status = model_status_, model = model_]() mutable { done(status, model); });
}

void FakeQuotaClient::ReleaseModels() {
  holding_models_ = false;
  for (auto& done : std::exchange(held_models_, {})) {
    loop_.Post([done = std::move(done), status = model_status_, model = model_]() mutable { done(status, model); });
  }
}

void FakeQuotaClient::SetIdentity(const std::string& token, const std::string& tenant, bool is_service) {
  identities_[token].set_tenant(tenant);
  identities_[token].set_is_service(is_service);
}

void FakeQuotaClient::WhoAmI(const std::string& token, Callback<quota::v1::WhoAmIResponse> done) {
  ++identities_asked_;
  grpc::Status status = who_am_i_status_;
  quota::v1::WhoAmIResponse response;
  if (const auto found = identities_.find(token); found != identities_.end()) {
    response = found->second;
  } else if (status.ok()) {
    status = {grpc::StatusCode::UNAUTHENTICATED, "this token is nobody's"};
  }
  loop_.Post([done = std::move(done), status, response]() mutable { done(status, response); });
}

quota::v1::GenerateEvent WaitOf(double seconds, WallTime now) {
  quota::v1::GenerateEvent event;
  event.mutable_wait()->set_reason(quota::v1::WAIT_REASON_RATE_LIMIT);
  event.mutable_wait()->set_seconds(seconds);
  const auto end = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch() + FromSeconds(seconds));
  event.mutable_wait()->mutable_retry_at()->set_seconds(end.count() / 1'000'000'000);
  event.mutable_wait()->mutable_retry_at()->set_nanos(static_cast<int32_t>(end.count() % 1'000'000'000));
  return event;
}

quota::v1::GenerateEvent AdmittedAfter(double waited_seconds) {
  quota::v1::GenerateEvent event;
  event.mutable_admitted()->set_upstream("openai");
  event.mutable_admitted()->set_attempt(1);
  event.mutable_admitted()->set_waited_seconds(waited_seconds);
  return event;
}

quota::v1::GenerateEvent DeltaOf(const std::string& item_id, int64_t offset, const std::string& text) {
  quota::v1::GenerateEvent event;
  event.mutable_delta()->set_item_id(item_id);
  event.mutable_delta()->set_channel(quota::v1::Delta::CHANNEL_TEXT);
  event.mutable_delta()->set_offset(offset);
  event.mutable_delta()->set_text(text);
  return event;
}

quota::v1::GenerateEvent ItemOf(const quota::v1::Item& item) {
  quota::v1::GenerateEvent event;
  *event.mutable_item() = item;
  return event;
}

quota::v1::GenerateEvent RestartedOf(const std::string& incarnation) {
  quota::v1::GenerateEvent event;
  event.set_incarnation(incarnation);
  event.mutable_restarted()->set_cause("begun anew");
  return event;
}

quota::v1::GenerateEvent CompletedWith(int64_t input_tokens, int64_t output_tokens, double waited_seconds) {
  quota::v1::GenerateEvent event;
  quota::v1::Completed* completed = event.mutable_completed();
  completed->mutable_usage()->set_input_tokens(input_tokens);
  completed->mutable_usage()->set_output_tokens(output_tokens);
  completed->set_finish_reason(quota::v1::FINISH_REASON_STOP);
  completed->set_response_id("resp_1");
  completed->set_upstream("openai");
  completed->set_waited_seconds(waited_seconds);
  completed->set_attempts(1);
  return event;
}

FakeQuotaClient::Script AnswerOf(const std::vector<quota::v1::Item>& items, double waited_seconds) {
  FakeQuotaClient::Script script;
  for (const quota::v1::Item& item : items) script.events.push_back(ItemOf(item));
  script.events.push_back(CompletedWith(100, 10, waited_seconds));
  script.end = grpc::Status::OK;
  return script;
}

}  // namespace holdfast::agent
