#include "tests/quota_service/service/quota_server_test_base.h"

#include "common/rpc/channel.h"
#include "tests/support/http_call.h"

namespace holdfast::quota {
namespace {

// A test that hangs ends here.
constexpr auto kDeadline = std::chrono::seconds(40);

}  // namespace

int QuotaServerTestBase::Generation::Count(v1::GenerateEvent::KindCase kind) const {
  return static_cast<int>(
      std::count_if(events.begin(), events.end(), [kind](const auto& event) { return event.kind_case() == kind; }));
}

v1::Completed QuotaServerTestBase::Generation::completed() const {
  return events.empty() ? v1::Completed() : events.back().completed();
}

std::vector<v1::Item> QuotaServerTestBase::Generation::items() const {
  std::vector<v1::Item> items;
  for (const v1::GenerateEvent& event : events) {
    if (event.has_item()) items.push_back(event.item());
  }
  return items;
}

std::string QuotaServerTestBase::Generation::text() const {
  std::string text;
  for (const v1::Item& item : items()) {
    for (const v1::Part& part : item.message().parts()) text += part.text();
  }
  return text;
}

bool QuotaServerTestBase::Reader::ReadUntil(v1::GenerateEvent::KindCase kind, std::vector<v1::GenerateEvent>* into) {
  for (v1::GenerateEvent event; stream->Read(&event);) {
    if (into != nullptr) into->push_back(event);
    if (event.kind_case() == kind) return true;
  }
  return false;
}

QuotaServerTestBase::Generation QuotaServerTestBase::Reader::Drain() {
  Generation generation;
  for (v1::GenerateEvent event; stream->Read(&event);) generation.events.push_back(event);
  generation.status = stream->Finish();
  return generation;
}

QuotaServerTestBase::QuotaServerTestBase() {
  config_.grpc = config_.http = config_.metrics = Address{"127.0.0.1", 0, ""};
  UpstreamConfig upstream;
  upstream.account.name = "sim";
  upstream.account.base_url = simulator_.url();
  upstream.account.profile = "openai";
  upstream.account.dialect = "responses";
  upstream.account.api_key = kApiKey;
  config_.upstreams.push_back(upstream);
  upstream.account.name = "sim-chat";
  upstream.account.dialect = "chat";
  config_.upstreams.push_back(upstream);
  config_.models.push_back({"chat-model", {"sim-chat"}, "", 64'000});
}

QuotaServerTestBase::~QuotaServerTestBase() { StopServer(); }

void QuotaServerTestBase::StartServer() {
  auto server = QuotaServer::Start(config_);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  loop_ = std::thread([this] { server_->Run(); });
  stub_ = v1::QuotaService::NewStub(MakeChannel(server_->grpc()));
}

void QuotaServerTestBase::StopServer() {
  if (server_ == nullptr) return;
  server_->Stop();
  loop_.join();
  server_.reset();
}

void QuotaServerTestBase::Prepare(grpc::ClientContext& context, const std::string& token) {
  SetBearerToken(context, token);
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
}

v1::GenerateRequest QuotaServerTestBase::Request(const std::string& call_id, const std::string& text) {
  v1::GenerateRequest request;
  request.set_call_id(call_id);
  request.set_model("m");
  v1::Message* message = request.add_items()->mutable_message();
  message->set_role(v1::ROLE_USER);
  message->add_parts()->set_text(text);
  return request;
}

std::unique_ptr<QuotaServerTestBase::Reader> QuotaServerTestBase::Open(const v1::GenerateRequest& request,
                                                                       const std::string& token) {
  auto reader = std::make_unique<Reader>();
  Prepare(reader->context, token);
  reader->stream = stub_->Generate(&reader->context, request);
  return reader;
}

QuotaServerTestBase::Generation QuotaServerTestBase::Generate(const v1::GenerateRequest& request,
                                                              const std::string& token) {
  return Open(request, token)->Drain();
}

v1::GetHeadroomResponse QuotaServerTestBase::Headroom(int64_t tokens, const std::string& model) {
  v1::GetHeadroomRequest request;
  request.set_model(model);
  request.set_tokens(tokens);
  v1::GetHeadroomResponse response;
  const grpc::Status status = Ask(&v1::QuotaService::Stub::GetHeadroom, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

bool QuotaServerTestBase::Cancel(const std::string& call_id) {
  v1::CancelCallRequest request;
  request.set_call_id(call_id);
  v1::CancelCallResponse response;
  const grpc::Status status = Ask(&v1::QuotaService::Stub::CancelCall, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.cancelled();
}

v1::WatchStatusResponse QuotaServerTestBase::Status(const std::string& token,
                                                    const std::function<bool(const v1::WatchStatusResponse&)>& enough) {
  grpc::ClientContext context;
  Prepare(context, token);
  const auto reader = stub_->WatchStatus(&context, {});
  v1::WatchStatusResponse status;
  do {
    if (!reader->Read(&status)) {
      ADD_FAILURE() << "no such status came: " << reader->Finish().error_message();
      break;
    }
  } while (enough && !enough(status));
  context.TryCancel();
  return status;
}

std::string QuotaServerTestBase::Metrics() const {
  const auto reply = test::HttpCall("GET", "http://" + server_->metrics().ToString() + "/metrics");
  EXPECT_TRUE(reply.ok() && reply->status == 200);
  return reply.ok() ? reply->body : "";
}

}  // namespace holdfast::quota
